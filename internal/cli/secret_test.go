package cli

import (
	"encoding/base64"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// password holds characters that a URL escapes, so that it can be searched for as
// it is and as it is written in a URL.
const password = "s3cret/canary+w0rd"

// guarded lets nobody in without the user and the password.
func guardedBy(user, password string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, ok := r.BasicAuth(); ok && u == user && p == password {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return true
	}
}

// spelled lists what the password must not be found as.
func spelled() []string {
	return []string{
		password, url.QueryEscape(password), url.PathEscape(password), "canary",
		base64.StdEncoding.EncodeToString([]byte("robot:" + password)),
		base64.StdEncoding.EncodeToString([]byte(password)),
	}
}

// TestSecretsStay goes through the commands with a password in the URL of the
// index, when all goes well and when the index fails. It is printed nowhere and
// written nowhere.
func TestSecretsStay(t *testing.T) {
	for _, installer := range []string{"uv", "pip"} {
		t.Run(installer, func(t *testing.T) {
			t.Parallel()
			x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "alpha", version: "2.0"})
			x.breakBy(guardedBy("robot", password))
			address := strings.Replace(x.simple(), "://", "://robot:"+url.QueryEscape(password)+"@", 1)
			s := newSite(t, address)
			ask := func(version string) {
				s.write("manifest.yaml", environmentManifest(installer, "alpha=="+version))
			}
			said := func(e end) {
				t.Helper()
				for _, form := range spelled() {
					if strings.Contains(e.out+e.err, form) {
						t.Errorf("the password is printed as %q: %s", form, e)
					}
				}
			}
			ask("9.9")
			said(s.want(1, "lock", "--env", "local", "-v"))
			ask("1.0")
			said(s.want(0, "lock", "--env", "local", "-v"))
			said(s.want(0, "plan", "--env", "local", "--json"))
			said(s.want(0, "apply", "-y", "--env", "local", "-v"))
			said(s.want(0, "facts", "--all"))
			said(s.want(0, "status", "--env", "local", "--json"))
			ask("2.0")
			said(s.want(0, "lock", "--env", "local"))
			x.breakBy(func(w http.ResponseWriter, r *http.Request) bool {
				http.Error(w, "you may not have "+r.Header.Get("Authorization")+" "+password, http.StatusForbidden)
				return true
			})
			check(t, os.RemoveAll(s.path(".reconcile/cache")))
			said(s.want(4, "apply", "-y", "--env", "local", "-v"))
			said(s.want(4, "apply", "-y", "--env", "local", "--json"))
			said(s.want(1, "lock", "--env", "local", "-v", "--upgrade"))
			x.breakBy(guardedBy("robot", password))
			said(s.want(0, "apply", "-y", "--env", "local", "--json", "-v"))
			s.keepsQuiet()
		})
	}
}

// keepsQuiet fails the test where a file of the project holds the password.
func (s *site) keepsQuiet() {
	s.t.Helper()
	check(s.t, filepath.WalkDir(filepath.Dir(s.root), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, form := range spelled() {
			if strings.Contains(string(text), form) {
				s.t.Errorf("%s holds the password as %q", path, form)
			}
		}
		return err
	}))
}
