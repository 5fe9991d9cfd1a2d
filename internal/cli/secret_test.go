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

// password has characters that are escaped in a URL, so that both forms are searched for.
const password = "s3cret/canary+w0rd"

// requirePassword returns a fault that refuses requests without the user and the password.
func requirePassword(user, password string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, ok := r.BasicAuth(); ok && u == user && p == password {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return true
	}
}

// passwordForms returns the password in the encodings in which it must not occur.
func passwordForms() []string {
	return []string{
		password, url.QueryEscape(password), url.PathEscape(password), "canary",
		base64.StdEncoding.EncodeToString([]byte("robot:" + password)),
		base64.StdEncoding.EncodeToString([]byte(password)),
	}
}

// TestPasswordIsNeitherPrintedNorWritten runs the commands with a password in the URL of the
// index, with and without a fault of the index, and checks that it is in no output and no file.
func TestPasswordIsNeitherPrintedNorWritten(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "alpha", version: "2.0"})
	x.setFault(requirePassword("robot", password))
	address := strings.Replace(x.indexURL(), "://", "://robot:"+url.QueryEscape(password)+"@", 1)
	s := newSite(t, address)
	pinVersion := func(version string) {
		s.write("manifest.yaml", environmentManifest("alpha=="+version))
	}
	checkOutput := func(e runResult) {
		t.Helper()
		for _, form := range passwordForms() {
			if strings.Contains(e.out+e.err, form) {
				t.Errorf("the password is printed as %q: %s", form, e)
			}
		}
	}
	pinVersion("9.9")
	checkOutput(s.want(1, "lock", "--env", "local", "-v"))
	pinVersion("1.0")
	checkOutput(s.want(0, "lock", "--env", "local", "-v"))
	checkOutput(s.want(0, "plan", "--env", "local", "--json"))
	checkOutput(s.want(0, "apply", "-y", "--env", "local", "-v"))
	checkOutput(s.want(0, "facts", "--all"))
	checkOutput(s.want(0, "status", "--env", "local", "--json"))
	pinVersion("2.0")
	checkOutput(s.want(0, "lock", "--env", "local"))
	x.setFault(func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "you may not have "+r.Header.Get("Authorization")+" "+password, http.StatusForbidden)
		return true
	})
	check(t, os.RemoveAll(s.store("cache")))
	checkOutput(s.want(4, "apply", "-y", "--env", "local", "-v"))
	checkOutput(s.want(4, "apply", "-y", "--env", "local", "--json"))
	checkOutput(s.want(1, "lock", "--env", "local", "-v", "--upgrade"))
	x.setFault(requirePassword("robot", password))
	checkOutput(s.want(0, "apply", "-y", "--env", "local", "--json", "-v"))
	s.checkNoPassword()
}

// checkNoPassword checks that no file of the site contains the password.
func (s *site) checkNoPassword() {
	s.t.Helper()
	check(s.t, filepath.WalkDir(filepath.Dir(s.root), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, form := range passwordForms() {
			if strings.Contains(string(text), form) {
				s.t.Errorf("%s contains the password as %q", path, form)
			}
		}
		return err
	}))
}
