package sourcebuild

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// findPython returns a Python of this machine and its minor version, or skips the test.
func findPython(t testing.TB) (path, minor string) {
	t.Helper()
	for _, name := range []string{"python3", "python3.12", "python3.11", "python3.10"} {
		out, err := exec.Command(name, "-I", "-c", "import sys, venv; print(sys.executable); print('%d.%d' % sys.version_info[:2])").Output()
		if lines := strings.Fields(string(out)); err == nil && len(lines) == 2 {
			return lines[0], lines[1]
		}
	}
	t.Skip("no Python 3 with venv")
	return "", ""
}

// tree writes files into a new directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(p), 0o755))
		check(t, os.WriteFile(p, []byte(text), 0o644))
	}
	return dir
}

// backend is a build backend in the source itself. Its code runs in build_wheel.
func backend(code string) map[string]string {
	return map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"demo\"\ndynamic = [\"version\"]\n",
		"backend.py": `
import os, sys, zipfile, hashlib, base64

def wheel(out, name="demo", version="1.0", files=()):
    info = "%s-%s.dist-info" % (name, version)
    texts = dict(files)
    texts[info + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts[info + "/METADATA"] = "Metadata-Version: 2.1\nName: %s\nVersion: %s\nRequires-Dist: six>=1\n" % (name, version)
    record = "".join("%s,sha256=%s,%d\n" % (p, base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).decode().rstrip("="), len(t)) for p, t in texts.items())
    texts[info + "/RECORD"] = record + info + "/RECORD,,\n"
    file = "%s-%s-py3-none-any.whl" % (name, version)
    with zipfile.ZipFile(os.path.join(out, file), "w") as z:
        for p, t in texts.items():
            z.writestr(p, t)
    return file

def build_wheel(out, settings=None, metadata=None):
` + indent(code),
	}
}

func indent(code string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(code), "\n", "\n    ") + "\n"
}

// environment returns an environment for the builds of demo.
func environment(t testing.TB, entries ...*wheels.Entry) *Environment {
	t.Helper()
	python, minor := findPython(t)
	e, err := NewEnvironment(t.Context(), Options{
		Name: "demo", Python: python, Minor: minor, Entries: entries, Work: t.TempDir(), Log: filepath.Join(t.TempDir(), "log"), Timeout: time.Minute,
	})
	check(t, err)
	return e
}

// build builds the wheel of a source.
func build(t testing.TB, e *Environment, files map[string]string) (string, error) {
	t.Helper()
	p, err := Open(tree(t, files))
	check(t, err)
	return e.Wheel(t.Context(), p, false)
}

func hasProblem(t testing.TB, err error, code, found string) {
	t.Helper()
	p, ok := errors.AsType[*diag.Problem](err)
	if !ok || p.Code != code || !strings.Contains(p.Found, found) {
		t.Errorf("the error is %v, not %s with %q", err, code, found)
	}
}

func TestWheelIsBuiltAndUnpacked(t *testing.T) {
	e := environment(t)
	wheel, err := build(t, e, backend(`return wheel(out, files={"demo.py": "x = 1\n"})`))
	check(t, err)
	content, err := os.ReadFile(wheel)
	check(t, err)
	entry, err := wheels.Unpack(t.Context(), wheel, lock.Wheel{File: filepath.Base(wheel), SHA256: sha256.Sum256(content)}, "demo", "1.0", filepath.Join(t.TempDir(), "key"))
	check(t, err)
	if entry.Name != "demo" || entry.Version != "1.0" || !entry.Pure {
		t.Errorf("%+v", entry)
	}
	log, err := os.ReadFile(e.Log)
	check(t, err)
	if !strings.Contains(string(log), "build_wheel of demo, by backend") {
		t.Errorf("the log is %q", log)
	}
}

func TestEqualSourcesGiveEqualWheels(t *testing.T) {
	code := `
with open(os.path.join(out, "demo-1.0-py3-none-any.whl"), "w") as f:
    f.write(os.environ["SOURCE_DATE_EPOCH"] + str(hash("a")) + str(sorted(os.environ)))
return "demo-1.0-py3-none-any.whl"`
	var contents [2]string
	for i := range contents {
		wheel, err := build(t, environment(t), backend(code))
		check(t, err)
		b, err := os.ReadFile(wheel)
		check(t, err)
		contents[i] = string(b)
	}
	if contents[0] != contents[1] {
		t.Errorf("%q and %q", contents[0], contents[1])
	}
}

