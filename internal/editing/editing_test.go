package editing

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

// manifestWith returns a manifest with one environment, with these further keys.
func manifestWith(keys string) string {
	return "version: 1\nproject: p\nenvironments:\n  local:\n    type: venv\n    python: \"3.10\"\n    path: .venv\n    lock: pylock.local.toml\n    platforms: [linux-x86_64, macos-arm64]\n" + keys
}

// open writes a manifest into a new project and opens its environment.
func open(t rapid.TB, dir, text string) *Environment {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, session.DefaultManifest), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	checkout, err := session.Load(&session.Config{Dir: dir})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	e, err := Open(&session.Project{Checkout: checkout})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func read(t rapid.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, session.DefaultManifest))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func code(err error) string {
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		return p.Code
	}
	return fmt.Sprint(err)
}

// lockOf returns a lock with packages "NAME VERSION" or "NAME VERSION PLATFORM", and requests.
func lockOf(requests []string, packages ...string) *lock.Lock {
	l := &lock.Lock{Platforms: []string{"linux-x86_64", "macos-arm64"}, Requests: requests}
	for _, text := range packages {
		words := strings.Fields(text)
		p := lock.Package{Name: words[0], Version: words[1]}
		if len(words) > 2 {
			p.Platforms = words[2:]
		}
		l.Packages = append(l.Packages, p)
	}
	return l
}

func TestVersionsOfTheLock(t *testing.T) {
	for name, c := range map[string]struct {
		exact   bool
		add     string
		locked  []string
		want    string // in the manifest
		request string // in the lock
		code    string
	}{
		"a lower bound":                      {false, "a", []string{"a 2.1"}, `- "a>=2.1"`, "a>=2.1", ""},
		"without the local version":          {false, "a", []string{"a 2.1+cu128"}, `- "a>=2.1"`, "a>=2.1", ""},
		"the lower one of two platforms":     {false, "a", []string{"a 2.10 linux-x86_64", "a 2.9 macos-arm64"}, `- "a>=2.9"`, "a>=2.9", ""},
		"a range stays":                      {false, "a[x]>=1,<3", []string{"a 2.1"}, `- "a[x]>=1,<3"`, "a[x]>=1,<3", ""},
		"an exact version":                   {true, "a<3", []string{"a 2.1+cu128"}, `- "a==2.1+cu128"`, "a==2.1+cu128", ""},
		"an exact version for all platforms": {true, "a", []string{"a 2.1+cu128 linux-x86_64", "a 2.1 macos-arm64"}, `- "a==2.1"`, "a==2.1", ""},
		"several exact versions":             {true, "a", []string{"a 2.1 linux-x86_64", "a 2.0 macos-arm64"}, "", "", "edit.version"},
		"no version":                         {false, "a ; sys_platform == 'win32'", []string{"b 1"}, "", "", "edit.version"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := manifestWith("    packages: []\n" + map[bool]string{true: "    exact: true\n"}[c.exact])
			d, err := open(t, dir, before).Add([]string{c.add}, AddOptions{})
			if err != nil {
				t.Fatal(err)
			}
			l := lockOf([]string{d.Env.Packages[0].Request()}, c.locked...)
			err = d.SettleAndWrite(l)
			after := read(t, dir)
			switch {
			case c.code != "":
				if code(err) != c.code || after != before {
					t.Errorf("got %v, and the manifest\n%s", err, after)
				}
			case err != nil:
				t.Error(err)
			case !strings.Contains(after, c.want+"\n") || !slices.Equal(l.Requests, []string{c.request}):
				t.Errorf("got requests %q and\n%s", l.Requests, after)
			}
		})
	}
}

