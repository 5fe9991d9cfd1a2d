// Package indexsay reads what uv, pip and py-rattler print when they cannot get packages: an
// index that does not answer, bytes that are not those that were asked for, and
// the lines of a long output that carry the message.
package indexsay

import (
	"regexp"
	"strings"
	"sync"
)

// mostLines is how many lines Message returns.
const mostLines = 12

var (
	trouble = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)failed to fetch|error sending request|connect error|dns error|timed? ?out|HTTP status|invalid peer certificate|network connectivity is disabled` +
			// What pip says of it.
			`|after connection broken by|connection (?:refused|reset)|name or service not known|certificate verify failed|HTTP error \d+|\(from versions: none\)`)
	})
	// uv: Hash mismatch for `six==1.17.0`; pip: six==1.17.0 from https://… below a line in capitals.
	mismatch = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile("(?i)hash mismatch for `([^`\\n]+)`|do not match the hashes[^\\n]*\\n\\s*([^\\s]+==[^\\s]+) from ")
	})
	// py-rattler, of what it downloads, and our script, of a local archive.
	archive = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)hash mismatch(?: when extracting)?:? (?:\S*/)?([^/\s]+?)(?:\.conda|\.tar\.bz2)(?: to [^\n]*?: expected ([0-9a-f]{64}), got ([0-9a-f]{64})| has sha256 ([0-9a-f]{64}), the lock says ([0-9a-f]{64}))`)
	})
	// pip, of a connection that broke: names of classes and addresses in memory around the reason.
	retry = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^Retrying \(.*\) after connection broken by '(.*)': (\S+)$`)
	})
	digest = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	})
)

// Unreached returns the line that tells best that the index did not answer: the
// first that says so, with the deepest cause that uv gives below it, such as
// "Connection refused". False if none does.
func Unreached(output string) (string, bool) {
	said, deepest := "", ""
	for line := range strings.Lines(output) {
		cause := isCause(line)
		switch {
		case said == "" && trouble().MatchString(line):
			said = strip(line)
		case said != "" && cause:
			deepest = strip(line)
		case said != "":
			return join(said, deepest), true
		}
	}
	return join(said, deepest), said != ""
}

// OfConda reports whether it was py-rattler or a client of conda that spoke: what it
// lacks is an archive of a channel, not a wheel of an index.
func OfConda(output string) bool {
	return strings.Contains(output, ".conda") || strings.Contains(output, ".tar.bz2") || strings.Contains(output, "CondaHTTPError") || strings.Contains(output, "repodata")
}

// isCause reports whether a line gives the cause of the one before.
func isCause(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "cause: ") || strings.HasPrefix(line, "Caused by: ")
}

func join(said, cause string) string {
	if cause == "" {
		return said
	}
	return said + ": " + cause
}

// A Mismatch is a package whose bytes are not those that were asked for.
type Mismatch struct {
	Package    string // "six==1.17.0"
	Asked, Got string // sha256 in hexadecimal, "" where the output does not say
}

// Mismatched returns the first package of which the index had other bytes.
func Mismatched(output string) (Mismatch, bool) {
	if m := archive().FindStringSubmatch(output); m != nil {
		return Mismatch{Package: m[1], Asked: m[2] + m[5], Got: m[3] + m[4]}, true
	}
	at := mismatch().FindStringSubmatchIndex(output)
	if at == nil {
		return Mismatch{}, false
	}
	found := mismatch().FindStringSubmatch(output)
	m := Mismatch{Package: found[1] + found[2]}
	// What is expected, and not the address before it, which may carry a digest too.
	_, rest, _ := strings.Cut(output[at[1]:], "Expected")
	if sums := digest().FindAllString(rest, -1); len(sums) >= 2 {
		// uv lists all that are allowed before the one that came.
		m.Asked, m.Got = sums[0], sums[len(sums)-1]
	}
	return m, true
}

// Message returns the end of an output from the line on that begins the
// first error, or its last lines where none does.
func Message(lines []string) []string {
	for i, line := range lines {
		if strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "ERROR: ") {
			lines = lines[i:]
			break
		}
	}
	return lines[max(0, len(lines)-mostLines):]
}

// reason returns what broke a connection of pip, such as "[Errno 111] Connection refused",
// and what was asked for; the line itself where it is none of pip's.
func reason(line string) string {
	m := retry().FindStringSubmatch(line)
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
	if _, said, ok := strings.Cut(text, " object at 0x"); ok && strings.HasPrefix(text, "<") {
		_, text, _ = strings.Cut(said, ">: ")
	}
	if text == "" {
		return line
	}
	return text + ": " + m[2]
}

// strip takes away what stands around the words of a line.
func strip(line string) string {
	line = strings.TrimSpace(line)
	for _, label := range []string{"error: ", "ERROR: ", "WARNING: ", "cause: ", "Caused by: "} {
		line = strings.TrimPrefix(line, label)
	}
	return reason(line)
}
