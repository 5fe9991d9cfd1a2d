package redact

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// minToken is the length in bytes from which a variable of another program is a secret:
// programs that are told no token are often told a word such as "test".
const minToken = 8

// AddEnviron adds the secrets of an environment, a list of KEY=value: those of the URLs of
// package indexes and proxies, users and passwords of other URLs, and variables whose names
// end as those of tokens do.
func (r *Redactor) AddEnviron(environ []string) {
	r.addLocal(environ)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		if value == "" || value[0] == '/' {
			continue
		}
		ours := hasAnyPrefix(name, "RECONCILE_", "PIP_", "UV_", "CONDA_", "MAMBA_", "HF_", "HUGGING") || strings.HasSuffix(name, "_PROXY")
		switch {
		case isTokenName(name):
			if ours || len(value) >= minToken {
				r.Add(value)
			}
		case ours && strings.HasSuffix(name, "_USERNAME"):
			r.addUser(value)
		case strings.Contains(value, "://") || strings.HasSuffix(name, "_PROXY") && strings.Contains(value, "@"):
			for word := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' || c == '\n' }) {
				if ours {
					r.AddURL(word)
				} else if strings.Contains(word, "://") {
					r.addUserinfo(userinfo(word))
				}
			}
		}
	}
	r.compile()
}

// AddArguments adds the users and passwords of URLs in a command line.
func (r *Redactor) AddArguments(args []string) {
	for _, arg := range args {
		if strings.Contains(arg, "://") {
			r.addUserinfo(userinfo(arg))
		}
	}
	r.compile()
}

func isTokenName(name string) bool {
	for _, end := range []string{"TOKEN", "PASSWORD", "PASSWD", "SECRET", "API_KEY", "ACCESS_KEY"} {
		if name == end || strings.HasSuffix(name, "_"+end) {
			return true
		}
	}
	return false
}

func hasAnyPrefix(name string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// addLocal adds the names in the paths of this machine.
func (r *Redactor) addLocal(environ []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "USER", "LOGNAME", "HOME", "PWD", "XDG_DATA_HOME", "RECONCILE_STORE":
			for part := range strings.SplitSeq(value, "/") {
				r.local[part] = true
			}
		}
	}
}

// AddFiles adds the secrets of the files from which started programs take credentials: the
// user's .netrc, and the token of the Hugging Face Hub. Files that cannot be read have none
// for those programs either.
func (r *Redactor) AddFiles(environ []string) {
	get := func(name string) string {
		for _, kv := range environ {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value
			}
		}
		return ""
	}
	home := get("HOME")
	for _, file := range []string{get("NETRC"), join(home, ".netrc")} {
		r.addNetrc(read(file))
	}
	for _, file := range []string{
		get("HF_TOKEN_PATH"), join(get("HF_HOME"), "token"), join(get("XDG_CACHE_HOME"), "huggingface/token"), join(home, ".cache/huggingface/token"),
	} {
		r.Add(read(file))
	}
}

func join(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// read returns the first 64 KiB of a regular file; "" if there is none.
func read(name string) string {
	f, err := rawfile.OpenFile(name, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return string(text)
}

// addNetrc adds the users and passwords of the text of a .netrc.
func (r *Redactor) addNetrc(text string) {
	key, user := "", ""
	for word := range strings.FieldsSeq(text) {
		switch key {
		case "login":
			user, key = strings.Trim(word, `"`), ""
			r.addUser(user)
		case "password", "account":
			password := strings.Trim(word, `"`)
			r.Add(password)
			r.addEncoded(user + ":" + password)
			key = ""
		default:
			key = word
		}
	}
	r.compile()
}