// TestRemoveRestoresWhatAddChanged adds packages to manifests in several layouts, and removes
// them.
func TestRemoveRestoresWhatAddChanged(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		text := manifestWith(rapid.SampledFrom([]string{
			"    packages: [] # none\n",
			"    packages: [b, 'c>=1']\n    note: x\n",
			"    packages:\n      # first\n      - b # x\n\n      - {name: c, version: 1.0.0, why: \"é\"}\n    smoke_test: {imports: [b]}\n",
			"    packages:\n    - name: b\n      version: 1.0.0 # y\n    - name: c\n      version: \">=2\"\n    # end\n",
			"    packages: [\n      b, # x\n      c\n    ]",
		}).Draw(t, "manifest"))
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a==1.0", "Bb>=1,<2", "d", "e[x]~=1.0", "z ; sys_platform == 'linux'"}), 1, 3, rapid.ID[string]).Draw(t, "packages")
		why := rapid.SampledFrom([]string{"", "it's \"so\" # here"}).Draw(t, "why")
		if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, ";") }) {
			why = ""
		}
		d, err := open(t, dir, text).Add(names, AddOptions{Why: why})
		if err == nil {
			err = d.Unresolved()
		}
		if err == nil {
			err = d.SettleAndWrite(nil)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		added := read(t, dir)
		for _, comment := range []string{"# none", "# first", "# x", "# y", "# end"} {
			if strings.Count(added, comment) != strings.Count(text, comment) {
				t.Fatalf("%s is lost\n%s", comment, added)
			}
		}
		var bare []string
		for _, n := range names {
			bare = append(bare, n[:strings.IndexFunc(n+"=", func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') })])
		}
		e := open(t, dir, added)
		if d, err = e.Remove(bare); err == nil {
			err = d.SettleAndWrite(nil)
		}
		if err != nil || read(t, dir) != text {
			t.Fatalf("%v\n%s\nover\n%s\nbecame\n%s", err, text, added, read(t, dir))
		}
	})
}

func TestUpgradeMovesPinsUp(t *testing.T) {
	dir := t.TempDir()
	text := manifestWith("    packages:\n      - a == 1.0 # spaces\n      - {name: b, version: \"1.10\", why: \"c needs it\"}\n      - c>=1\n")
	e := open(t, dir, text)
	d, err := e.Upgrade(nil)
	if err != nil {
		t.Fatal(err)
	}
	var requests []string
	for _, r := range d.Env.Packages {
		requests = append(requests, r.Request())
	}
	if want := []string{"a>=1.0", "b>=1.10", "c>=1"}; !slices.Equal(requests, want) || !d.Everything {
		t.Errorf("resolves %q, want %q", requests, want)
	}
	l := lockOf(slices.Clone(requests), "a 1.0", "b 2.0", "c 3")
	if err := d.SettleAndWrite(l); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(text, `"1.10"`, `"2.0"`, 1)
	if got := read(t, dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if want := []string{"a==1.0", "b==2.0", "c>=1"}; !slices.Equal(l.Requests, want) {
		t.Errorf("the lock has the requests %q, want %q", l.Requests, want)
	}
	d.NoteReasons()
	if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "c needs it") {
		t.Errorf("notes %q", d.Notes)
	}
	if err := d.Restore(); err != nil || read(t, dir) != text {
		t.Errorf("not restored: %v\n%s", err, read(t, dir))
	}
}

func TestRequestsOfTheLockAreThoseOfTheManifest(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, manifestWith("    packages: [b]\n")+"indexes: [public, {name: mine, url: https://host.example/whl}]\n")
	d, err := e.Add([]string{"a"}, AddOptions{Index: "mine", Why: "fast", Build: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Env.Build) != 1 || d.Env.Build[0].Name != "a" {
		t.Errorf("resolves with the builds %v", d.Env.Build)
	}
	l := lockOf(d.Env.Requests(), "a 2.0", "b 1")
	if err := d.SettleAndWrite(l); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, read(t, dir))
	if !slices.Equal(l.Requests, again.Requests()) || len(again.Build) != 1 || again.Packages[1].Why != "fast" {
		t.Errorf("the lock has the requests %q, the manifest %q:\n%s", l.Requests, again.Requests(), read(t, dir))
	}
}

