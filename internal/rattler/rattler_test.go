package rattler_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rattler"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

// shared is a folder for the wheel and a channel, which take long to create.
var shared string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rattler")
	if err != nil {
		panic(err)
	}
	shared, err = filepath.EvalSymlinks(dir)
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// python returns a Python 3.10 or later of this machine.
func python(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{os.Getenv("HOME") + "/.pyenv/versions/3.10.*/bin/python3.10", "/usr/bin/python3", "/opt/homebrew/bin/python3", "/usr/local/bin/python3"} {
		found, _ := filepath.Glob(pattern)
		for _, p := range found {
			if exec.Command(p, "-I", "-c", "import sys; assert sys.version_info >= (3, 10)").Run() == nil {
				return p
			}
		}
	}
	t.Skip("no Python 3.10 or newer on this machine")
	return ""
}

var platform = map[string]string{"linux/amd64": "linux-x86_64", "linux/arm64": "linux-aarch64", "darwin/arm64": "macos-arm64", "darwin/amd64": "macos-x86_64"}[runtime.GOOS+"/"+runtime.GOARCH]

// fetch downloads the pinned wheel for this platform from the package index of this
// machine, once, and returns its path, or the reason why there is none.
var fetch = sync.OnceValues(func() (file, why string) {
	found, _ := filepath.Glob(os.Getenv("HOME") + "/.pyenv/versions/3.10.*/bin/python3.10")
	if len(found) == 0 {
		return "", "no Python 3.10 of pyenv to fetch py-rattler with"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, found[0], "-m", "pip", "download", "-q", "--no-deps", "-d", filepath.Join(shared, "wheel"), "py-rattler=="+tool.Rattler().Version)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Sprintf("py-rattler cannot be downloaded from a package index: %v %s", err, out)
	}
	wheels, _ := filepath.Glob(filepath.Join(shared, "wheel", "*.whl"))
	return wheels[0], ""
})

// wheel returns the real py-rattler and its pinned digest.
func wheel(t *testing.T) (file, digest string) {
	t.Helper()
	file, why := fetch()
	if why != "" {
		t.Skip(why)
	}
	for _, w := range tool.Rattler().Wheels {
		if w.File == filepath.Base(file) {
			return file, w.SHA256.String()
		}
	}
	t.Fatalf("%s is not pinned", file)
	return "", ""
}

// made makes a channel with the Python 3.10 of this machine, once.
var made = sync.OnceValues(func() (string, error) {
	found, _ := filepath.Glob(os.Getenv("HOME") + "/.pyenv/versions/3.10.*/bin/python3.10")
	dir := filepath.Join(shared, "channel")
	out, err := exec.Command(found[0], "../cli/testdata/channel.py", dir).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return dir, err
})

// A bench is one run of the script: the folder of a generation, and others that the run
// must not change.
type bench struct {
	t       *testing.T
	root    string
	request rattler.Request
	environ []string
	cuda    string // CUDA version for solving
}

