package manifest

import (
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// isURL reports whether a URL can be fetched from without trust in the network:
// https, or http of this machine, or a file. Names and passwords do not belong
// into a file that is shared.
func (l *loader) isURL(n *yaml.Node, v string) bool {
	u, err := url.Parse(v)
	switch {
	case err != nil && strings.Contains(v, "@"):
		l.problem(n, "secret", "url is not one", "", "") // it may hold a password
	case err != nil || strings.ContainsAny(v, " \"'`$<>"):
		l.problem(n, "value", "url is not one", quote(v), "")
	case u.User != nil:
		l.problem(n, "secret", "url holds a name or password", "", "remove it; a machine's credentials belong into its own settings")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/"),
		u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost"):
		return true
	default:
		l.problem(n, "value", "url must be https, http of this machine, or file:///", quote(v), "")
	}
	return false
}
