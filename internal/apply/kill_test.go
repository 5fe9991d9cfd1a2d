package apply

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// exitTB is the testing.TB of a child process: an error prints and exits.
type exitTB struct{ testing.TB }

func (exitTB) Helper() {}
func (exitTB) Fatal(args ...any) {
	fmt.Println(args...)
	os.Exit(1)
}
func (l exitTB) Fatalf(format string, args ...any) { l.Fatal(fmt.Sprintf(format, args...)) }
func (l exitTB) Errorf(format string, args ...any) { l.Fatalf(format, args...) }

// childApply is a whole apply in a child process, with the lock, as in the program. It
// prints the number of items in its plan.
func childApply() {
	w := &world{t: exitTB{}, root: os.Getenv("APPLY_ROOT"), jobs: 2}
	lock, err := state.Acquire(context.Background(), layout.Lock(w.stateDir()), state.LockOptions{
		Holder: state.Holder{User: "test", PID: os.Getpid(), Command: "apply"}, Timeout: 30 * time.Second,
	})
	check(w.t, err)
	list := scenarios[os.Getenv("APPLY_SCENARIO")].list(w, os.Getenv("APPLY_GOAL"))
	p := w.plan(list...)
	r := w.apply(context.Background(), p, func(o *Options) { o.Lock = lock.File() })
	if r.Count(Done)+r.Count(Unchanged) != len(r.Items) {
		w.t.Fatal("not everything is done:\n" + r.String())
	}
	check(w.t, lock.Release())
	fmt.Println("items", len(r.Items))
}

// scenario is a project that changes from one goal to another.
type scenario struct {
	start string // first goal; "" for an empty project
	goal  string
	list  func(w *world, goal string) []resources.Resource
	// check fails the test if something is neither as in start nor as in goal.
	check func(w *world, start, goal string)
}

var scenarios = map[string]scenario{
	"first":       {"", "new", wantFiles, checkFiles},
	"change":      {"old", "new", wantFiles, checkFiles},
	"environment": {"one", "two", wantGenerations, checkEnvironment},
	"conda":       {"one", "two", wantCondaGenerations, checkCondaEnvironment},
	"first conda": {"", "two", wantCondaGenerations, checkCondaEnvironment},
}

// wantFiles returns every kind of item but environments.
func wantFiles(w *world, goal string) []resources.Resource {
	source := w.path("../source.tar.gz")
	content, err := os.ReadFile(source)
	check(w.t, err)
	list := []resources.Resource{
		wantDir("data", 0o755), wantFile("data/a", goal+" a"), wantFile("data/b", goal+" b"),
		wantFile("config/c", goal+" c"), wantLink("current", "data/"+goal), wantLink("data/"+goal, "a"),
	}
	if goal == "old" {
		return append(
			list, wantDir("private", 0o755), wantDir("going/deep", 0o755), wantFile("going/deep/x", "x"),
			wantDir("here", 0o755), wantFile("leaving", "leaving"), wantLink("leaving-too", "data/a"),
		)
	}
	return append(
		list, wantDir("private", 0o700), wantGone("going"),
		wantDir("fresh", 0o755), wantFile("fresh/f", goal+" f"),
		wantRemoved(state.Left{Path: "leaving", Type: facts.Regular, SHA256: sha256.Sum256([]byte("leaving"))}),
		wantRemoved(state.Left{Path: "leaving-too", Type: facts.Symlink, Target: "data/a"}),
		wantMoved(w, "here", "there"),
		fetch([]string{"file://" + source}, content, "tool", "tar.gz"),
		wantMade("made/marker",
			resources.MakeDir{Path: "made", Mode: 0o755}, resources.SetMode{Path: "made", Mode: 0o750},
			resources.Link{Path: "made/link", Target: "marker"}, resources.WriteFile{Path: "made/other", Mode: 0o644, Content: goal},
			resources.Run{Program: os.Args[0], Env: []string{"APPLY_HELPER=touch", "TARGET=" + w.path("made/marker")}},
		),
	)
}

// wantMoved is a directory that has another path in the old goal.
func wantMoved(w *world, from, to string) resources.Resource {
	if _, err := os.Lstat(w.path(from)); err != nil {
		return wantMade(to, resources.MakeDir{Path: to, Mode: 0o755})
	}
	return wantMade(to, resources.Move{From: from, To: to, Type: facts.Dir})
}

