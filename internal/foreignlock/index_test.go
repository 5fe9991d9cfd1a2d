package foreignlock

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An index is a package index (PEP 503) with empty packages.
type index struct {
	*httptest.Server
	files map[string][]byte // by file name
}

func newIndex(t *testing.T) *index {
	x := &index{files: map[string][]byte{}}
	x.Server = httptest.NewServer(x)
	t.Cleanup(x.Close)
	return x
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(x.files[name]))
		return
	}
	name := strings.ReplaceAll(strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/"), "-", "_")
	w.Header().Set("Content-Type", "text/html")
	found := false
	for file, data := range x.files {
		if strings.HasPrefix(file, name+"-") {
			found = true
			fmt.Fprintf(w, "<a href=\"/files/%s#sha256=%x\">%s</a>\n", file, sha256.Sum256(data), file)
		}
	}
	if !found {
		w.WriteHeader(http.StatusNotFound)
	}
}

func metadata(name, version string, fields []string) string {
	return fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s\n", name, version, strings.Join(append(fields, ""), "\n"))
}

// wheel adds a wheel with a tag, such as "py3-none-any". fields are lines of its metadata.
func (x *index) wheel(t *testing.T, name, version, tag string, fields ...string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	info := strings.ReplaceAll(name, "-", "_") + "-" + version
	for file, text := range map[string]string{
		"METADATA": metadata(name, version, fields), "RECORD": "",
		"WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + tag + "\n",
	} {
		w, err := z.Create(info + ".dist-info/" + file)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	x.files[info+"-"+tag+".whl"] = b.Bytes()
}

// sdist adds a source archive with static metadata.
func (x *index) sdist(t *testing.T, name, version string) {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	a := tar.NewWriter(g)
	stem := strings.ReplaceAll(name, "-", "_") + "-" + version
	for file, text := range map[string]string{
		"PKG-INFO":       strings.Replace(metadata(name, version, nil), "2.1", "2.2", 1),
		"pyproject.toml": fmt.Sprintf("[project]\nname = %q\nversion = %q\n", name, version),
	} {
		if err := a.WriteHeader(&tar.Header{Name: stem + "/" + file, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	x.files[stem+".tar.gz"] = b.Bytes()
}

// A tools is a directory of a project with real programs.
type tools struct {
	dir    string
	uv     string
	python string // release of the interpreter
	exe    string // its path
}

// newTools skips the test if uv or Python is missing.
func newTools(t *testing.T) *tools {
	t.Helper()
	uv, err := exec.LookPath("uv")
	if err != nil {
		t.Skip("uv is not on PATH")
	}
	out, err := exec.Command("python3", "-c", "import platform, sys; print(platform.python_version(), sys.executable)").Output()
	if err != nil {
		t.Skipf("python3 does not start: %v", err)
	}
	python, exe, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return &tools{dir: t.TempDir(), uv: uv, python: python, exe: exe}
}

// write writes a file of the project.
func (p *tools) write(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs uv in the project, and returns its output.
func (p *tools) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(p.uv, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(p.dir, "home"), "UV_CACHE_DIR=" + filepath.Join(p.dir, "cache"),
		"UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1", "UV_PYTHON=" + p.exe,
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// lock runs `uv lock`.
func (p *tools) lock(t *testing.T) {
	t.Helper()
	if out, err := p.run(t, "lock"); err != nil {
		t.Fatalf("uv lock: %v\n%s", err, out)
	}
}

// sync returns the packages that `uv sync` would install, or false if it refuses.
func (p *tools) sync(t *testing.T, platform string, extras, groups []string) ([]string, bool) {
	t.Helper()
	systems := map[string]string{"linux-x86_64": "x86_64-manylinux_2_28", "linux-aarch64": "aarch64-manylinux_2_28", "macos-arm64": "aarch64-apple-darwin", "macos-x86_64": "x86_64-apple-darwin"}
	args := []string{"sync", "--frozen", "--dry-run", "--no-default-groups", "--no-install-project", "--python-platform", systems[platform]}
	for _, e := range extras {
		args = append(args, "--extra", e)
	}
	for _, g := range groups {
		args = append(args, "--group", g)
	}
	out, err := p.run(t, args...)
	if err != nil {
		return []string{out}, false
	}
	return installs(out), true
}

// installs returns the packages in the output of uv.
func installs(out string) []string {
	var list []string
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "+ "); ok {
			name, _, _ = strings.Cut(name, " (from")
			name, _, _ = strings.Cut(name, " @ ")
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// read reads the lock of the project for a platform.
func (p *tools) read(t *testing.T, s Selection) ([]string, error) {
	t.Helper()
	project, err := os.ReadFile(filepath.Join(p.dir, "pyproject.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.Project, s.Python = project, p.python
	l, err := Read(os.DirFS(p.dir), "uv.lock", s)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, d := range l.Packages {
		name := d.Name + "==" + d.Version
		if d.Build != nil && (d.Build.File == "" || d.Build.URL != "") {
			name = d.Name // uv prints the location
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}

// agree checks that `uv sync` and Read install the same.
func (p *tools) agree(t *testing.T, platform string, extras, groups []string) {
	t.Helper()
	want, ok := p.sync(t, platform, extras, groups)
	got, err := p.read(t, Selection{Extras: extras, Groups: groups, Platforms: []string{platform}, Build: func(string) bool { return true }})
	if ok != (err == nil) || ok && !slices.Equal(got, want) {
		t.Errorf("%s, extras %v, groups %v: got %v, %v\nuv has %v", platform, extras, groups, got, err, want)
	}
}
