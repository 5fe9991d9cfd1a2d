package hub

import (
	"strconv"
	"strings"
)

// A CLI is the command-line program of a version of huggingface_hub. It is
// huggingface-cli before 0.34, and hf since then (with the old name beside it up to
// 0.36). Before 1.0, one --exclude takes all patterns and a second flag replaces the
// first; since 1.0, each flag takes one pattern, and a second one is read as a file to
// download, which voids all patterns.
type CLI struct {
	Major, Minor int // of huggingface_hub
}

// ParseCLI parses a PEP 440 version of the distribution huggingface-hub.
func ParseCLI(version string) (CLI, bool) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	if i := strings.IndexFunc(second, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		second = second[:i] // 1.0rc1
	}
	major, err := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(second)
	if err != nil || major < 0 || err2 != nil && rest != "" {
		return CLI{}, false
	}
	return CLI{major, minor}, true
}

// Program returns its name in the environment.
func (c CLI) Program() string {
	if c.Before(0, 34) {
		return "huggingface-cli"
	}
	return "hf"
}

// Login returns the command that asks for a token and stores it in the user's home.
func (c CLI) Login() []string { return c.auth("login") }

// WhoAmI returns the command that asks the hub for the user of the token.
func (c CLI) WhoAmI() []string { return c.auth("whoami") }

func (c CLI) auth(word string) []string {
	if c.Before(0, 34) {
		return []string{c.Program(), word}
	}
	return []string{c.Program(), "auth", word}
}

// Download returns the command that downloads a model at its revision.
func (c CLI) Download(p Pin) []string {
	args := []string{c.Program(), "download", p.Repo, "--revision", p.Revision}
	for i, pattern := range p.Exclude {
		if i == 0 || !c.Before(1, 0) {
			args = append(args, "--exclude")
		}
		args = append(args, pattern)
	}
	return args
}

// Before reports whether the version is earlier than major.minor.
func (c CLI) Before(major, minor int) bool {
	return c.Major < major || c.Major == major && c.Minor < minor
}