func checkFiles(w *world, start, goal string) {
	w.t.Helper()
	for name, tail := range map[string]string{"data/a": " a", "data/b": " b", "config/c": " c", "fresh/f": " f"} {
		text, err := os.ReadFile(w.path(name))
		old := start != "" && name != "fresh/f"
		switch {
		case errors.Is(err, os.ErrNotExist) && !old:
		case err == nil && (string(text) == goal+tail || old && string(text) == start+tail):
		default:
			w.t.Errorf("%s is neither old nor new: %q, %v", name, text, err)
		}
	}
	target, err := os.Readlink(w.path("current"))
	if err == nil && target != "data/"+goal && target != "data/"+start || err != nil && start != "" {
		w.t.Errorf("the link has target %q, %v", target, err)
	}
	if text, err := os.ReadFile(w.path("tool/lib/a.py")); err == nil && string(text) != "python/lib/a.py" {
		w.t.Errorf("the archive is incomplete: %q", text)
	}
	if _, err := os.Stat(w.path("tool")); err == nil && w.read("tool/bin/python3") == "" {
		w.t.Error("the archive is incomplete")
	}
	if text, err := os.ReadFile(w.path("going/deep/x")); err == nil && string(text) != "x" {
		w.t.Errorf("the removed tree is incomplete: %q", text)
	}
}

func wantGenerations(w *world, goal string) []resources.Resource {
	python := os.Getenv("APPLY_PYTHON")
	if goal == "one" {
		return []resources.Resource{wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"})}
	}
	source, gen := w.sdist(testSource), layout.Generation(w.stateDir(), "local", goal)
	return []resources.Resource{withSteps(wantEnvironment(w, python, goal, []string{"alpha=1", "beta=2"}), func(steps []resources.Step) []resources.Step {
		i := slices.IndexFunc(steps, func(s resources.Step) bool { _, ok := s.(resources.Assemble); return ok })
		if i < 0 {
			return steps
		}
		return slices.Insert(steps, i, resources.Step(resources.Build{Name: "demo", Version: "1.0", Key: source.SHA256, Source: source, Generation: gen, Python: minorOf(python)}))
	})}
}

// checkEnvironment checks that both packages are from one complete generation.
func checkEnvironment(w *world, start, goal string) {
	w.t.Helper()
	got := w.runActive("python", "-B", "-c", "import alpha.late, beta.late, sys; print(sys.prefix.rpartition('/')[2], alpha.version, beta.late.version)")
	if got != start+" 1 1" && got != goal+" 1 2" {
		w.t.Errorf("the environment is neither old nor new: %s", got)
	}
}

func wantCondaGenerations(w *world, goal string) []resources.Resource {
	return []resources.Resource{wantCondaEnvironment(w, os.Getenv("APPLY_PYTHON"), goal, map[string]string{"one": "1.0", "two": "2.0"}[goal])}
}

// checkCondaEnvironment checks that the packages of conda and pip are from one complete
// generation, if one is active.
func checkCondaEnvironment(w *world, start, goal string) {
	w.t.Helper()
	if _, err := os.Lstat(w.path(".venv/generation")); err != nil && start == "" {
		return
	}
	got := w.runActive("python", "-B", "-c", "import os, sys, tiny.late, beta.late; print(sys.prefix.rpartition('/')[2], tiny.late.version, beta.late.version, os.environ['CONDA_PREFIX'] == sys.prefix)")
	if got != goal+" 2.0 1 True" && (start != "one" || got != "one 1.0 1 True") {
		w.t.Errorf("the environment is neither old nor new: %s", got)
	}
	seal, err := pyenv.ReadSeal(w.path(".venv/generation"))
	check(w.t, err)
	_, damage, err := pyenv.Verify(w.t.Context(), w.path(layout.Generation(w.stateDir(), "local", path.Base(seal.Prefix))), seal, nil, true, nil)
	if err != nil || len(damage) > 0 {
		w.t.Errorf("the active generation: %v, %v", damage, err)
	}
}

// failpointBinary builds this test binary with failpoints.
func failpointBinary(t *testing.T) string {
	t.Helper()
	if failpoint.Enabled {
		return os.Args[0]
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build a binary with failpoints")
	}
	binary := filepath.Join(t.TempDir(), "apply.test")
	if out, err := exec.Command("go", "test", "-c", "-tags", "failpoints", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build with failpoints: %v\n%s", err, out)
	}
	return binary
}

// crashTest is a scenario whose process is killed at each failpoint.
type crashTest struct {
	binary, name, python string
	scenario
}

func (s *crashTest) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	check(t, os.WriteFile(w.path("source.tar.gz"), pythonArchive(t), 0o600))
	w.root = w.path("project")
	check(t, os.Mkdir(w.root, 0o755))
	if s.start != "" {
		if out, err := s.run(w, s.start); err != nil {
			t.Fatalf("apply the first goal: %v\n%s", err, out)
		}
	}
	return w
}