func TestAddChangesTheIndex(t *testing.T) {
	for name, c := range map[string]struct {
		packages, request, want string
		exact                   bool
	}{
		"of a range":              {"[b, \"torch>=2.9\"] # ours", "torch", `[b, {name: torch, version: ">=2.9", index: mine}] # ours`, false},
		"of a pin, with versions": {"\n      - b\n      - {name: torch, version: 2.9.1, why: \"because\"} # ours", "torch==2.14.*", "\n      - b\n      - {name: torch, version: 2.14.1+cu126, index: mine, why: \"because\"} # ours", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e := open(t, dir, manifestWith("    packages: "+c.packages+"\n")+"indexes: [public, {name: mine, url: https://host.example/whl}]\n")
			d, err := e.Add([]string{c.request}, AddOptions{Index: "mine", Exact: c.exact})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.SettleAndWrite(lockOf(d.Env.Requests(), "b 1", "torch 2.14.1+cu126")); err != nil {
				t.Fatal(err)
			}
			if got := read(t, dir); !strings.Contains(got, "    packages: "+c.want+"\n") || len(d.Changes) != 1 || d.Changes[0].Index != "mine" {
				t.Errorf("changes %+v of\n%s", d.Changes, got)
			}
		})
	}
}

func TestAChangedManifestIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	d, err := open(t, dir, manifestWith("    packages: [a]\n")).Remove([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	other := manifestWith("    packages: [a, b]\n")
	if err := os.WriteFile(filepath.Join(dir, session.DefaultManifest), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.SettleAndWrite(nil); code(err) != "edit.changed" || read(t, dir) != other {
		t.Errorf("got %v and\n%s", err, read(t, dir))
	}
}

func TestPackagesOfOtherFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "requirements.txt"), []byte("# ours\nnumpy>=1.26\nscipy==1.13.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := open(t, dir, manifestWith("    requirements: [requirements.txt]\n"))
	_, removed := e.Remove([]string{"NumPy"})
	_, added := e.Add([]string{"numpy<2"}, AddOptions{})
	_, upgraded := e.Upgrade([]string{"scipy"})
	for want, err := range map[string]error{"requirements.txt:2:1": removed, "numpy is requested": added, "requirements.txt:3:1": upgraded} {
		if code(err) != "edit.file" || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want edit.file with %q", err, want)
		}
	}
	d, err := e.Add([]string{"pandas"}, AddOptions{})
	if err == nil {
		err = d.Unresolved()
	}
	if err == nil {
		err = d.SettleAndWrite(nil)
	}
	if got := read(t, dir); err != nil || !strings.Contains(got, "    requirements: [requirements.txt]\n") || !strings.Contains(got, "    packages:\n      - \"pandas\"\n") {
		t.Errorf("got %v and\n%s", err, got)
	}
}

func TestLockOfAnotherTool(t *testing.T) {
	text := strings.Replace(manifestWith("    packages: []\n"), "pylock.local.toml", "uv.lock", 1)
	e := open(t, t.TempDir(), text)
	_, added := e.Add([]string{"numpy<2"}, AddOptions{})
	_, upgraded := e.Upgrade([]string{"numpy"})
	_, outdated := e.Outdated(t.Context(), nil)
	for want, err := range map[string]error{"`uv add 'numpy<2'`": added, "`uv lock --upgrade-package numpy`": upgraded, "`uv lock --upgrade`": outdated} {
		if code(err) != "edit.foreign" || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a hint with %s", err, want)
		}
	}
}

