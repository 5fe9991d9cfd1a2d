package hub

import (
	"strconv"
	"strings"
)

// A CLI is the program that a version of huggingface_hub brings. Its name and its words
// changed: before 0.34 it is huggingface-cli; from 0.34 hf, with the old name beside it
// up to 0.36. Before 1.0 one --exclude takes all patterns, and a second flag forgets the
// first; from 1.0 each flag takes one, and a second pattern is taken for a file to fetch,
// which makes all patterns void.
type CLI struct {
	Major, Minor int // of the version of huggingface_hub
}

// ParseCLI reads a version, as PEP 440 writes it, of the distribution huggingface-hub.
// It returns false for what is no version.
func ParseCLI(version string) (CLI, bool) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	digits := strings.IndexFunc(second, func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		second = second[:digits] // 1.0rc1
	}
	major, err := strconv.Atoi(first)
	if err != nil || major < 0 {
		return CLI{}, false
	}
	minor, err := strconv.Atoi(second)
	if err != nil && rest != "" {
		return CLI{}, false
	}
	return CLI{major, minor}, true
}

// Program is its name in the environment.
func (c CLI) Program() string {
	if c.Before(0, 34) {
		return "huggingface-cli"
	}
	return "hf"
}

// Login asks for a token, or opens a browser, and keeps the token in the user's home.
func (c CLI) Login() []string {
	if c.Before(0, 34) {
		return []string{c.Program(), "login"}
	}
	return []string{c.Program(), "auth", "login"}
}

// WhoAmI asks the hub whose token is used.
func (c CLI) WhoAmI() []string {
	if c.Before(0, 34) {
		return []string{c.Program(), "whoami"}
	}
	return []string{c.Program(), "auth", "whoami"}
}

// Download fetches a model at its revision, without what nobody needs.
func (c CLI) Download(p Pin) []string {
	words := []string{c.Program(), "download", p.Repo, "--revision", p.Revision}
	for i, pattern := range p.Exclude {
		if i == 0 || !c.Before(1, 0) {
			words = append(words, "--exclude")
		}
		words = append(words, pattern)
	}
	return words
}

// Before reports whether it is of an earlier version.
func (c CLI) Before(major, minor int) bool {
	return c.Major < major || c.Major == major && c.Minor < minor
}
