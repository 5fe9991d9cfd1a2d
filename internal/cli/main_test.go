package cli

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/probes"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == fakeClientName { // not a testscript command, because stories would find it on PATH
		runFakeClient()
		return
	}
	if len(os.Args) > 2 && os.Args[1] == withoutFlock {
		panic(execWithoutFlock(os.Args[2:]))
	}
	clock = func() time.Time { return time.Date(2026, time.November, 30, 12, 0, 0, 0, time.UTC) }
	testscript.Main(suite{m}, map[string]func(){"reconcile": func() { os.Exit(Main(os.Args[1:], Standard(), os.Environ())) }})
}

// withoutFlock is the first argument of a test process that runs the others as a program.
const withoutFlock = "without-flock"

// A suite runs all tests of this package and removes the directory that they share.
type suite struct{ *testing.M }

// Run runs the tests with three times as many in parallel as there are cores, because most of
// them wait.
func (t suite) Run() int {
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	}
	store, err := os.MkdirTemp("", "reconcile-store-") // of tests that name none
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(store)
	_ = os.Setenv("RECONCILE_STORE", store)
	code := t.M.Run()
	if dir, err := sharedDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
	return code
}

// TestStories runs the stories in testdata/script: commands of users and their output. Stories
// that need an interpreter or a package index are skipped without one.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       golden.Updating(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupStory,
		Condition:           condition,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"code": code, "replace": replace, "pythonbuild": pythonBuild, "channel": channel, "expand": expand, "hubmodel": hubModel, "state": setState, "wheels": wheelFolder},
	})
}

// setupStory passes the variables of this machine's package index and interpreters to a story,
// and no other variable. RECONCILE_STORE is $WORK/store; STATE is the state directory in it of
// the project in $WORK, until the command state changes it.
func setupStory(e *testscript.Env) error {
	e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
	defer e.Setenv("RECONCILE_STORE", filepath.Join(e.WorkDir, "store"))
	e.Setenv("PATH", filepath.Dir(must(exec.LookPath("reconcile")))+":/usr/bin:/bin")
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "RECONCILE_") || strings.HasPrefix(name, "PIP_") {
			e.Setenv(name, value)
		}
	}
	if root := pyenvRoot(); root != "" {
		e.Setenv("PYENV_ROOT", root)
	}
	e.Setenv("STATE", stateDir(e.WorkDir, filepath.Join(e.WorkDir, "store")))
	return os.MkdirAll(filepath.Join(e.WorkDir, "home"), 0o755)
}

// stateDir returns the state directory in a store of the project in dir.
func stateDir(dir, store string) string {
	return layout.State(store, must(filepath.EvalSymlinks(dir)))
}

// setState sets STATE to the state directory of the project in the current directory: state.
func setState(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: state")
	}
	ts.Setenv("STATE", stateDir(ts.MkAbs("."), ts.Getenv("RECONCILE_STORE")))
}

func pyenvRoot() string {
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		root = filepath.Join(os.Getenv("HOME"), ".pyenv")
	}
	if found, _ := filepath.Glob(filepath.Join(root, "versions", "3.10.*", "bin", "python3.10")); len(found) == 0 {
		return ""
	}
	return root
}

// condition reports whether this machine has [python] 3.10, [python3.12], a package [index], an [embedded]
// Python build, [root], or root who may [unshare] the host name and mounts, and whether this
// build can use [nvml].
func condition(cond string) (bool, error) {
	switch cond {
	case "python":
		return python310() != "", nil
	case "python3.12":
		return python312() != "", nil
	case "index":
		return hasIndex(), nil
	case "embedded":
		return embeddedPythonDir() != "", nil
	case "root":
		return os.Geteuid() == 0, nil
	case "unshare":
		_, err := os.Stat("/etc/machine-id")
		return err == nil && exec.Command("unshare", "-u", "-m", "true").Run() == nil, nil
	case "nvml":
		return probes.HasNVML, nil
	}
	return false, errors.New("unknown condition " + cond)
}

// python310 returns the path of a Python 3.10 on this machine, or "".
var python310 = sync.OnceValue(func() string {
	if root := pyenvRoot(); root != "" {
		found, _ := filepath.Glob(filepath.Join(root, "versions", "3.10.*", "bin", "python3.10"))
		return found[0]
	}
	if _, err := os.Stat("/usr/bin/python3.10"); err == nil {
		return "/usr/bin/python3.10"
	}
	return ""
})

// python312 returns the path of a Python 3.12 that stories find on this machine, or "".
func python312() string {
	found, _ := filepath.Glob(filepath.Join(pyenvRoot(), "versions", "3.12.*", "bin", "python3.12"))
	for _, path := range append(found, "/usr/bin/python3.12") {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// hasIndex reports whether pip can download a package from this machine's index.
var hasIndex = sync.OnceValue(func() bool {
	if python310() == "" {
		return false
	}
	dir, err := os.MkdirTemp("", "index")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, python310(), "-m", "pip", "download", "-q", "--no-deps", "-d", dir, "six==1.16.0").Run() == nil
})

// code runs a command and checks its exit code: code 3 reconcile plan.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [arg…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// channel creates a conda channel from the Python 3.10 of this machine, and sets PLATFORM to
// the channel's platform: channel DIR.
func channel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: channel DIR")
	}
	script := must(filepath.Abs("testdata/channel.py"))
	out, err := exec.Command(python310(), script, ts.MkAbs(args[0])).CombinedOutput()
	if err != nil {
		ts.Fatalf("%s: %v\n%s", script, err, out)
	}
	ts.Setenv("PLATFORM", map[string]string{"linux/amd64": "linux-x86_64", "linux/arm64": "linux-aarch64", "darwin/arm64": "macos-arm64"}[runtime.GOOS+"/"+runtime.GOARCH])
}

// replace replaces a text in a file: replace FILE OLD NEW.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	file := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(file, []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}

// expand expands the variables of the story in a file: expand FILE.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o644))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
