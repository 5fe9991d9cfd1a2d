package declared

import (
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

const credentialsReason = "credentials in a URL are not copied: set those of an index in ~/.config/reconcile/config.yaml, and those of git in its credential helper"

// setURL sets the URL of a requirement from the URL or path that a file contains. file is that
// file. It returns the reason why it cannot, or "".
func (r *reader) setURL(q *Requirement, file, text string) (reason string) {
	text, extras := cutExtras(text)
	q.Extras = append(q.Extras, extras...)
	if hasVariable(text) {
		return variableReason
	}
	if rest, ok := strings.CutPrefix(text, "git@"); ok && strings.Contains(rest, ":") && !strings.Contains(rest, "://") {
		text = "git+ssh://git@" + strings.Replace(rest, ":", "/", 1)
	}
	scheme, rest, isURL := strings.Cut(text, "://")
	switch kind := strings.ToLower(scheme); {
	case !isURL && strings.HasPrefix(text, "file:"):
		return r.setPath(q, file, strings.TrimPrefix(text, "file:"))
	case !isURL:
		return r.setPath(q, file, text)
	case kind == "file":
		return r.setPath(q, file, strings.TrimPrefix(rest, "localhost"))
	case kind == "git+https" || kind == "git+http" || kind == "git+ssh" || kind == "git+git" || kind == "git+file":
	case kind == "https" || kind == "http":
		q.Editable = false
	default:
		return "only git repositories and https files can be a source"
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" && u.Scheme != "git+file" {
		return "the URL is malformed"
	}
	r.removeCredentials(u, q.Pos)
	isGit := strings.HasPrefix(u.Scheme, "git+")
	var keep []string
	for part := range strings.FieldsFuncSeq(u.Fragment, func(c rune) bool { return c == '&' }) {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case key == "egg":
			if name, extras := cutExtras(value); q.Name == "" && pep.ValidName(name) {
				q.Name, q.Extras = name, append(q.Extras, extras...)
			}
		case key == "subdirectory" || !isGit && (key == "sha256" || key == "sha384" || key == "sha512" || key == "md5"):
			keep = append(keep, part)
		}
	}
	u.Fragment, u.RawFragment = "", ""
	q.URL = u.String()
	if len(keep) > 0 {
		q.URL += "#" + strings.Join(keep, "&")
	}
	if q.Name == "" && !isGit {
		q.Name = nameOfFile(path.Base(u.Path))
	}
	return ""
}

// removeCredentials removes user, password and query, and reports it. The user of ssh remains.
func (r *reader) removeCredentials(u *url.URL, pos diag.Pos) {
	_, hasPassword := u.User.Password()
	isSSH := strings.HasSuffix(u.Scheme, "ssh")
	if u.User != nil && (hasPassword || !isSSH) || u.RawQuery != "" {
		r.notRead(pos, u.Redacted(), credentialsReason)
	}
	switch {
	case u.User != nil && isSSH:
		u.User = url.User(u.User.Username())
	default:
		u.User = nil
	}
	u.RawQuery, u.ForceQuery = "", false
}

// setPath sets the URL of a path, which is relative to the root of the project as in pip, or to
// the file if only that exists.
func (r *reader) setPath(q *Requirement, file, named string) (reason string) {
	named, fragment, _ := strings.Cut(named, "#")
	if name, ok := strings.CutPrefix(fragment, "egg="); ok && q.Name == "" && pep.ValidName(name) {
		q.Name = name
	}
	if path.IsAbs(named) || len(named) > 1 && named[1] == ':' {
		return "an absolute path exists on one machine only"
	}
	if strings.ContainsAny(named, "\\\x00?") || named == "" {
		return "the path is malformed"
	}
	name := path.Clean(named)
	if near, ok := beside(file, named); ok && (!fs.ValidPath(name) || isAbsent(r.fsys, name)) && !isAbsent(r.fsys, near) {
		name = near
	}
	switch {
	case !fs.ValidPath(name):
		return "the path is outside of the project"
	case isAbsent(r.fsys, name):
		return "the path does not exist"
	}
	q.URL = "./" + name
	if name == "." {
		q.URL = RootURL
	}
	if info, err := fs.Stat(r.fsys, name); err == nil && !info.IsDir() {
		q.Editable = false
		if q.Name == "" {
			q.Name = nameOfFile(path.Base(name))
		}
	} else if q.Name == "" {
		if p := r.projectOf(name); p != nil {
			q.Name = p.Name
		}
	}
	return ""
}

// projectOf is ProjectOf for at most maxFiles directories.
func (r *reader) projectOf(dir string) *Project {
	p, ok := r.projects[dir]
	if ok || len(r.projects) >= maxFiles {
		return p
	}
	if r.projects == nil {
		r.projects = map[string]*Project{}
	}
	p = ProjectOf(r.fsys, dir)
	r.projects[dir] = p
	return p
}

// nameOfFile returns the name of the package of a wheel or source archive, or "".
func nameOfFile(file string) string {
	if stem, ok := strings.CutSuffix(file, ".whl"); ok {
		if parts := strings.Split(stem, "-"); len(parts) >= 5 && pep.ValidName(parts[0]) {
			return parts[0]
		}
		return ""
	}
	if name, _, ok := pep.ParseSdist(file); ok {
		return name
	}
	return ""
}

// cutExtras splits ./x[dev,test] into the path and the extras.
func cutExtras(text string) (string, []string) {
	before, list, ok := strings.Cut(text, "[")
	if !ok || !strings.HasSuffix(list, "]") {
		return text, nil
	}
	var extras []string
	for extra := range strings.SplitSeq(strings.TrimSuffix(list, "]"), ",") {
		if extra = strings.TrimSpace(extra); pep.ValidName(extra) {
			extras = append(extras, extra)
		}
	}
	return strings.TrimSpace(before), extras
}

const variableReason = "it uses an environment variable, whose value is not read"

// hasVariable reports whether a text has a variable as pip expands it: ${NAME}.
func hasVariable(text string) bool {
	for {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			return false
		}
		end := 0
		for end < len(rest) && strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", rest[end]) >= 0 {
			end++
		}
		if end > 0 && end < len(rest) && rest[end] == '}' {
			return true
		}
		text = rest
	}
}

// addIndex adds an index unless the same one is there.
func (r *reader) addIndex(x Index, file string) {
	if x.URL == "" {
		return
	}
	if hasVariable(x.URL) {
		r.notRead(x.Pos, x.URL, variableReason)
		return
	}
	if strings.Contains(x.URL, "://") && !strings.HasPrefix(x.URL, "file://") {
		u, err := url.Parse(x.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			r.notRead(x.Pos, x.URL, "the URL of the index is malformed")
			return
		}
		r.removeCredentials(u, x.Pos)
		u.Fragment = ""
		x.URL = u.String()
	} else {
		q := Requirement{}
		if reason := r.setPath(&q, file, strings.TrimPrefix(x.URL, "file://")); reason != "" {
			r.notRead(x.Pos, x.URL, reason)
			return
		}
		x.URL = q.URL
	}
	for i, have := range r.set.Indexes {
		if have.URL == x.URL && (have.Name == x.Name || x.Name == "") {
			if x.Kind == DefaultIndex {
				r.set.Indexes[i].Kind = DefaultIndex
			}
			return
		}
	}
	if len(r.set.Indexes) < maxFiles {
		r.set.Indexes = append(r.set.Indexes, x)
	}
}