func TestMetadataWithoutHookIsThatOfTheWheel(t *testing.T) {
	p, err := Open(tree(t, backend(`return wheel(out, version="1.0.0")`)))
	check(t, err)
	m, err := environment(t).Metadata(t.Context(), p, false)
	check(t, err)
	if m.Name != "demo" || m.Version != "1.0.0" || strings.Join(m.Requires, ";") != "six>=1" {
		t.Errorf("%+v", m)
	}
}

func TestMetadataOfAnotherPackageAreRefused(t *testing.T) {
	p, err := Open(tree(t, backend(`return wheel(out, name="other")`)))
	check(t, err)
	_, err = environment(t).Metadata(t.Context(), p, false)
	hasProblem(t, err, "build.metadata", "other 1.0")
	p, err = Open(tree(t, backend(`return wheel(out, version="2.0")`)))
	check(t, err)
	e := environment(t)
	e.Version = "1.0"
	_, err = e.Metadata(t.Context(), p, false)
	hasProblem(t, err, "build.metadata", "demo 2.0")
}

func TestRequiresOfTheBackend(t *testing.T) {
	files := backend("pass")
	files["backend.py"] += "def get_requires_for_build_wheel(settings=None):\n    return ['cython>=3']\n"
	p, err := Open(tree(t, files))
	check(t, err)
	e := environment(t)
	list, err := e.Requires(t.Context(), p, false)
	check(t, err)
	if strings.Join(list, ";") != "cython>=3" {
		t.Errorf("%q", list)
	}
	if list, err = e.Requires(t.Context(), p, true); err != nil || list != nil {
		t.Errorf("a backend without the hook: %q, %v", list, err)
	}
}

func TestFailedBuildKeepsItsOutput(t *testing.T) {
	e := environment(t)
	_, err := build(t, e, backend(`
print("compiling \x1b[31m")
raise ValueError("no compiler")`))
	hasProblem(t, err, "build.failed", "ValueError: no compiler")
	if p, _ := errors.AsType[*diag.Problem](err); p != nil && !strings.Contains(p.Hint, e.Log) {
		t.Errorf("the hint has no log: %s", p.Hint)
	}
	log, err := os.ReadFile(e.Log)
	check(t, err)
	if !strings.Contains(string(log), `compiling \x1b[31m`) || !strings.Contains(string(log), "Traceback") {
		t.Errorf("the log is %q", log)
	}
}

func TestHintsForKnownFailures(t *testing.T) {
	for output, want := range map[string]string{
		"ModuleNotFoundError: No module named 'torch'":                     "with: [torch]",
		"OSError: [Errno 28] No space left on device":                      "`reconcile gc`",
		"OSError: CUDA_HOME environment variable is not set":               "CUDA toolkit",
		"ModuleNotFoundError: No module named 'imp'":                       "earlier `python`",
		"error: can't find Rust compiler":                                  "Rust",
		"socket.gaierror: [Errno -3] Temporary failure in name resolution": "no network",
		"ModuleNotFoundError: No module named 'numpy.core'":                "with: [numpy]",
		"error: command 'gcc' failed: No such file or directory: 'gcc'":    "C compiler",
		"fatal error: Python.h: No such file or directory":                 "header files",
		"ModuleNotFoundError: No module named 'a`b\nRECONCILE'":            "",
	} {
		if hint := hintOf("flash-attn", output); !strings.Contains(hint, want) || want == "" && hint != "" {
			t.Errorf("%q: %q", output, hint)
		}
	}
}

func TestMissingEditableHook(t *testing.T) {
	p, err := Open(tree(t, backend("pass")))
	check(t, err)
	_, err = environment(t).Wheel(t.Context(), p, true)
	hasProblem(t, err, "build.failed", "build_editable")
}

