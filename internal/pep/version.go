package pep

import "strings"

// preReleases and postReleases give the spellings that PEP 440 reads for a
// segment, longest first, and the one it writes.
var (
	preReleases = []spelling{
		{"preview", "rc"}, {"alpha", "a"}, {"beta", "b"}, {"pre", "rc"}, {"rc", "rc"}, {"a", "a"}, {"b", "b"}, {"c", "rc"},
	}
	postReleases = []spelling{{"post", "post"}, {"rev", "post"}, {"r", "post"}}
	devReleases  = []spelling{{"dev", "dev"}}
)

type spelling struct{ read, write string }

// ValidVersion reports whether s is one version by PEP 440: no range, no
// wildcard, no spaces.
func ValidVersion(s string) bool {
	_, ok := CanonicalVersion(s)
	return ok
}

// Line returns the line of a version of Python: "3.10" of "3.10.13".
func Line(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

// CanonicalVersion returns the one spelling that PEP 440 gives a version
// ("2.1.0-RC.1" is "2.1.0rc1"), or false if s is none. Trailing zeros stay, so
// that 2.1 and 2.1.0 differ though they compare equal. A separator that joins
// nothing ("1.0a."), which PEP 440's own pattern lets through, is refused.
func CanonicalVersion(s string) (string, bool) {
	if len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) {
		return "", false
	}
	public, local, hasLocal := strings.Cut(strings.ToLower(s), "+")
	public = strings.TrimPrefix(public, "v")
	var b strings.Builder
	if epoch, rest, ok := strings.Cut(public, "!"); ok {
		n, after := takeNumber(epoch)
		if n == "" || after != "" {
			return "", false
		}
		if n != "0" {
			b.WriteString(n + "!")
		}
		public = rest
	}
	rest, ok := writeRelease(&b, public)
	if !ok {
		return "", false
	}
	if rest, ok = writeSuffixes(&b, rest); !ok || rest != "" {
		return "", false
	}
	if hasLocal && !writeLocal(&b, local) {
		return "", false
	}
	return b.String(), true
}

// writeRelease reads numbers joined by dots, and returns what follows them.
func writeRelease(b *strings.Builder, s string) (rest string, ok bool) {
	for first := true; ; first = false {
		after := s
		if !first {
			if after, ok = strings.CutPrefix(s, "."); !ok {
				return s, true
			}
		}
		n, after := takeNumber(after)
		if n == "" {
			return s, !first
		}
		if !first {
			b.WriteByte('.')
		}
		b.WriteString(n)
		s = after
	}
}

// writeSuffixes reads the pre-, post- and development segments, each at most
// once and in this order.
func writeSuffixes(b *strings.Builder, s string) (rest string, ok bool) {
	s = writeSuffix(b, s, preReleases, "")
	// "1.0-1" is short for "1.0.post1".
	if n, after := takeNumber(strings.TrimPrefix(s, "-")); n != "" && strings.HasPrefix(s, "-") {
		b.WriteString(".post" + n)
		s = after
	} else {
		s = writeSuffix(b, s, postReleases, ".")
	}
	return writeSuffix(b, s, devReleases, "."), true
}

// writeSuffix reads one segment, such as "-rc.1", and writes it with separator;
// where s begins with none it is returned as it is.
func writeSuffix(b *strings.Builder, s string, words []spelling, separator string) (rest string) {
	after := trimSeparator(s)
	for _, w := range words {
		tail, ok := strings.CutPrefix(after, w.read)
		if !ok {
			continue
		}
		n, tail2 := takeNumber(trimSeparator(tail))
		if n == "" {
			// No number means zero; the separator then belongs to what follows.
			n, tail2 = "0", tail
		}
		b.WriteString(separator + w.write + n)
		return tail2
	}
	return s
}

// writeLocal reads the label behind the plus sign.
func writeLocal(b *strings.Builder, s string) bool {
	b.WriteByte('+')
	for i := 0; ; i++ {
		end := strings.IndexAny(s, "-_.")
		part := s
		if end >= 0 {
			part = s[:end]
		}
		if part == "" {
			return false
		}
		for j := range len(part) {
			if !isAlphanumeric(part[j]) {
				return false
			}
		}
		if i > 0 {
			b.WriteByte('.')
		}
		if n, after := takeNumber(part); n != "" && after == "" {
			part = n
		}
		b.WriteString(part)
		if end < 0 {
			return true
		}
		s = s[end+1:]
	}
}

// takeNumber splits leading digits off, without their leading zeros.
func takeNumber(s string) (number, rest string) {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	if end == 0 {
		return "", s
	}
	number = strings.TrimLeft(s[:end], "0")
	if number == "" {
		number = "0"
	}
	return number, s[end:]
}

func trimSeparator(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '_' || s[0] == '.') {
		return s[1:]
	}
	return s
}
