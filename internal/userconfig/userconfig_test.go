package userconfig

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// secret must not appear in a problem.
const secret = "s3cr3t-token"

func noVariables(string) string { return "" }

// write writes a config.yaml below a new home directory and returns the home directory, with
// links resolved, and the file.
func write(t *testing.T, text string) (home, file string) {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file = File(home, noVariables)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return home, file
}

func TestLoad(t *testing.T) {
	home, file := write(t, `# mine
store: ~/big/reconcile/
safe_directories:
  - /data/shared/lora
  - ~/friends/*
  - "*"
index_url: https://user:`+secret+`@mirror.example/simple
cert: certs/ca.pem
find_links: [wheels, ~/wheels, /opt/w, "https://w.example/w.html"]
proxy: proxy.example:3128
`)
	got, err := Load(home, noVariables)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	at := func(line, col int) diag.Pos { return diag.Pos{File: file, Line: line, Col: col} }
	want := &Config{
		Store:           home + "/big/reconcile",
		SafeDirectories: []string{"/data/shared/lora", home + "/friends/*", "*"},
		Index: []Setting{
			{"index_url", []string{"https://user:" + secret + "@mirror.example/simple"}, at(7, 12)},
			{"cert", []string{dir + "/certs/ca.pem"}, at(8, 7)},
			{"find_links", []string{dir + "/wheels", home + "/wheels", "/opt/w", "https://w.example/w.html"}, at(9, 13)},
			{"proxy", []string{"proxy.example:3128"}, at(10, 8)},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestFileIsFoundByXDG(t *testing.T) {
	xdg := func(dir string) func(string) string {
		return func(name string) string { return map[string]string{"XDG_CONFIG_HOME": dir}[name] }
	}
	for _, tt := range []struct{ home, xdg, want string }{
		{"/home/me", "", "/home/me/.config/reconcile/config.yaml"},
		{"/home/me", "/etc/me", "/etc/me/reconcile/config.yaml"},
		{"/home/me", "relative", "/home/me/.config/reconcile/config.yaml"},
		{"", "/etc/me", "/etc/me/reconcile/config.yaml"},
		{"", "", ""},
	} {
		if got := File(tt.home, xdg(tt.xdg)); got != tt.want {
			t.Errorf("home %q, XDG_CONFIG_HOME %q: %q, want %q", tt.home, tt.xdg, got, tt.want)
		}
	}
}

func TestAbsentAndEmptyFilesSetNothing(t *testing.T) {
	for _, home := range []string{"", t.TempDir()} {
		if c, err := Load(home, noVariables); err != nil || !reflect.DeepEqual(c, &Config{}) {
			t.Errorf("home %q: %+v, %v", home, c, err)
		}
	}
	for _, text := range []string{"", "# only a comment\n", "---\n", "\xef\xbb\xbf"} {
		home, _ := write(t, text)
		if c, err := Load(home, noVariables); err != nil || !reflect.DeepEqual(c, &Config{}) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func TestMistakesAreRefusedWithTheirPosition(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "store: /s\nindex-url: https://u:" + secret + "@x.example\n", ":2:1: unknown key \"index-url\"\n  hint: did you mean index_url?"},
		{"nothing near", "colour: x\n", ":1:1: unknown key \"colour\"\n  hint: the keys are cert, conda_alias, find_links, index_url, indexes, osv_url, proxy, safe_directories, store"},
		{"twice", "cert: a\ncert: " + secret + "\n", ":2:1: cert is set twice"},
		{"list for a string", "proxy: [" + secret + "]\n", ":1:8: proxy is not a string"},
		{"number", "cert: 7\n", ":1:7: cert is not a string"},
		{"no value", "cert:\n", ":1:6: cert is not a string"},
		{"empty text", "cert: ''\n", ":1:7: cert is empty"},
		{"string for a list", "safe_directories: /a\n", ":1:19: safe_directories is not a list\n  hint: write safe_directories: [DIR]"},
		{"number in a list", "safe_directories: [/a, 7]\n", ":1:24: safe_directories is not a list of strings"},
		{"same entry twice", "safe_directories: [/a, /a]\n", ":1:24: safe_directories has the same entry twice"},
		{"relative entry", "safe_directories: [a]\n", ":1:20: safe_directories is not an absolute path\n  hint: write a path that begins with / or ~/"},
		{"relative store", "store: a\n", ":1:8: store is not an absolute path"},
		{"two lines", "index_url: \"https://x.example/\\n" + secret + "\"\n", ":1:12: index_url contains a control character"},
		{"alias", "cert: &a x\nproxy: *a\n", ":1:7: cert is not a string"},
		{"merge", "<<: {cert: a}\n", ":1:1: unknown key \"<<\""},
		{"no mapping", "- " + secret + "\n", ":1:1: it is not a mapping"},
		{"two documents", "cert: a\n---\ncert: b\n", ":2:1: it has more than one document"},
		{"no YAML", "cert: \"" + secret + "\n", ":1: it is not valid YAML"},
		{"all mistakes", "a: 1\nproxy: []\n", ":2:8: proxy is not a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home, file := write(t, tt.text)
			_, err := Load(home, noVariables)
			if err == nil {
				t.Fatal("accepted")
			}
			text := err.Error()
			if tt.name == "no YAML" { // the line is that of the library
				text = strings.Replace(text, ":2:1:", ":1:", 1)
			}
			if !strings.Contains(text, file+tt.want) || strings.Contains(text, secret) {
				t.Errorf("got\n%s\nwant\n%s%s", text, file, tt.want)
			}
			for _, p := range diag.Problems(err) {
				if p.Code != "config.invalid" {
					t.Errorf("code %s", p.Code)
				}
			}
		})
	}
}

func TestFilesThatOthersMayChangeAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name      string
		file, dir os.FileMode
		want      string
	}{
		{"group may write", 0o660, 0o700, "chmod go-w FILE`"},
		{"all may write", 0o646, 0o700, "chmod go-w FILE`"},
		{"all may replace it", 0o600, 0o777, "chmod go-w DIR`"},
		{"both", 0o666, 0o775, "chmod go-w DIR FILE`"},
		{"all may read", 0o644, 0o755, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home, file := write(t, "cert: /a\n")
			if err := errorsOf(os.Chmod(file, tt.file), os.Chmod(filepath.Dir(file), tt.dir)); err != nil {
				t.Fatal(err)
			}
			_, err := Load(home, noVariables)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			want := strings.NewReplacer("FILE", file, "DIR", filepath.Dir(file)).Replace(tt.want)
			if err == nil || diag.Problems(err)[0].Code != "config.owner" || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestFilesOfAnotherUserAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	for _, name := range []string{"", ".."} {
		home, file := write(t, "cert: /a\n")
		if err := os.Chown(filepath.Clean(filepath.Join(file, name)), 12345, 12345); err != nil {
			t.Fatal(err)
		}
		_, err := Load(home, noVariables)
		if err == nil || diag.Problems(err)[0].Code != "config.owner" || !strings.Contains(err.Error(), "it belongs to user 12345, and this is user root") {
			t.Errorf("%s: %v", filepath.Join(file, name), err)
		}
	}
}

func TestOnlySmallRegularFilesAreRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(file string) error
		want string
	}{
		{"pipe", func(file string) error { return unix.Mkfifo(file, 0o600) }, "it is not a regular file"},
		{"folder", func(file string) error { return os.Mkdir(file, 0o700) }, "it is not a regular file"},
		{"device", func(file string) error { return os.Symlink("/dev/zero", file) }, "it is not a regular file"},
		{"large", func(file string) error { return os.WriteFile(file, make([]byte, 64<<10+1), 0o600) }, "it has more than 65536 bytes"},
		{"loop", func(file string) error { return os.Symlink(file, file) }, "too many levels of symbolic links"},
	} {
		home, file := write(t, "")
		if err := errorsOf(os.Remove(file), tt.make(file)); err != nil {
			t.Fatal(err)
		}
		_, err := Load(home, noVariables)
		if err == nil || diag.Problems(err)[0].Code != "config.unreadable" || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestALinkToAFileOfThisUserIsRead(t *testing.T) {
	home, file := write(t, "cert: a\n")
	target := filepath.Join(home, "dotfiles.yaml")
	if err := errorsOf(os.Rename(file, target), os.Symlink(target, file)); err != nil {
		t.Fatal(err)
	}
	c, err := Load(home, noVariables)
	if err != nil || c.Index[0].Values[0] != filepath.Dir(file)+"/a" {
		t.Errorf("%+v, %v", c, err)
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCovers(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errorsOf(os.Mkdir(dir+"/real", 0o700), os.Symlink("real", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pattern, dir string
		want         bool
	}{
		{"*", "/a", true},
		{"/a/b", "/a/b", true},
		{"/a/b/", "/a/b", true},
		{"/a/b", "/a/b/c", false},
		{"/a/b", "/a", false},
		{"/a/*", "/a/b", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*", "/a", false},
		{"/a/*", "/ab", false},
		{"/*", "/a", true},
		{"/*", "/", false},
		{"/", "/", true},
		{"/", "/a", false},
		{"a", "/a", false},
		{".", "/a", false},
		{"", "/", false},
		{"/a*", "/ab", false},
		{dir + "/link", dir + "/real", true},
		{dir + "/link/*", dir + "/real/x", true},
	} {
		if got := Covers([]string{"/other", tt.pattern}, tt.dir); got != tt.want {
			t.Errorf("%q covers %s: %v", tt.pattern, tt.dir, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("index_url: https://x.example\nfind_links: [a, b]\nstore: ~/x\nsafe_directories: [/a/*]\n"))
	f.Add([]byte("cert: &a x\nproxy: *a\n"))
	f.Add([]byte("? [a]\n: b\n---\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("/etc/config.yaml", "/home/me", text)
		for _, p := range diag.Problems(err) {
			if p.Code != "config.invalid" || p.Pos.File != "/etc/config.yaml" || !p.Pos.IsValid() {
				t.Errorf("%q gives %+v", text, p)
			}
		}
		if err != nil {
			return
		}
		if c.Store != "" && !filepath.IsAbs(c.Store) {
			t.Errorf("%q gives store %q", text, c.Store)
		}
		for _, s := range c.Index {
			if len(s.Values) == 0 || s.Values[0] == "" || !s.Pos.IsValid() {
				t.Errorf("%q gives %+v", text, s)
			}
		}
	})
}

func TestDanglingLinkIsAnError(t *testing.T) {
	for _, link := range []string{".config/reconcile/config.yaml", ".config/reconcile", ".config"} {
		home := t.TempDir()
		at := filepath.Join(home, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.Symlink("nowhere", at)); err != nil {
			t.Fatal(err)
		}
		_, err := Load(home, noVariables)
		if p, ok := errors.AsType[*diag.Problem](err); !ok || p.Code != "config.unreadable" || p.Found != at+" is a link to a path that does not exist" {
			t.Errorf("%s: %v", link, err)
		}
	}
}
