package lock

import (
	"io/fs"
	"net/url"
	"strings"
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
