package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// credentials are the parts of all credentials of a site, by their name.
var credentials = map[string]string{
	"user": "robot.canary", "password": "s3cret/c@nary+w0rd", "token": "t0ken/canary=1+2", "sig": "s1g%canary/&3",
	"conda password": "c0nda@canary", "conda key": "k3y/canary", "hub token": "hf_canary+123",
}

// credentialForms returns the encodings in which no credential must occur.
func credentialForms() map[string]bool {
	forms := map[string]bool{}
	for _, secret := range credentials {
		for _, s := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(url.QueryEscape(secret)), url.QueryEscape(url.QueryEscape(secret))} {
			quoted := must(json.Marshal(s))
			forms[s], forms[string(quoted[1:len(quoted)-1])] = true, true
		}
		forms[base64.RawStdEncoding.EncodeToString([]byte(secret))] = true
	}
	forms[base64.RawStdEncoding.EncodeToString([]byte(credentials["user"]+":"+credentials["password"]))] = true
	return forms
}

// echo is a text with every credential in several encodings, as a hostile server sends it.
func echo() string {
	return strings.Join(slices.Sorted(maps.Keys(credentialForms())), " ")
}

// echoStatus answers with the credentials in the status line, in headers and in the body.
func echoStatus(code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		c, b, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		body := "<html>" + echo() + "</html>"
		fmt.Fprintf(b, "HTTP/1.1 %d error for %s\r\nX-Echo: %[2]s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", code, echo(), len(body), body)
		_ = b.Flush()
		return true
	}
}

// echoRedirect redirects to an address that has the credentials, which then fails.
func echoRedirect(w http.ResponseWriter, r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/moved/") {
		return echoStatus(http.StatusNotFound)(w, r)
	}
	secret := url.PathEscape(credentials["password"])
	http.Redirect(w, r, "http://"+r.Host+"/moved/"+secret+"/?token="+url.QueryEscape(credentials["token"])+"&sig="+url.QueryEscape(credentials["sig"]), http.StatusFound)
	return true
}

// echoPage answers with a page that is no index, and has the credentials.
func echoPage(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html><a href=\""+url.QueryEscape(credentials["token"])+"\">"+echo()+"</a></html>")
	return true
}

// TestCredentialsAreNeitherPrintedNorWritten runs the commands while the package index repeats
// every credential, and then searches all output and all files for them.
func TestCredentialsAreNeitherPrintedNorWritten(t *testing.T) {
	faults := map[string]func(http.ResponseWriter, *http.Request) bool{
		"status 500": echoStatus(500), "status 403": echoStatus(403), "redirect": echoRedirect, "page": echoPage, "none": nil,
	}
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "alpha", version: "2.0"})
	host := strings.TrimPrefix(x.URL, "http://")
	login := "http://" + credentials["user"] + ":" + url.QueryEscape(credentials["password"]) + "@" + host
	plain := newSite(t, login+"/simple")
	s := plain.with(
		"RECONCILE_INDEX_URL="+login+"/simple?token="+url.QueryEscape(credentials["token"]),
		"RECONCILE_FIND_LINKS="+x.URL+"/links?sig="+url.QueryEscape(credentials["sig"]),
		"RECONCILE_CONDA_ALIAS=http://robot:"+url.QueryEscape(credentials["conda password"])+"@"+host+"/conda?key="+url.QueryEscape(credentials["conda key"]),
		"HF_TOKEN="+credentials["hub token"],
	)
	pinVersion := func(version string) {
		s.write("manifest.yaml", environmentManifest("alpha=="+version))
	}
	pinVersion("1.0")
	plain.want(0, "lock", "--env", "local")
	plain.want(0, "apply", "-y", "--env", "local")
	pinVersion("2.0")
	plain.want(0, "lock", "--env", "local")
	for name, fault := range faults {
		x.setFault(fault)
		check(t, os.RemoveAll(s.store("cache")))
		commands := []string{"doctor", "doctor --json", "apply -y -v", "apply -y --json", "lock -v --upgrade", "lock --json --upgrade"}
		switch name {
		case "status 500":
			commands = commands[:3] // installers try again after seconds
		case "status 403":
			commands = append(commands, "plan -v", "plan --json", "facts --all", "status --json", "runs --json", "runs show last")
		}
		for _, words := range commands {
			args := strings.Fields(words)
			if args[0] != "facts" && args[0] != "runs" {
				args = append(args, "--env", "local")
			}
			r := s.run(args...)
			checkNoCredential(t, fmt.Sprintf("%s, %s: standard output", name, words), r.out)
			checkNoCredential(t, fmt.Sprintf("%s, %s: standard error", name, words), r.err)
			if slices.Contains(args, "--json") || args[0] == "facts" {
				for d := json.NewDecoder(strings.NewReader(r.out)); ; {
					var v any
					if err := d.Decode(&v); err == io.EOF {
						break
					} else if err != nil {
						t.Fatalf("%s, %s: %v: %s", name, words, err, r)
					}
				}
			}
		}
	}
	check(t, filepath.WalkDir(filepath.Dir(s.root), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		checkNoCredential(t, path, string(text))
		return err
	}))
}

func checkNoCredential(t *testing.T, where, text string) {
	t.Helper()
	for form := range credentialForms() {
		if i := strings.Index(text, form); i >= 0 {
			t.Errorf("%s has %q: %q", where, form, text[max(0, i-200):min(len(text), i+200)])
		}
	}
}

// TestPanicPrintsNoSecret checks the only output that is not written by a command.
func TestPanicPrintsNoSecret(t *testing.T) {
	var out, stderr bytes.Buffer
	a := newApp(nil, Streams{Out: &out, Err: &stderr}, []string{"HF_TOKEN=" + credentials["hub token"]})
	var code int
	func() {
		defer a.flush()
		defer a.reportPanic(&code)
		panic("the token is " + credentials["hub token"])
	}()
	if text := stderr.String(); code != 1 || !strings.HasPrefix(text, "panic: the token is ***\n") || !strings.Contains(text, "TestPanicPrintsNoSecret") {
		t.Errorf("exit code %d: %s", code, text)
	}
}
