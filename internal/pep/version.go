package pep

import (
	"regexp"
	"strings"
	"sync"
)

// versionPattern is the pattern of PEP 440, appendix B, in lower case: epoch, release,
// pre-release, post-release in both forms, development release, local version.
var versionPattern = sync.OnceValue(func() *regexp.Regexp {
	const number = `(?:[-_.]?(\d+))?`
	return regexp.MustCompile(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
		`(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)` + number + `)?` +
		`(?:-(\d+)|[-_.]?(post|rev|r)` + number + `)?` +
		`(?:[-_.]?(dev)` + number + `)?` +
		`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)
})

// ValidVersion reports whether s is one version by PEP 440: no range, no wildcard, no
// spaces.
func ValidVersion(s string) bool {
	_, ok := CanonicalVersion(s)
	return ok
}

// MajorMinor returns the first two numbers of a version: "3.10" for "3.10.13".
func MajorMinor(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

// CanonicalVersion returns the normal form of a version by PEP 440 ("2.1.0-RC.1" becomes
// "2.1.0rc1"), or false if s is not a version. It keeps trailing zeros: 2.1 and 2.1.0
// remain different although they are equal versions. It refuses a trailing separator
// ("1.0a."), which the pattern of PEP 440 permits.
func CanonicalVersion(s string) (string, bool) {
	if len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) {
		return "", false
	}
	m := versionPattern().FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		return "", false
	}
	epoch, release, pre, post, dev, local := m[1], m[2], m[3], m[6], m[8], m[10]
	v := trimZeros(release)
	if epoch = trimZeros(epoch); epoch != "" && epoch != "0" {
		v = epoch + "!" + v
	}
	switch pre {
	case "":
	case "alpha", "beta":
		v += pre[:1] + trimZeros("0"+m[4])
	case "a", "b":
		v += pre + trimZeros("0"+m[4])
	default:
		v += "rc" + trimZeros("0"+m[4])
	}
	if m[5] != "" || post != "" {
		v += ".post" + trimZeros("0"+m[5]+m[7])
	}
	if dev != "" {
		v += ".dev" + trimZeros("0"+m[9])
	}
	if local != "" {
		v += "+" + trimZeros(strings.NewReplacer("-", ".", "_", ".").Replace(local))
	}
	return v, true
}

// trimZeros removes the leading zeros of each number between dots.
func trimZeros(s string) string {
	parts := strings.Split(s, ".")
	for i, part := range parts {
		if strings.Trim(part, "0123456789") == "" && part != "" {
			if parts[i] = strings.TrimLeft(part, "0"); parts[i] == "" {
				parts[i] = "0"
			}
		}
	}
	return strings.Join(parts, ".")
}
