package lock_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// index is a package index for tests: the JSON form of PEP 691, with
// metadata that uv reads from the wheels by range requests.
type index struct {
	*httptest.Server
	files map[string][]byte
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
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")
	var entries []string
	for file, data := range x.files {
		if strings.HasPrefix(file, strings.ReplaceAll(name, "-", "_")+"-") {
			sum := sha256.Sum256(data)
			entries = append(entries, fmt.Sprintf(`{"filename": %q, "url": %q, "size": %d, "hashes": {"sha256": %q}}`, file, x.URL+"/files/"+file, len(data), hex.EncodeToString(sum[:])))
		}
	}
	if len(entries) == 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	fmt.Fprintf(w, `{"meta": {"api-version": "1.1"}, "name": %q, "files": [%s]}`, name, strings.Join(entries, ","))
}

// add adds a wheel to the index.
func (x *index) add(t *testing.T, file string, requires ...string) {
	t.Helper()
	w, err := lock.ParseWheel(file)
	if err != nil {
		t.Fatal(err)
	}
	metadata := "Metadata-Version: 2.1\nName: " + w.Name + "\nVersion: " + w.Version + "\n"
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	name := strings.ReplaceAll(w.Name, "-", "_")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for path, text := range map[string]string{
		name + "/__init__.py":                          strings.Repeat("#", 1000),
		name + "-" + w.Version + ".dist-info/METADATA": metadata,
		name + "-" + w.Version + ".dist-info/WHEEL":    "Wheel-Version: 1.0\n",
		name + "-" + w.Version + ".dist-info/RECORD":   "",
	} {
		f, err := z.Create(path)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	x.files[file] = b.Bytes()
}

func (x *index) request(t *testing.T, pins ...string) lock.Request {
	t.Helper()
	uv := lookPath("uv")
	if uv == "" {
		t.Skip("no uv on PATH")
	}
	r := lock.Request{
		Path: "locks/test.toml", Python: "3.10", Platforms: []string{"macos-arm64", "linux-x86_64"},
		UV: uv, Cache: t.TempDir(), Dir: t.TempDir(), Client: x.Client(),
		IndexEnv: []string{"UV_DEFAULT_INDEX=" + x.URL + "/simple"},
	}
	for i, pin := range pins {
		name, version, _ := strings.Cut(pin, "==")
		r.Packages = append(r.Packages, lock.Requirement{Name: name, Specifier: "==" + version, Pos: diag.Pos{File: "manifest.yaml", Line: 10 + i, Col: 3}})
	}
	return r
}

func TestResolve(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl", "native>=1", `only-linux; sys_platform == "linux"`)
	x.add(t, "native-1.0-cp310-cp310-manylinux_2_17_x86_64.whl")
	x.add(t, "native-1.0-cp310-cp310-manylinux_2_28_x86_64.whl")
	x.add(t, "native-1.0-cp310-cp310-macosx_11_0_arm64.whl")
	x.add(t, "native-1.1-cp310-cp310-manylinux_2_28_x86_64.whl")
	x.add(t, "only_linux-2.0-py3-none-any.whl")
	req := x.request(t, "app==1.0")
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := lock.Decode(l.Encode(), l.Path); err != nil || !bytes.Equal(again.Encode(), l.Encode()) {
		t.Fatalf("Decode(Encode()) is different: %v", err)
	}
	if bytes.Contains(l.Encode(), []byte("127.0.0.1")) {
		t.Error("the URL of the index is in the lock")
	}
	linux, mac := text(t, l, "linux-x86_64"), text(t, l, "macos-arm64")
	if want := "app-1.0-py3-none-any.whl native-1.1-cp310-cp310-manylinux_2_28_x86_64.whl only_linux-2.0-py3-none-any.whl"; linux != want {
		t.Errorf("linux installs %s", linux)
	}
	if want := "app-1.0-py3-none-any.whl native-1.0-cp310-cp310-macosx_11_0_arm64.whl"; mac != want {
		t.Errorf("macOS installs %s", mac)
	}
	for _, p := range l.Packages {
		for _, w := range p.Wheels {
			if w.Unpacked < 2000 || w.Size != int64(len(x.files[w.File])) {
				t.Errorf("%s: size %d, unpacked %d", w.File, w.Size, w.Unpacked)
			}
		}
	}

	// The locked version is kept although there is a newer one.
	x.add(t, "native-1.2-cp310-cp310-manylinux_2_28_x86_64.whl")
	req.Previous, req.Dir, req.Cache = l, t.TempDir(), t.TempDir()
	kept, err := lock.Resolve(t.Context(), req)
	if err != nil || !bytes.Equal(kept.Encode(), l.Encode()) {
		t.Errorf("the second lock is different: %v\n%s", err, kept.Encode())
	}
	req.Upgrade, req.Dir = true, t.TempDir()
	upgraded, err := lock.Resolve(t.Context(), req)
	if err != nil || !strings.Contains(text(t, upgraded, "linux-x86_64"), "native-1.2") {
		t.Errorf("Upgrade does not lock the newer version: %v", err)
	}
}

// text returns the wheels of a platform.
func text(t *testing.T, l *lock.Lock, platform string) string {
	t.Helper()
	dists, err := l.For(platform)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, d := range dists {
		for _, w := range d.Wheels {
			files = append(files, w.File)
		}
	}
	return strings.Join(files, " ")
}

func TestResolveProblems(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl", "dep<2")
	x.add(t, "dep-1.0-py3-none-any.whl")
	x.add(t, "dep-2.0-py3-none-any.whl")
	x.add(t, "mac-1.0-cp310-cp310-macosx_11_0_arm64.whl")
	for _, c := range []struct {
		name            string
		pins            []string
		code, pos, want string
	}{
		{"no such version", []string{"app==1.0", "dep==1.5"}, "lock.pin", "manifest.yaml:11:3", "dep 2.0 is the newest version"},
		{"no such package", []string{"nowhere==1.0"}, "lock.pin", "manifest.yaml:10:3", "no version of nowhere"},
		{"no wheel", []string{"mac==1.0"}, "lock.pin", "manifest.yaml:10:3", "has no wheel for linux-x86_64"},
		{"conflict", []string{"app==1.0", "dep==2.0"}, "lock.conflict", "manifest.yaml:1", "depend on dep<2"},
		{"no specifier", []string{"app==1 or 2"}, "lock.pin", "manifest.yaml:10:3", "not a version specifier"},
		{"option", []string{"--index-url==1"}, "lock.pin", "manifest.yaml:10:3", "not a valid package name"},
		{"twice", []string{"app==1.0", "App==1.0"}, "lock.pin", "manifest.yaml:11:3", "requested twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := lock.Resolve(t.Context(), x.request(t, c.pins...))
			p := diag.Problems(err)
			if len(p) != 1 || p[0].Code != c.code || !strings.HasPrefix(p[0].Pos.String(), c.pos) || !strings.Contains(p[0].Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestResolveWithoutIndex(t *testing.T) {
	req := newIndex(t).request(t, "app==1.0")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	address := listener.Addr().String()
	listener.Close() // so that the port refuses connections
	req.IndexEnv = []string{"UV_DEFAULT_INDEX=http://ada:hunter2@" + address + "/simple", "UV_HTTP_RETRIES=0"}
	_, err = lock.Resolve(t.Context(), req)
	p := diag.Problems(err)
	if len(p) != 1 || p[0].Code != "lock.index" || p[0].Hint == "" {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error contains the password: %v", err)
	}
}

// TestResolveWheelFolder resolves with a folder of wheels and without an index.
func TestResolveWheelFolder(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl")
	dir := t.TempDir()
	for file, data := range x.files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	req := x.request(t, "app==1.0")
	req.IndexEnv = []string{"UV_OFFLINE=1", "UV_FIND_LINKS=" + dir}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if w := l.Packages[0].Wheels[0]; w.Unpacked < 2000 || strings.Contains(string(l.Encode()), dir) {
		t.Errorf("unpacked is %d, or the folder is in the lock", w.Unpacked)
	}
}

// TestResolvePublic resolves one small pin with the index of this machine.
func TestResolvePublic(t *testing.T) {
	if testing.Short() {
		t.Skip("uses the network")
	}
	req := newIndex(t).request(t, "jsonlines==4.0.0")
	req.IndexEnv = []string{"UV_HTTP_RETRIES=0"}
	for _, name := range []string{"SSL_CERT_FILE", "UV_DEFAULT_INDEX", "HTTPS_PROXY"} {
		if value := os.Getenv(name); value != "" {
			req.IndexEnv = append(req.IndexEnv, name+"="+value)
		}
	}
	l, err := lock.Resolve(t.Context(), req)
	if p := diag.Problems(err); len(p) == 1 && p[0].Code == "lock.index" {
		t.Skip("the package index cannot be reached")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "macos-arm64"); !strings.Contains(got, "jsonlines-4.0.0-py3-none-any.whl") || !strings.Contains(got, "attrs-") {
		t.Errorf("installs %s", got)
	}
}

// lookPath returns the first program of a name on PATH.
func lookPath(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