func newBench(t *testing.T) *bench {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, root: root}
	for _, dir := range []string{"gen/reconcile", "home", "tmp", "cwd"} {
		if err := os.MkdirAll(b.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.environ = []string{"HOME=" + b.path("home"), "TMPDIR=" + b.path("tmp"), "PATH=/usr/bin:/bin"}
	b.request = rattler.Request{Cache: b.path("cache"), Subdir: rattler.Subdir(platform)}
	return b
}

// real sets the pinned wheel and a channel.
func (b *bench) real(channel string) *bench {
	b.t.Helper()
	b.request.Wheel, b.request.WheelSHA256 = wheel(b.t)
	b.request.Channels = []string{channel}
	return b
}

func (b *bench) path(p string) string { return filepath.Join(b.root, p) }

// command returns the script with its request, as apply starts it.
func (b *bench) command(ctx context.Context) *exec.Cmd {
	b.t.Helper()
	request, err := json.Marshal(b.request)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, text := range map[string][]byte{"conda.py": []byte(rattler.Script), "conda.json": request} {
		if err := os.WriteFile(b.path("gen/reconcile/"+name), text, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	c := exec.CommandContext(ctx, python(b.t), "-I", "-B", b.path("gen/reconcile/conda.py"), b.path("gen/reconcile/conda.json"))
	c.Dir, c.Env, c.WaitDelay = b.path("cwd"), b.environ, time.Second
	return c
}

// run runs it, with a time limit.
func (b *bench) run() (stdout, stderr string, ok bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	c := b.command(ctx)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if ctx.Err() != nil {
		b.t.Fatalf("it does not end: %s%s", &out, &errs)
	}
	if _, err := os.Lstat(b.path("gen/reconcile/conda.rattler")); err == nil {
		b.t.Error("the unpacked wheel was left behind")
	}
	b.checkUntouched()
	return out.String(), errs.String(), err == nil
}

// checkUntouched checks that home, temporary and working folder are empty: a run writes
// only to the generation and the cache.
func (b *bench) checkUntouched() {
	b.t.Helper()
	for _, dir := range []string{"home", "tmp", "cwd"} {
		err := filepath.WalkDir(b.path(dir), func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b.t.Errorf("%s was written", name)
			}
			return err
		})
		if err != nil {
			b.t.Error(err)
		}
	}
}

// solve solves specs with the channel.
func (b *bench) solve(specs ...string) []rattler.Package {
	b.t.Helper()
	solver := *b
	solver.request.Specs, solver.request.Virtual = specs, rattler.Virtual(platform, "2.28", "14", b.cuda)
	out, errs, ok := solver.run()
	list, err := rattler.Solved([]byte(out))
	if !ok || err != nil {
		b.t.Fatalf("%v\n%s%s", err, out, errs)
	}
	return list
}

// fake sets a fake wheel, whose import creates the file imported.
func (b *bench) fake() {
	b.t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	f, err := z.Create("rattler/__init__.py")
	if err == nil {
		_, err = fmt.Fprintf(f, "open(%q, 'w').close()\n", b.path("imported"))
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = os.WriteFile(b.path("fake.whl"), buf.Bytes(), 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.request.Wheel, b.request.WheelSHA256 = b.path("fake.whl"), fmt.Sprintf("%x", sha256.Sum256(buf.Bytes()))
	b.request.Specs, b.request.Channels = []string{"a"}, []string{"x"}
}

func (b *bench) exists(p string) bool {
	_, err := os.Lstat(b.path(p))
	return err == nil
}

// TestOtherWheelIsNotImported replaces the pinned wheel.
func TestOtherWheelIsNotImported(t *testing.T) {
	b := newBench(t)
	b.fake()
	b.run()
	if !b.exists("imported") {
		t.Fatal("the pinned wheel was not imported: nothing is tested")
	}
	b = newBench(t)
	b.fake()
	b.request.WheelSHA256 = strings.Repeat("ab", 32)
	if _, errs, ok := b.run(); ok || !strings.Contains(errs, "is not the pinned wheel") || strings.Contains(errs, "Traceback") || b.exists("imported") {
		t.Errorf("imported %v: %s", b.exists("imported"), errs)
	}
}

// TestExistingModulesAreNotImported puts modules into the folders in which the wheel is
// unpacked and the script is stored and run.
func TestExistingModulesAreNotImported(t *testing.T) {
	b := newBench(t)
	b.fake()
	for _, dir := range []string{"gen/reconcile/conda.rattler", "gen/reconcile", "cwd"} {
		for _, name := range []string{"rattler/__init__.py", "rattler/evil.py", "json.py", "zipfile.py"} {
			file := b.path(dir + "/" + name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(fmt.Sprintf("open(%q, 'w').close()\n", b.path("evil"))), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.environ = append(b.environ, "PYTHONPATH="+b.path("cwd"), "PYTHONSTARTUP="+b.path("cwd/json.py"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, _ := b.command(ctx).CombinedOutput()
	if b.exists("evil") || !b.exists("imported") {
		t.Errorf("evil %v, imported %v\n%s", b.exists("evil"), b.exists("imported"), out)
	}
}

// server serves the channel, with fault as a handler that may take a request.
func server(t *testing.T, fault func(http.ResponseWriter, *http.Request) bool) (*httptest.Server, *[]string) {
	t.Helper()
	wheel(t) // or skip
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		if fault == nil || !fault(w, r) {
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s, &asked
}

func TestSolveAndInstall(t *testing.T) {
	s, _ := server(t, nil)
	b := newBench(t).real(s.URL)
	pins := []lock.CondaPin{{Name: "tiny", Version: "1.0", Build: "pyh0_0"}, {Name: "sets", Version: "1.0"}}
	list := b.solve(lock.CondaSpecs("3.10", pins)...)
	var names []string
	for _, p := range list {
		names = append(names, p.Name+" "+p.Version)
		if p.Channel != s.URL || len(p.SHA256) != 64 || len(p.MD5) != 32 || p.Size == 0 || !strings.HasPrefix(p.File, p.Name+"-"+p.Version+"-"+p.Build) {
			t.Errorf("%+v", p)
		}
	}
	if len(names) != 4 || names[1] != "sets 1.0" || names[2] != "tiny 1.0" || names[3] != "zones 2024a" {
		t.Errorf("solved %v", names)
	}
	b.request.Prefix, b.request.Packages, b.request.Requested = b.path("gen"), list, lock.CondaSpecs("3.10", pins)
	out, errs, ok := b.run()
	if !ok || !strings.Contains(out, "installed 4 packages") {
		t.Fatalf("%s%s", out, errs)
	}
	records, _ := filepath.Glob(b.path("gen/conda-meta/*.json"))
	if len(records) != 4 {
		t.Errorf("conda-meta holds %v", records)
	}
	text, err := exec.Command(b.path("gen/bin/tiny")).CombinedOutput()
	if err != nil || string(text) != "tiny 1.0\n" {
		t.Errorf("tiny prints %q, %v", text, err)
	}
	// Once more, from the cache only.
	s.Close()
	again := newBench(t).real(s.URL)
	again.request.Cache, again.request.Prefix, again.request.Packages = b.request.Cache, again.path("gen"), list
	if out, errs, ok := again.run(); !ok {
		t.Errorf("without the channel: %s%s", out, errs)
	}
}

// TestSolveForCUDA selects a GPU build only if the environment requires CUDA.
func TestSolveForCUDA(t *testing.T) {
	s, _ := server(t, nil)
	b := newBench(t).real(s.URL)
	b.cuda = "12.1"
	if list := b.solve("kernels ==1.0"); len(list) != 1 || list[0].Build != "cuda12_0" {
		t.Errorf("solved %+v", list)
	}
	b.request.Specs, b.request.Virtual = []string{"kernels ==1.0"}, rattler.Virtual(platform, "2.28", "14", "")
	if _, errs, ok := b.run(); ok || !strings.Contains(errs, "__cuda") {
		t.Errorf("without CUDA: %v, %s", ok, errs)
	}
}

// TestChannelErrors checks the messages for broken responses of a channel.
func TestChannelErrors(t *testing.T) {
	python(t)
	isTiny := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "tiny-1.0") }
	for _, tt := range []struct {
		name  string
		fault func(w http.ResponseWriter, r *http.Request) bool
		do    func(b *bench, s *httptest.Server, p *rattler.Package)
		match func(stderr string) bool
	}{
		{"other digest than in the lock", nil, func(_ *bench, _ *httptest.Server, p *rattler.Package) { p.SHA256, p.MD5 = strings.Repeat("ab", 32), "" }, mismatched},
		{"not found", func(w http.ResponseWriter, r *http.Request) bool {
			if isTiny(r) {
				http.NotFound(w, r)
			}
			return isTiny(r)
		}, nil, unreached},
		{"a page instead of the archive", func(w http.ResponseWriter, r *http.Request) bool {
			if isTiny(r) {
				fmt.Fprint(w, "<html>please log in</html>")
			}
			return isTiny(r)
		}, nil, func(stderr string) bool { return stderr != "" }},
		{"partial", func(w http.ResponseWriter, r *http.Request) bool {
			if isTiny(r) {
				w.Header().Set("Content-Length", "900")
				fmt.Fprint(w, "BZh9")
				panic(http.ErrAbortHandler)
			}
			return false
		}, nil, func(stderr string) bool { return stderr != "" }},
		{"no server", nil, func(_ *bench, s *httptest.Server, _ *rattler.Package) { s.Close() }, unreached},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := server(t, tt.fault)
			b := newBench(t).real(s.URL)
			list := b.solve("zones")
			tiny := b.solve("tiny ==1.0")
			i := slices.IndexFunc(tiny, func(p rattler.Package) bool { return p.Name == "tiny" })
			list = append(list, tiny[i])
			if tt.do != nil {
				tt.do(b, s, &list[len(list)-1])
			}
			b.request.Prefix, b.request.Packages = b.path("gen"), list
			out, errs, ok := b.run()
			if ok || !tt.match(errs) || strings.Contains(errs, "Traceback") {
				t.Errorf("ok %v: %s%s", ok, out, errs)
			}
			if found, _ := filepath.Glob(b.path("gen/lib/python*/site-packages/tiny")); len(found) > 0 {
				t.Error("tiny was installed")
			}
		})
	}
}

func unreached(stderr string) bool { _, ok := indexerror.Unreachable(stderr); return ok }

func mismatched(stderr string) bool { _, ok := indexerror.FindHashMismatch(stderr); return ok }

// TestDigestOfALocalArchiveIsChecked changes an archive in a channel that is a folder,
// which py-rattler itself does not notice.
func TestDigestOfALocalArchiveIsChecked(t *testing.T) {
	python(t)
	wheel(t)
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t).real("file://" + dir)
	list := b.solve("zones")
	list[0].SHA256 = strings.Repeat("ab", 32)
	b.request.Prefix, b.request.Packages = b.path("gen"), list
	if out, errs, ok := b.run(); ok || !mismatched(errs) || !strings.Contains(errs, "zones-2024a") || b.exists("gen/conda-meta") {
		t.Errorf("ok %v: %s%s", ok, out, errs)
	}
}

// TestAlias solves with a channel below the alias of this machine, which has its original
// name in the answer.
func TestAlias(t *testing.T) {
	python(t)
	s, asked := server(t, nil)
	dir, _ := made()
	b := newBench(t).real("team")
	if err := os.Symlink(dir, filepath.Join(dir, "team")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(filepath.Join(dir, "team")) })
	for _, alias := range []string{s.URL, s.URL + "/", "file://" + dir} {
		b.environ = append(b.environ, "RECONCILE_CONDA_ALIAS="+alias)
		list := b.solve("zones")
		if len(list) != 1 || list[0].Channel != "team" || list[0].File != "zones-2024a-h0_0.tar.bz2" {
			t.Errorf("%s: %+v", alias, list)
		}
	}
	if !slices.ContainsFunc(*asked, func(p string) bool { return strings.HasPrefix(p, "/team/noarch/repodata") }) {
		t.Errorf("requested %v", *asked)
	}
}

// TestKilledInstall kills an install during a download. Its files are only in the
// generation, which the next apply removes, and do not disturb the next run.
func TestKilledInstall(t *testing.T) {
	python(t)
	arrived, hang := make(chan struct{}, 16), true
	var mu sync.Mutex
	s, _ := server(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		stuck := hang && strings.Contains(r.URL.Path, "zones-2024a")
		mu.Unlock()
		if stuck {
			arrived <- struct{}{}
			<-r.Context().Done()
		}
		return stuck
	})
	b := newBench(t).real(s.URL)
	list := b.solve("zones")
	b.request.Prefix, b.request.Packages = b.path("gen"), list
	ctx, cancel := context.WithCancel(t.Context())
	c := b.command(ctx)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(time.Minute):
		t.Error("the archive was not requested")
	}
	cancel() // kills it
	_ = c.Wait()
	if !b.exists("gen/reconcile/conda.rattler/rattler") {
		t.Error("nothing was unpacked: nothing is tested")
	}
	b.checkUntouched()
	mu.Lock()
	hang = false
	mu.Unlock()
	if out, errs, ok := b.run(); !ok || !b.exists("gen/share/zoneinfo/UTC") {
		t.Errorf("the next run: %s%s", out, errs)
	}
}

func TestSolvedRejects(t *testing.T) {
	for _, text := range []string{"", "[]", "\x1ereconcile-rattler ", "\x1ereconcile-rattler {}", "\x1ereconcile-rattler [", "\x1ereconcile-rattler [] more"} {
		if list, err := rattler.Solved([]byte(text)); err == nil {
			t.Errorf("%q gives %v", text, list)
		}
	}
	if list, err := rattler.Solved([]byte("fetched 1 of 2 bytes\n\x1ereconcile-rattler []\n")); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestPlatforms checks folder and virtual packages of every platform of a lock.
func TestPlatforms(t *testing.T) {
	for platform, want := range map[string]string{
		"linux-x86_64": "linux-64", "linux-aarch64": "linux-aarch64", "macos-arm64": "osx-arm64", "macos-x86_64": "osx-64", "windows-x86_64": "", "": "",
	} {
		if got := rattler.Subdir(platform); got != want {
			t.Errorf("%s: %q, want %q", platform, got, want)
		}
		least := fmt.Sprint(rattler.Virtual(platform, "2.31", "15.1", "12.1"))
		if mac := strings.HasPrefix(platform, "macos"); strings.Contains(least, "__osx 15.1") != mac || strings.Contains(least, "__glibc 2.31") == mac || strings.Contains(least, "__cuda 12.1") == mac {
			t.Errorf("%s has %s", platform, least)
		}
	}
}

// TestChangedPackageInTheCacheIsFetchedAgain edits an unpacked package together with its own
// digests, and removes the record of another.
func TestChangedPackageInTheCacheIsFetchedAgain(t *testing.T) {
	var mu sync.Mutex
	fetched := map[string]int{}
	s, _ := server(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		fetched[path.Base(r.URL.Path)]++
		return false
	})
	first := newBench(t).real(s.URL)
	list := first.solve("zones", "sets ==1.0")
	install := func() *bench {
		t.Helper()
		b := newBench(t).real(s.URL)
		b.request.Cache, b.request.Prefix, b.request.Packages = first.request.Cache, b.path("gen"), list
		if out, errs, ok := b.run(); !ok {
			t.Fatalf("%s%s", out, errs)
		}
		return b
	}
	want := func(what string, zones, sets int) {
		t.Helper()
		if z, s := fetched["zones-2024a-h0_0.tar.bz2"], fetched[list[0].File]; z != zones || s != sets {
			t.Errorf("%s: zones was fetched %d times, not %d, sets %d times, not %d", what, z, zones, s, sets)
		}
	}
	if list[0].Name != "sets" {
		t.Fatalf("solved %+v", list)
	}
	genuine, err := os.ReadFile(install().path("gen/share/zoneinfo/UTC"))
	if err != nil {
		t.Fatal(err)
	}
	want("at first", 1, 1)
	install()
	want("from the cache", 1, 1)

	package1 := first.path("cache/pkgs/zones-2024a-h0_0/")
	paths, err := os.ReadFile(package1 + "/info/paths.json")
	if err != nil {
		t.Fatal(err)
	}
	evil := bytes.Repeat([]byte("x"), len(genuine))
	edited := bytes.ReplaceAll(paths, fmt.Appendf(nil, "%x", sha256.Sum256(genuine)), fmt.Appendf(nil, "%x", sha256.Sum256(evil)))
	if bytes.Equal(edited, paths) {
		t.Fatalf("no digest to edit: %s", paths)
	}
	if err := errors.Join(os.WriteFile(package1+"/share/zoneinfo/UTC", evil, 0o644), os.WriteFile(package1+"/info/paths.json", edited, 0o644)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(install().path("gen/share/zoneinfo/UTC")); err != nil || !bytes.Equal(text, genuine) {
		t.Errorf("installed %q, %v", text, err)
	}
	want("edited", 2, 1)
	if err := os.Remove(first.path("cache/checked/" + strings.TrimSuffix(strings.TrimSuffix(list[0].File, ".conda"), ".tar.bz2") + ".json")); err != nil {
		t.Fatal(err)
	}
	install()
	want("without its record", 2, 2)
}

// TestInstallsShareACache installs two environments at once into an empty cache, from a
// channel in a folder, and a third one, which downloads nothing and shares the files.
func TestInstallsShareACache(t *testing.T) {
	python(t)
	wheel(t)
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	one, two, three := newBench(t).real("file://"+dir), newBench(t).real("file://"+dir), newBench(t).real("file://"+dir)
	list := one.solve(lock.CondaSpecs("3.10", []lock.CondaPin{{Name: "tiny", Version: "1.0"}})...)
	var installs sync.WaitGroup
	for _, b := range []*bench{one, two} {
		b.request.Cache, b.request.Prefix, b.request.Packages = one.request.Cache, b.path("gen"), list
		installs.Go(func() {
			if out, errs, ok := b.run(); !ok {
				t.Errorf("%s%s", out, errs)
			}
		})
	}
	installs.Wait()
	three.request.Cache, three.request.Prefix, three.request.Packages = one.request.Cache, three.path("gen"), list
	if out, errs, ok := three.run(); !ok || strings.Contains(out, "fetched") {
		t.Errorf("%s%s", out, errs)
	}
	for _, b := range []*bench{one, two, three} {
		if out, err := exec.Command(b.path("gen/bin/tiny")).CombinedOutput(); err != nil || string(out) != "tiny 1.0\n" {
			t.Errorf("%q, %v", out, err)
		}
	}
	total, own := int64(0), int64(0)
	err = filepath.WalkDir(three.path("gen"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		if info.Sys().(*syscall.Stat_t).Nlink == 1 {
			own += info.Size()
		}
		return nil
	})
	if err != nil || own*20 > total {
		t.Errorf("%d of %d bytes are its own, %v", own, total, err)
	}
	t.Logf("%d of %d bytes are its own", own, total)
}