func TestBackendThatAnswersNothing(t *testing.T) {
	for code, found := range map[string]string{
		"os._exit(0)":          "without an answer",
		`return "../x.whl"`:    "../x.whl",
		`return "absent.whl"`:  "absent.whl",
		`return 7`:             "invalid answer",
		`sys.exit("I refuse")`: "I refuse",
		`os.kill(os.getpid(), 9) if os.getpid() > 1 else os._exit(9)`: "",
	} {
		_, err := build(t, environment(t), backend(code))
		p, ok := errors.AsType[*diag.Problem](err)
		if !ok || !strings.HasPrefix(p.Code, "build.") || !strings.Contains(p.Found, found) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestBackendFindsNothingOfTheUser(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	t.Setenv("PIP_INDEX_URL", "x")
	t.Setenv("HOME", t.TempDir())
	check(t, os.WriteFile(filepath.Join(os.Getenv("HOME"), ".netrc"), []byte("secret"), 0o600))
	e := environment(t)
	_, err := build(t, e, backend(`
print("variables", " ".join(sorted(os.environ)), "end")
print("home", os.listdir(os.environ["HOME"]))
print("temporary", os.environ["TMPDIR"])
return wheel(out)`))
	check(t, err)
	log, err := os.ReadFile(e.Log)
	check(t, err)
	text := string(log)
	if strings.Contains(text, "AWS") || strings.Contains(text, "PIP_") || !strings.Contains(text, "home []") || !strings.Contains(text, "temporary "+e.Work) {
		t.Errorf("%s", text)
	}
}

// TestBackendCannotReadTheVariablesOfProcesses also holds for root, whose capabilities would permit it.
func TestBackendCannotReadTheVariablesOfProcesses(t *testing.T) {
	landlock(t)
	other := exec.Command("sleep", "60")
	other.Env = []string{"RECONCILE_TEST_SECRET=1"}
	check(t, other.Start())
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	_, err := build(t, environment(t), backend(fmt.Sprintf(`
try:
    variables = open("/proc/%d/environ").read()
except OSError:
    variables = ""
if "RECONCILE_TEST_SECRET" in variables:
    sys.exit("the variables of another process can be read")
return wheel(out)`, other.Process.Pid)))
	check(t, err)
}

func TestBackendReachesNoNetwork(t *testing.T) {
	if !command.CanIsolate() {
		t.Skip("the kernel of this machine refuses network namespaces")
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Addr().String())
	check(t, err)
	_, err = build(t, environment(t), backend("import socket\nsocket.create_connection(('127.0.0.1', "+port+"), 5)"))
	hasProblem(t, err, "build.failed", "Error")
}

// landlock skips the test on a kernel without Landlock.
func landlock(t testing.TB) {
	t.Helper()
	python, _ := findPython(t)
	out, err := exec.Command(python, "-I", "-c", "import ctypes, sys; print(sys.platform == 'linux' and ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)) > 0)").Output()
	if err != nil || strings.TrimSpace(string(out)) != "True" {
		t.Skip("this system has no Landlock")
	}
}

func TestBackendWritesOnlyIntoItsDirectories(t *testing.T) {
	landlock(t)
	outside := t.TempDir()
	check(t, os.WriteFile(filepath.Join(outside, "file"), []byte("unchanged"), 0o644))
	e := environment(t)
	_, err := build(t, e, backend(fmt.Sprintf(`
import subprocess
outside = %q
def refused(name, f):
    try:
        f()
    except OSError:
        return
    sys.exit(name + " was possible")
refused("create", lambda: open(os.path.join(outside, "new"), "w"))
refused("change", lambda: open(os.path.join(outside, "file"), "a"))
refused("truncate", lambda: os.truncate(os.path.join(outside, "file"), 0))
refused("remove", lambda: os.remove(os.path.join(outside, "file")))
refused("link", lambda: os.link(os.path.join(outside, "file"), "here"))
refused("environment", lambda: open(os.path.join(sys.prefix, "pyvenv.cfg"), "a"))
if subprocess.call(["/bin/sh", "-c", "echo x > " + outside + "/child"], stderr=subprocess.DEVNULL) == 0:
    sys.exit("a child could write")
open("here", "w").close()
open(os.path.join(os.environ["TMPDIR"], "x"), "w").close()
open("/dev/null", "w").close()
return wheel(out)`, outside)))
	check(t, err)
	b, err := os.ReadFile(filepath.Join(outside, "file"))
	check(t, err)
	if names, _ := os.ReadDir(outside); len(names) != 1 || string(b) != "unchanged" {
		t.Errorf("%q, %v", b, names)
	}
}

func TestBackendCannotReadTheHomeDirectory(t *testing.T) {
	landlock(t)
	home := homeDir()
	f, err := os.CreateTemp(home, ".reconcile-test-")
	if err != nil {
		t.Skip("the home directory cannot be written: ", err)
	}
	defer os.Remove(f.Name())
	check(t, f.Close())
	_, err = build(t, environment(t), backend(fmt.Sprintf(`open(%q)`, f.Name())))
	hasProblem(t, err, "build.failed", "PermissionError")
}

func TestProcessesEndWithTheBackend(t *testing.T) {
	if !command.CanIsolate() {
		t.Skip("the kernel of this machine refuses process namespaces")
	}
	// Each process leaves its group and its output, as a daemon does, and holds a lock.
	e := environment(t)
	held := filepath.Join(t.TempDir(), "held")
	check(t, os.WriteFile(held, nil, 0o666))
	_, err := build(t, e, backend(fmt.Sprintf(`
import fcntl, time
f = open(%q)
for i in range(20):
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        fcntl.flock(f, fcntl.LOCK_SH)
        time.sleep(600)
return wheel(out)`, held)))
	check(t, err)
	f, err := os.Open(held)
	check(t, err)
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Error("a process of the build still runs: ", err)
	}
}

func TestBuildEndsAtItsDeadline(t *testing.T) {
	e := environment(t)
	e.Timeout = 500 * time.Millisecond
	start := time.Now()
	_, err := build(t, e, backend("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass"))
	hasProblem(t, err, "build.failed", "ended after 500ms")
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	e := environment(t)
	p, err := Open(tree(t, backend("import time\ntime.sleep(600)")))
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := e.Wheel(ctx, p, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestLogIsLimited(t *testing.T) {
	e := environment(t)
	_, err := build(t, e, backend(`
line = "x" * 999 + "\n"
for i in range(30000):
    sys.stdout.write(line)
return wheel(out)`))
	check(t, err)
	info, err := os.Stat(e.Log)
	check(t, err)
	if info.Size() > maxLog+4096 || info.Size() < maxLog/2 {
		t.Errorf("the log has %d bytes", info.Size())
	}
	again := environment(t)
	again.log.name = e.Log
	_, err = build(t, again, backend(`return wheel(out)`))
	check(t, err)
	if info, err = os.Stat(e.Log); err != nil || info.Size() > 4096 {
		t.Errorf("a second build appends to a full log: %d bytes, %v", info.Size(), err)
	}
}

// sdist returns an archive with one directory and the files of a tree.
func sdist(t testing.TB, kind string, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	if kind == ".zip" {
		z := zip.NewWriter(&b)
		for name, text := range files {
			w, err := z.Create("demo-1.0/" + name)
			check(t, err)
			_, err = w.Write([]byte(text))
			check(t, err)
		}
		check(t, z.Close())
	} else {
		g := gzip.NewWriter(&b)
		w := tar.NewWriter(g)
		for name, text := range files {
			check(t, w.WriteHeader(&tar.Header{Name: "demo-1.0/" + name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
			_, err := w.Write([]byte(text))
			check(t, err)
		}
		check(t, errors.Join(w.Close(), g.Close()))
	}
	file := filepath.Join(t.TempDir(), "demo-1.0"+kind)
	check(t, os.WriteFile(file, b.Bytes(), 0o644))
	return file
}

func TestSourceDistributionIsUnpackedAndBuilt(t *testing.T) {
	for _, kind := range []string{".tar.gz", ".zip"} {
		archive := sdist(t, kind, backend(`return wheel(out)`))
		dir := filepath.Join(t.TempDir(), "source")
		check(t, Unpack(t.Context(), archive, filepath.Base(archive), dir))
		p, err := Open(dir)
		check(t, err)
		_, err = environment(t).Wheel(t.Context(), p, false)
		check(t, err)
	}
	if err := Unpack(t.Context(), sdist(t, ".rpm", nil), "demo-1.0.rpm", filepath.Join(t.TempDir(), "source")); err == nil {
		t.Error("an unknown type of archive is unpacked")
	}
}

func TestCompilersAreLimitedByMemory(t *testing.T) {
	e := environment(t)
	e.Jobs = 1 << 20
	_, err := build(t, e, backend(`
memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
if int(os.environ["MAX_JOBS"]) > max(1, memory // 2**32):
    sys.exit("%s jobs for %d bytes" % (os.environ["MAX_JOBS"], memory))
return wheel(out)`))
	check(t, err)
}
