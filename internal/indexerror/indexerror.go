// Package indexerror extracts the reason of a failure from the output of uv, pip and
// py-rattler: an index that cannot be reached, a file with the wrong hash, or the lines
// that hold the error message.
package indexerror

import (
	"regexp"
	"strings"
	"sync"
)

// maxLines is the maximum number of lines that Message returns.
const maxLines = 12

var (
	unreachable = regexpOnce(`(?i)failed to fetch|error sending request|connect error|dns error|timed? ?out|HTTP status|invalid peer certificate|network connectivity is disabled` +
		// pip:
		`|after connection broken by|connection (?:refused|reset)|name or service not known|certificate verify failed|HTTP error \d+|\(from versions: none\)`)
	// uv: Hash mismatch for `six==1.17.0`; pip: six==1.17.0 from https://… below a line in capitals.
	wheelMismatch = regexpOnce("(?i)hash mismatch for `([^`\\n]+)`|do not match the hashes[^\\n]*\\n\\s*([^\\s]+==[^\\s]+) from ")
	// py-rattler for a download, and the embedded script for a local archive.
	archiveMismatch = regexpOnce(`(?i)hash mismatch(?: when extracting)?:? (?:\S*/)?([^/\s]+?)(?:\.conda|\.tar\.bz2)(?: to [^\n]*?: expected ([0-9a-f]{64}), got ([0-9a-f]{64})| has sha256 ([0-9a-f]{64}), the lock has ([0-9a-f]{64}))`)
	// pip prints the repr of the exception around the reason.
	pipRetry = regexpOnce(`^Retrying \(.*\) after connection broken by '(.*)': (\S+)$`)
	digest   = regexpOnce(`\b[0-9a-f]{64}\b`)
)

func regexpOnce(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// Unreachable returns the first line of output that reports an index that cannot be
// reached, followed by the deepest cause that uv prints below it, such as "Connection
// refused". The second result is false if no line does.
func Unreachable(output string) (string, bool) {
	first, deepest := "", ""
	for line := range strings.Lines(output) {
		if first == "" {
			if unreachable().MatchString(line) {
				first = clean(line)
			}
			continue
		}
		if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "cause: ") && !strings.HasPrefix(trimmed, "Caused by: ") {
			break
		}
		deepest = clean(line)
	}
	if deepest != "" {
		first += ": " + deepest
	}
	return first, first != ""
}

// FromConda reports whether the output is that of py-rattler or a conda client.
func FromConda(output string) bool {
	return strings.Contains(output, ".conda") || strings.Contains(output, ".tar.bz2") || strings.Contains(output, "CondaHTTPError") || strings.Contains(output, "repodata")
}

// A HashMismatch is a package whose file has the wrong hash.
type HashMismatch struct {
	Package   string // "six==1.17.0"
	Want, Got string // sha256 in hexadecimal, "" if the output does not contain them
}

// FindHashMismatch returns the first hash mismatch that the output reports.
func FindHashMismatch(output string) (HashMismatch, bool) {
	if m := archiveMismatch().FindStringSubmatch(output); m != nil {
		return HashMismatch{Package: m[1], Want: m[2] + m[5], Got: m[3] + m[4]}, true
	}
	found := wheelMismatch().FindStringSubmatchIndex(output)
	if found == nil {
		return HashMismatch{}, false
	}
	m := HashMismatch{Package: string(wheelMismatch().ExpandString(nil, "$1$2", output, found))}
	// The URL before "Expected" may contain a digest too.
	_, rest, _ := strings.Cut(output[found[1]:], "Expected")
	if sums := digest().FindAllString(rest, -1); len(sums) >= 2 {
		// uv prints all the expected digests before the computed one.
		m.Want, m.Got = sums[0], sums[len(sums)-1]
	}
	return m, true
}

// Message returns the lines of an output from the first error on, or all lines if no
// line begins an error; at most the last maxLines of them.
func Message(lines []string) []string {
	for i, line := range lines {
		if strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "ERROR: ") {
			lines = lines[i:]
			break
		}
	}
	return lines[max(0, len(lines)-maxLines):]
}

// pipReason returns the reason of a failed connection, such as "[Errno 111] Connection
// refused", and the requested path. A line that pip did not print is returned unchanged.
func pipReason(line string) string {
	m := pipRetry().FindStringSubmatch(line)
	if m == nil {
		return line
	}
	// The reason is the innermost text: NewConnectionError('<pip… object at 0x7f…>: Failed to …')
	text := strings.TrimRight(m[1], ")")
	if text == "" || text == m[1] || !strings.ContainsRune(`'"`, rune(text[len(text)-1])) {
		return line
	}
	quote := text[len(text)-1:]
	text = text[:len(text)-1]
	begin := max(strings.LastIndex(text, "("+quote), strings.LastIndex(text, ", "+quote)+1)
	if begin <= 0 {
		return line
	}
	text = text[begin+2:]
	if _, after, ok := strings.Cut(text, " object at 0x"); ok && strings.HasPrefix(text, "<") {
		_, text, _ = strings.Cut(after, ">: ")
	}
	if text == "" {
		return line
	}
	return text + ": " + m[2]
}

// clean removes the label of a line, and reduces a line of pip to its reason.
func clean(line string) string {
	line = strings.TrimSpace(line)
	for _, label := range []string{"error: ", "ERROR: ", "WARNING: ", "cause: ", "Caused by: "} {
		line = strings.TrimPrefix(line, label)
	}
	return pipReason(line)
}