// run applies a goal in a child process.
func (s *crashTest) run(w *world, goal string, env ...string) (string, error) {
	c := exec.Command(s.binary)
	c.Env = append(os.Environ(), append(env, "APPLY_HELPER=apply", "APPLY_ROOT="+w.root, "APPLY_SCENARIO="+s.name, "APPLY_GOAL="+goal, "APPLY_PYTHON="+s.python)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}

// hits lists every hit of every failpoint: "name:1", "name:2" …
func (s *crashTest) hits(t *testing.T) []string {
	t.Helper()
	w := s.world(t)
	list := filepath.Join(t.TempDir(), "list")
	if out, err := s.run(w, s.goal, "RECONCILE_FAILPOINT_LIST="+list); err != nil {
		t.Fatalf("without a crash: %v\n%s", err, out)
	}
	text, err := os.ReadFile(list)
	check(t, err)
	count := map[string]int{}
	var all []string
	for name := range strings.FieldsSeq(string(text)) {
		count[name]++
		all = append(all, fmt.Sprintf("%s:%d", name, count[name]))
	}
	return all
}

// killAt kills an apply at one hit, then checks the project, that the next apply
// succeeds, and that the one after has nothing to do.
func (s *crashTest) killAt(t *testing.T, w *world, at string) {
	out, err := s.run(w, s.goal, "RECONCILE_FAILPOINT="+at)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("not killed: %v\n%s", err, out)
	}
	s.check(w, s.start, s.goal)
	if _, err := state.Read(layout.Journal(w.stateDir())); err != nil {
		t.Errorf("the journal: %v", err)
	}
	if out, err := s.run(w, s.goal); err != nil {
		t.Fatalf("the next apply: %v\n%s", err, out)
	}
	s.check(w, s.goal, s.goal)
	w.checkClean()
	if out, err := s.run(w, s.goal); err != nil || out != "items 0\n" {
		t.Errorf("the one after: %v, %q", err, out)
	}
	st := w.state()
	if n := len(st.Pending()); n != 0 {
		t.Errorf("%d items are still pending", n)
	}
	for _, r := range s.list(w, s.goal) {
		e, ok := st.Entry(r.Addr)
		if r.Addr.Kind == "file" && (!ok || e.Ownership != state.Created) {
			t.Errorf("%s does not count as created: %+v", r.Addr, e)
		}
	}
	if sw := st.Switches("local"); s.python != "" {
		if want := 1 + min(1, len(s.start)); len(sw) != want || sw[want-1].To != s.goal {
			t.Errorf("switches are %+v", sw)
		}
	}
}

func TestCrashAnywhere(t *testing.T) {
	binary := failpointBinary(t)
	seen := map[string]bool{}
	t.Run("crash", func(t *testing.T) {
		for _, name := range []string{"first", "change", "environment", "conda", "first conda"} {
			s := &crashTest{binary: binary, name: name, scenario: scenarios[name]}
			if name != "first" && name != "change" {
				s.python = findPython(t)
				t.Setenv("APPLY_PYTHON", s.python)
			}
			all := s.hits(t)
			for i, at := range all {
				point, _, _ := strings.Cut(at, ":")
				seen[point] = true
				if testing.Short() && i%7 != 0 {
					continue
				}
				t.Run(name+"/"+at, func(t *testing.T) { s.killAt(t, s.world(t), at) })
			}
		}
	})
	var missed []string
	for _, name := range failpoint.Names() {
		if !seen[name] && !strings.HasPrefix(name, "prune.") { // of internal/storage
			missed = append(missed, name)
		}
	}
	if len(missed) > 0 {
		t.Errorf("no scenario hits %v", missed)
	}
}

// TestConcurrentApplies starts several at the same time: the lock serialises them, and
// all succeed.
func TestConcurrentApplies(t *testing.T) {
	s := &crashTest{binary: os.Args[0], name: "change", scenario: scenarios["change"]}
	w := s.world(t)
	type end struct {
		out string
		err error
	}
	ends := make(chan end)
	for i := range 6 {
		goal := []string{"new", "newer"}[i%2]
		go func() {
			out, err := s.run(w, goal)
			ends <- end{out, err}
		}()
	}
	var outs []string
	for range 6 {
		e := <-ends
		if e.err != nil {
			t.Errorf("%v\n%s", e.err, e.out)
		}
		outs = append(outs, strings.TrimSpace(e.out))
	}
	slices.Sort(outs)
	if outs[0] == outs[len(outs)-1] {
		t.Errorf("all had the same number of items: %v", outs)
	}
	a, b := w.read("data/a"), w.read("data/b")
	if strings.Fields(a)[0] != strings.Fields(b)[0] {
		t.Errorf("a mixture: %q and %q", a, b)
	}
	w.checkClean()
}