// TestRemovedModules finds the modules of a package in its unpacked wheel.
func TestRemovedModules(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	files := map[string]string{
		"bs4/__init__.py": "", "single.py": "", "soup-4.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: soup\nVersion: 4.0\n",
		"soup-4.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	record := "soup-4.0.dist-info/RECORD,,\n"
	for name, text := range files {
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	files["soup-4.0.dist-info/RECORD"] = record
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range files {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w := lock.Wheel{File: "soup-4.0-py3-none-any.whl", Size: int64(archive.Len()), SHA256: sha256.Sum256(archive.Bytes()), Platforms: []string{"linux-x86_64"}}
	file := filepath.Join(dir, w.File)
	if err := os.WriteFile(file, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(layout.Dists(store), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := wheels.Unpack(context.Background(), file, w, "soup", "4.0", layout.Dist(store, w.SHA256.String())); err != nil {
		t.Fatal(err)
	}
	e := open(t, dir, manifestWith("    packages: [soup, other]\n    smoke_test: {imports: [bs4.element, single, other, json]}\n"))
	e.locked = lockOf(nil, "soup 4.0", "other 1")
	e.locked.Packages[0].Wheels = []lock.Wheel{w}
	d, err := e.Remove([]string{"soup", "other"})
	if err != nil {
		t.Fatal(err)
	}
	d.NoteRemoved(lockOf(nil, "other 1"), store)
	notes := strings.Join(d.Notes, "\n")
	for _, want := range []string{"imports bs4.element, which soup", "imports single, which soup", "other stays locked"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note with %q: %s", want, notes)
		}
	}
	if strings.Contains(notes, "imports other") || strings.Contains(notes, "imports json") {
		t.Errorf("notes about imports that do not fail: %s", notes)
	}
}

func TestOutdated(t *testing.T) {
	pages := map[string]string{
		"a": `<a href="a-1.0-py3-none-any.whl"></a><a href="a-1.5-py3-none-any.whl"></a><a href="a-2.0-py3-none-any.whl"></a>
			<a href="a-2.1-py3-none-any.whl" data-yanked=""></a><a href="a-2.2-py3-none-any.whl" data-requires-python="&gt;=3.11"></a>
			<a href="a-2.3-cp310-cp310-manylinux_2_17_x86_64.whl"></a><a href="a-2.4rc1-py3-none-any.whl"></a><a href="a-2.5.tar.gz"></a>`,
		"b": `<a href="b-1.0.tar.gz"></a><a href="b-2.0.tar.gz"></a>`,
		"c": `<a href="c-1.0-py3-none-any.whl" data-yanked="bad"></a>`,
		"l": `<a href="l-1.0-cp310-cp310-manylinux_2_17_x86_64.whl"></a><a href="l-1.1-cp310-cp310-manylinux_2_17_x86_64.whl"></a>`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[strings.Trim(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><head><title>Links for x</title></head><body>%s</body></html>", page)
	}))
	defer server.Close()
	newSource := func() *simpleindex.Source {
		source, err := simpleindex.New(simpleindex.Settings{URL: server.URL + "/"})
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	e := open(t, t.TempDir(), manifestWith("    packages: ['a<2', b, c, l, none, 'm @ ./m-1.0-py3-none-any.whl']\n    build: [b]\n"))
	e.locked = lockOf(nil, "a 1.0", "b 1.0", "c 1.0", "l 1.0 linux-x86_64")
	rows, err := e.Outdated(t.Context(), newSource())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s locked %s allowed %s newest %s yanked %t outdated %t", r.Request, r.Locked, r.Allowed, r.Newest, r.Yanked, r.IsOutdated()))
	}
	want := []string{
		"a<2 locked 1.0 allowed 1.5 newest 2.0 yanked false outdated true",
		"b locked 1.0 allowed 2.0 newest 2.0 yanked false outdated true",
		"c locked 1.0 allowed  newest  yanked true outdated false",
		"l locked 1.0 allowed 1.1 newest 1.1 yanked false outdated true",
		"none locked  allowed  newest  yanked false outdated false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	server.Close()
	if _, err := e.Outdated(t.Context(), newSource()); code(err) != "apply.index" {
		t.Errorf("without a server: %v", err)
	}
}
