// Package indexerror extracts the reason of a failure from the output of uv, py-rattler and
// conda clients: an index that cannot be reached, a file with the wrong hash, or the lines
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
		// urllib3, in conda:
		`|after connection broken by|connection (?:refused|reset)|name or service not known|certificate verify failed|HTTP error \d+`)
	// py-rattler for a download, and the embedded script for a local archive.
	archiveMismatch = regexpOnce(`(?i)hash mismatch(?: when extracting)?:? (?:\S*/)?([^/\s]+?)(?:\.conda|\.tar\.bz2)(?: to [^\n]*?: expected ([0-9a-f]{64}), got ([0-9a-f]{64})| has sha256 ([0-9a-f]{64}), the lock has ([0-9a-f]{64}))`)
	// urllib3 prints the repr of the exception around the reason.
	retrying = regexpOnce(`^Retrying \(.*\) after connection broken by '(.*)': (\S+)$`)
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
	Package   string // "python-3.10.13-h4499717_1"
	Want, Got string // sha256 in hexadecimal, "" if the output does not contain them
}

// FindHashMismatch returns the first hash mismatch that the output reports.
func FindHashMismatch(output string) (HashMismatch, bool) {
	m := archiveMismatch().FindStringSubmatch(output)
	if m == nil {
		return HashMismatch{}, false
	}
	return HashMismatch{Package: m[1], Want: m[2] + m[5], Got: m[3] + m[4]}, true
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

// retryReason returns the reason of a failed connection, such as "[Errno 111] Connection
// refused", and the requested path. A line that urllib3 did not print is returned unchanged.
func retryReason(line string) string {
	m := retrying().FindStringSubmatch(line)
	if m == nil {
		return line
	}
	// The reason is the innermost text: NewConnectionError('<urllib3… object at 0x7f…>: Failed to …')
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

// clean removes the label of a line, and reduces a line of urllib3 to its reason.
func clean(line string) string {
	line = strings.TrimSpace(line)
	for _, label := range []string{"error: ", "ERROR: ", "WARNING: ", "cause: ", "Caused by: "} {
		line = strings.TrimPrefix(line, label)
	}
	return retryReason(line)
}
