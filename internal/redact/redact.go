// Package redact removes the credentials of a run from everything that it prints and
// records. One Redactor holds all of them: those in the variables of the environment, in
// the settings of the package index, and in the files from which the started programs take
// credentials.
//
// A secret is found in every encoding in which a program or a server may repeat it: percent
// encoding, also twice and also of some characters only, escapes of JSON, Go, Python and
// Markdown, HTML entities, shell quotes, and base64. Each occurrence is replaced by ***.
// Occurrences that overlap are replaced as one.
//
// These are secrets: the password of a URL, its user, the values of its query and fragment,
// and the value of a variable that holds a token. A segment of a path is not, since a path
// does not show which of its segments are. A value of less than 4 bytes is replaced only
// together with its user or the name of its parameter: it would occur everywhere.
package redact

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mask replaces a secret.
const Mask = "***"

// minLength is the length in bytes from which a secret is replaced wherever it occurs.
const minLength = 4

// A Redactor replaces secrets. Methods may be called by several goroutines at the same
// time. The methods String, Strings, JSON and AddURL have no effect for a nil Redactor.
type Redactor struct {
	mu      sync.Mutex
	secrets map[string]bool // true for a word: replaced only between characters that are not of a word
	local   map[string]bool // parts of this machine's paths: users of this name are not replaced
	table   atomic.Pointer[table]
}

// New returns a Redactor without secrets.
func New() *Redactor { return &Redactor{secrets: map[string]bool{}, local: map[string]bool{}} }

// Add adds tokens and passwords, as they are or percent-encoded. Each line of a value is a
// secret of its own.
func (r *Redactor) Add(values ...string) {
	for _, value := range values {
		for line := range strings.Lines(value) {
			for _, form := range decodings(strings.TrimSpace(line)) {
				if len(form) < minLength {
					continue
				}
				r.add(form, false)
				r.addEncoded(form)
			}
		}
	}
	r.compile()
}

// AddURL adds the credentials of a URL: user, password, query and fragment. Text before
// the scheme is ignored. Without a scheme, the text is a host with an optional user, as in
// the variable of a proxy.
func (r *Redactor) AddURL(values ...string) {
	if r == nil {
		return
	}
	for _, value := range values {
		r.addUserinfo(userinfo(value))
		_, rest, _ := strings.Cut(value, "?")
		query, fragment, ok := strings.Cut(rest, "#")
		if rest == "" {
			_, fragment, ok = strings.Cut(value, "#")
		}
		r.addQuery(query)
		if ok {
			r.addQuery(fragment)
		}
	}
	r.compile()
}

// userinfo returns the user and password of a URL, encoded as they are there.
func userinfo(value string) string {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		rest = value
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest[:max(0, strings.LastIndexByte(rest, '@'))]
}

func (r *Redactor) addUserinfo(info string) {
	if info == "" {
		return
	}
	for _, form := range decodings(info) {
		switch {
		case len(form) < minLength:
			r.add("://"+form+"@", false)
		case strings.Contains(strings.Trim(form, ":"), ":"):
			r.add(form, false)
		}
		r.addEncoded(form)
	}
	user, password, _ := strings.Cut(info, ":")
	if password == "" || isPlaceholder(password) { // the user is a token
		if !isPlaceholder(user) {
			r.Add(user)
		}
		r.addEncoded(user + ":")
		return
	}
	r.Add(password)
	r.addUser(user)
}

// addUser adds a user that has a password. It is replaced as a word, unless it hides
// nothing: a name that manuals tell to use, or one that occurs in the paths of this machine.
func (r *Redactor) addUser(user string) {
	for _, form := range decodings(user) {
		if len(form) >= minLength && !isPlaceholder(form) && !r.isLocal(form) {
			r.add(form, true)
			r.addEncoded(form)
		}
	}
}

func (r *Redactor) addQuery(query string) {
	if strings.Contains(query, "=") && len(query) >= 2*minLength {
		r.add(query, false)
	}
	for pair := range strings.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			value = name
		case len(value) < minLength && value != "":
			r.add(pair, false)
		}
		if !isPlaceholder(value) {
			r.Add(value)
		}
	}
}

// isPlaceholder reports whether a user or a value is one that manuals of package indexes
// publish, and so hides nothing.
func isPlaceholder(value string) bool {
	switch strings.ToLower(value) {
	case "__token__", "token", "user", "username", "admin", "root", "anonymous", "build", "git", "oauth2", "oauth2accesstoken",
		"x-access-token", "x-oauth-basic", "gitlab-ci-token", "_json_key", "_json_key_base64", "true", "false", "none", "null", "json", "html", "simple":
		return true
	}
	return false
}

// decodings returns a text and what it is percent-decoded, as a path and as a query.
func decodings(text string) []string {
	forms := []string{text}
	if path, err := url.PathUnescape(text); err == nil {
		forms = append(forms, path)
	}
	if query, err := url.QueryUnescape(text); err == nil {
		forms = append(forms, query)
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// addEncoded adds the base64 encodings of a secret, without padding.
func (r *Redactor) addEncoded(secret string) {
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		r.add(e.EncodeToString([]byte(secret)), false)
	}
}

// add adds one secret. The caller calls compile after the last.
func (r *Redactor) add(secret string, word bool) {
	secret = strings.Trim(secret, `\`) // the rest is found, whatever escapes surround it
	if len(secret) < minLength || strings.Trim(secret, "*") == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.secrets[secret]; !ok || old {
		r.secrets[secret] = word
	}
}

func (r *Redactor) isLocal(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.local[name]
}

// compile replaces the table by one of all added secrets.
func (r *Redactor) compile() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.table.Load(); len(r.secrets) == 0 || old != nil && old.count == len(r.secrets) {
		return
	}
	r.table.Store(newTable(r.secrets))
}

// String returns a text without secrets.
func (r *Redactor) String(text string) string {
	if r == nil {
		return text
	}
	t := r.table.Load()
	if t == nil {
		return text
	}
	out, _ := t.replace(nil, []byte(text), 0, true, false)
	if len(out) == len(text) && string(out) == text {
		return text
	}
	return string(out)
}

// JSON returns the text of a JSON value without secrets. It remains valid, and has the same
// keys.
func (r *Redactor) JSON(text []byte) []byte {
	if r == nil {
		return text
	}
	t := r.table.Load()
	if t == nil {
		return text
	}
	out, _ := t.replace(make([]byte, 0, len(text)), text, 0, true, true)
	return out
}

// Strings returns the texts without secrets.
func (r *Redactor) Strings(texts []string) []string {
	out := slices.Clone(texts)
	for i, text := range out {
		out[i] = r.String(text)
	}
	return out
}
