package lock

import (
	"io/fs"
	"net/url"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// ValidGit reports whether s is a URL from which git can fetch a repository, without a
// password: https, ssh, or file.
func ValidGit(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(s, " \t\r\n") {
		return false
	}
	_, password := u.User.Password()
	switch u.Scheme {
	case "https":
		return u.Host != "" && u.User == nil
	case "ssh":
		return u.Host != "" && u.Host[0] != '-' && !password && !strings.HasPrefix(u.User.Username(), "-")
	case "file":
		return u.Host == "" && strings.HasPrefix(u.Path, "/")
	}
	return false
}

// ValidCommit reports whether s is a full commit of git: 40 or 64 hexadecimal digits.
func ValidCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// ValidArchive reports whether s is the file name of a source archive that can be unpacked.
func ValidArchive(s string) bool {
	return fs.ValidPath(s) && !strings.Contains(s, "/") && strings.Trim(s, alphanumeric+"._-+!") == "" &&
		(strings.HasSuffix(s, ".tar.gz") || strings.HasSuffix(s, ".zip"))
}

// ParseDigest parses a SHA-256 digest in hexadecimal, false if it is malformed or zero.
func ParseDigest(hexadecimal string) (sum facts.SHA256, ok bool) {
	err := sum.UnmarshalText([]byte(strings.ToLower(hexadecimal)))
	return sum, err == nil && !sum.IsZero()
}

// CheckURL returns why a direct reference is not a valid Requirement.URL, and how to correct
// it; "" for a valid one.
func CheckURL(text string) (problem, hint string) {
	_, fragment, _ := strings.Cut(text, "#")
	if digest := fragmentValue(fragment, "sha256"); digest != "" {
		if _, ok := ParseDigest(digest); !ok {
			return "the sha256 of the location does not have 64 hexadecimal digits", "`sha256sum FILE` prints it"
		}
	}
	if name, ok := strings.CutPrefix(text, "./"); ok {
		if name != "" && !fs.ValidPath(name) {
			return "the path is not one of the project", "write it as ./DIRECTORY or ./FILE, in the project"
		}
		return "", ""
	}
	if rest, ok := strings.CutPrefix(text, "git+"); ok {
		return checkGit(rest)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https":
		return "the location is neither https, git+https, git+ssh nor a path that begins with ./", `write "NAME @ https://HOST/FILE.whl#sha256=DIGEST"`
	case u.User != nil:
		return "the location contains credentials", "remove them: those of an index at the same host are used, which each machine sets in ~/.config/reconcile/config.yaml"
	}
	file := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	if _, err := ParseWheel(file); err != nil && !ValidArchive(file) {
		return "the location is not that of a wheel, .tar.gz or .zip", `write "NAME @ https://HOST/FILE.whl"`
	}
	return "", ""
}

// checkGit is CheckURL without "git+".
func checkGit(text string) (problem, hint string) {
	text, _, _ = strings.Cut(text, "#")
	at := strings.LastIndexByte(text, '@')
	slash := strings.LastIndexByte(text, '/')
	if at < slash { // the @ of a user
		at = len(text)
	}
	repository, commit := text[:at], strings.TrimPrefix(text[at:], "@")
	if !ValidGit(repository) {
		return "the repository is not an https, ssh or file URL without credentials", `write "NAME @ git+https://HOST/OWNER/NAME@COMMIT"`
	}
	if !ValidCommit(commit) {
		return "git needs a full commit, of 40 hexadecimal digits", "`git ls-remote " + repository + "` prints those of branches and tags"
	}
	return "", ""
}
