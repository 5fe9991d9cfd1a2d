package wheels

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// realWheels have headers, data, scripts, entry points and compiled code.
var realWheels = []string{"greenlet==3.0.3", "wheel==0.43.0", "pip==24.0", "notebook==6.5.6", "pyyaml==6.0.1", "msgpack==1.0.8", "qtpy==2.4.1", "docutils==0.20.1", "debugpy==1.8.1"}

// findWheels returns the wheels in the folder WHEELS_BENCH, or downloads realWheels from
// the user's index.
func findWheels(t *testing.T, python string) []string {
	t.Helper()
	if os.Getenv("WHEELS_BENCH") != "" {
		return benchWheels(t)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{"-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--retries=0", "--timeout=10", "-d", dir}, realWheels...)
	if out, err := exec.CommandContext(ctx, python, args...).CombinedOutput(); err != nil {
		t.Skipf("pip download does not work here: %v\n%s", err, out)
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(list) != len(realWheels) {
		t.Fatalf("downloaded %v, %v", list, err)
	}
	return list
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), "UV_NO_CONFIG=1", "PYTHONDONTWRITEBYTECODE=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// TestSameFilesAsUV installs real wheels and compares the environment with that of uv.
func TestSameFilesAsUV(t *testing.T) {
	uv, err := exec.LookPath("uv")
	if err != nil {
		t.Skip("no uv: ", err)
	}
	found, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".pyenv/versions/3.10.*/bin/python3.10"))
	if len(found) == 0 {
		t.Skip("no Python 3.10")
	}
	archives := findWheels(t, found[0])
	t.Setenv("UV_CACHE_DIR", t.TempDir())
	theirs, ours := filepath.Join(t.TempDir(), "gen"), filepath.Join(t.TempDir(), "gen")
	for _, prefix := range []string{theirs, ours} {
		output(t, uv, "venv", "-q", "--python", found[0], prefix)
	}
	output(t, uv, append([]string{"pip", "install", "-q", "--no-deps", "--no-index", "--link-mode=copy", "--python", theirs + "/bin/python"}, archives...)...)
	entries := unpackAll(t, archives)
	r := assemble(t, ours, entries...)
	if len(r.Conflicts) > 0 {
		t.Errorf("conflicts %v", r.Conflicts)
	}

	want, got := installed(t, theirs), installed(t, ours)
	for name := range want {
		if name == ".lock" || isRequest(name) {
			delete(want, name)
		}
	}
	for name, w := range want {
		switch g, ok := got[name]; {
		case !ok:
			t.Errorf("%s is missing", name)
		case g.mode != w.mode:
			t.Errorf("%s has the mode %s, with uv %s", name, g.mode, w.mode)
		case g.text != w.text && !generated(name, w.text):
			t.Errorf("%s differs:\n%.300s\n%.300s", name, g.text, w.text)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("uv does not install %s", name)
		}
	}
	compareRecords(t, ours, theirs)

	var id []string
	for _, e := range entries {
		id = append(id, e.Name, e.Version)
	}
	checkRecords(t, ours, r, id...)
	for _, command := range []string{"pip --version", "pip3.10 --version", "wheel version", "rst2html.py --version", "docutils --version"} {
		name, args, _ := strings.Cut(command, " ")
		if _, ok := want["bin/"+name]; !ok {
			continue
		}
		a, b := output(t, filepath.Join(theirs, "bin", name), args), output(t, filepath.Join(ours, "bin", name), args)
		if strings.ReplaceAll(a, theirs, ours) != b || b == "" {
			t.Errorf("%s: %q, with uv %q", name, b, a)
		}
	}
}

// isRequest reports whether a file records the request of the user to uv.
func isRequest(name string) bool {
	dir, base := filepath.Split(strings.TrimPrefix(name, site))
	return strings.HasSuffix(dir, infoSuffix+"/") && strings.Count(dir, "/") == 1 &&
		slices.Contains([]string{"REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}, base)
}

// generated reports whether a file depends on the installer.
func generated(name, text string) bool {
	switch filepath.Base(name) {
	case "RECORD", "INSTALLER", "pyvenv.cfg", "CACHEDIR.TAG", ".lock":
		return true
	}
	return strings.HasPrefix(name, "bin/") && (strings.Contains(text, "sys.exit(") || strings.Contains(text, "VIRTUAL_ENV"))
}

// A file of an environment.
type installedFile struct {
	mode fs.FileMode
	text string // target of a link
}

func installed(t *testing.T, prefix string) map[string]installedFile {
	t.Helper()
	files := map[string]installedFile{}
	for name, text := range tree(t, prefix) {
		info, err := os.Lstat(filepath.Join(prefix, name))
		if err != nil {
			t.Fatal(err)
		}
		if head, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(name, "bin/") {
			text = strings.ReplaceAll(head, prefix, "PREFIX") + "\n" + rest
		}
		files[name] = installedFile{info.Mode(), text}
	}
	return files
}

// compareRecords compares the names in the RECORD files of two environments.
func compareRecords(t *testing.T, ours, theirs string) {
	t.Helper()
	list := func(prefix string) map[string]bool {
		paths := map[string]bool{}
		dists, err := filepath.Glob(filepath.Join(prefix, site, "*"+infoSuffix))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dists {
			record, err := os.ReadFile(filepath.Join(d, "RECORD"))
			if err != nil {
				t.Fatal(err)
			}
			for e, err := range pyenv.ParseRecord(record, strings.TrimSuffix(site, "/")) {
				if err != nil {
					t.Fatal(err)
				}
				if !isRequest(e.Path) {
					paths[e.Path] = true
				}
			}
		}
		return paths
	}
	a, b := slices.Sorted(maps.Keys(list(ours))), slices.Sorted(maps.Keys(list(theirs)))
	if !slices.Equal(a, b) {
		for _, name := range a {
			if !slices.Contains(b, name) {
				t.Errorf("RECORD of uv has no %s", name)
			}
		}
		for _, name := range b {
			if !slices.Contains(a, name) {
				t.Errorf("RECORD has no %s", name)
			}
		}
	}
}
