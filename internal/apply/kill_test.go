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

// loud is the testing.TB of a process that is no test: it prints and ends.
type loud struct{ testing.TB }

func (loud) Helper() {}
func (loud) Fatal(args ...any) {
	fmt.Println(args...)
	os.Exit(1)
}
func (l loud) Fatalf(format string, args ...any) { l.Fatal(fmt.Sprintf(format, args...)) }
func (l loud) Errorf(format string, args ...any) { l.Fatalf(format, args...) }

// childApply is a whole apply in a process of its own, with the lock, as the
// program itself does it. It prints how many items were not settled before.
func childApply() {
	w := &world{t: loud{}, root: os.Getenv("APPLY_ROOT"), jobs: 2}
	lock, err := state.Acquire(context.Background(), w.path(layout.Lock(part)), state.LockOptions{
		Holder: state.Holder{User: "test", PID: os.Getpid(), Command: "apply"}, Timeout: 30 * time.Second,
	})
	check(w.t, err)
	list := scenarios[os.Getenv("APPLY_SCENARIO")].wants(w, os.Getenv("APPLY_GOAL"))
	p := w.plan(list...)
	r := w.apply(context.Background(), p, func(o *Options) { o.Lock = lock.File() })
	if r.Count(Done)+r.Count(Unchanged) != len(r.Items) {
		w.t.Fatal("did not converge:\n" + r.String())
	}
	check(w.t, lock.Release())
	fmt.Println("items", len(r.Items))
}

// scenario is a world that is brought from one goal to the next.
type scenario struct {
	start string // goal that holds at first; "" for nothing at all
	goal  string
	wants func(w *world, goal string) []resources.Resource
	// sound fails the test where something is neither as at the start nor as the
	// goal wants it.
	sound func(w *world, start, goal string)
}

var scenarios = map[string]scenario{
	"first":       {"", "new", wantFiles, soundFiles},
	"change":      {"old", "new", wantFiles, soundFiles},
	"environment": {"one", "two", wantGenerations, soundEnvironment},
	"conda":       {"one", "two", wantCondaGenerations, soundCondaEnvironment},
	"first conda": {"", "two", wantCondaGenerations, soundCondaEnvironment},
}

// wantFiles has every sort of item that is not an environment.
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
		wantTaken(state.Left{Path: "leaving", Type: facts.Regular, SHA256: sha256.Sum256([]byte("leaving"))}),
		wantTaken(state.Left{Path: "leaving-too", Type: facts.Symlink, Target: "data/a"}),
		wantThere(w, "here", "there"),
		fetch([]string{"file://" + source}, content, "tool", "tar.gz"),
		wantMade("made/marker",
			resources.MakeDir{Path: "made", Mode: 0o755}, resources.SetMode{Path: "made", Mode: 0o750},
			resources.Link{Path: "made/link", Target: "marker"}, resources.WriteFile{Path: "made/other", Mode: 0o644, Content: goal},
			resources.Run{Program: os.Args[0], Env: []string{"APPLY_HELPER=touch", "TARGET=" + w.path("made/marker")}},
		),
	)
}

// wantThere is a directory that stands at another place at the old goal.
func wantThere(w *world, from, to string) resources.Resource {
	if _, err := os.Lstat(w.path(from)); err != nil {
		return wantMade(to, resources.MakeDir{Path: to, Mode: 0o755})
	}
	return wantMade(to, resources.Move{From: from, To: to, Type: facts.Dir})
}

func soundFiles(w *world, start, goal string) {
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
		w.t.Errorf("the link leads to %q, %v", target, err)
	}
	if text, err := os.ReadFile(w.path("tool/lib/a.py")); err == nil && string(text) != "python/lib/a.py" {
		w.t.Errorf("the archive is half there: %q", text)
	}
	if _, err := os.Stat(w.path("tool")); err == nil && w.read("tool/bin/python3") == "" {
		w.t.Error("the archive is half there")
	}
	if text, err := os.ReadFile(w.path("going/deep/x")); err == nil && string(text) != "x" {
		w.t.Errorf("what goes is half gone: %q", text)
	}
}

func wantGenerations(w *world, goal string) []resources.Resource {
	python := os.Getenv("APPLY_PYTHON")
	if goal == "one" {
		return []resources.Resource{wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"}, nil)}
	}
	return []resources.Resource{wantEnvironment(w, python, goal, []string{"alpha=1", "beta=2"}, []string{"alpha"})}
}

// soundEnvironment enters through the visible place: both packages come from one
// complete generation.
func soundEnvironment(w *world, start, goal string) {
	w.t.Helper()
	got := w.enter("python", "-B", "-c", "import alpha.late, beta.late, sys; print(sys.prefix.rpartition('/')[2], alpha.version, beta.late.version)")
	if got != start+" 1 1" && got != goal+" 1 2" {
		w.t.Errorf("the environment is neither old nor new: %s", got)
	}
}

func wantCondaGenerations(w *world, goal string) []resources.Resource {
	return []resources.Resource{wantCondaEnvironment(w, os.Getenv("APPLY_PYTHON"), goal, map[string]string{"one": "1.0", "two": "2.0"}[goal])}
}

// soundCondaEnvironment enters through the visible place, where something is visible:
// what conda and what pip brought come from one complete generation.
func soundCondaEnvironment(w *world, start, goal string) {
	w.t.Helper()
	if _, err := os.Lstat(w.path(".venv/generation")); err != nil && start == "" {
		return
	}
	got := w.enter("python", "-B", "-c", "import os, sys, tiny.late, beta.late; print(sys.prefix.rpartition('/')[2], tiny.late.version, beta.late.version, os.environ['CONDA_PREFIX'] == sys.prefix)")
	if got != goal+" 2.0 1 True" && (start != "one" || got != "one 1.0 1 True") {
		w.t.Errorf("the environment is neither old nor new: %s", got)
	}
	seal, err := pyenv.ReadSeal(w.path(".venv/generation"))
	check(w.t, err)
	damage, err := pyenv.Verify(w.t.Context(), w.path(layout.Generation(part, "local", path.Base(seal.Prefix))), seal, true, nil)
	if err != nil || len(damage) > 0 {
		w.t.Errorf("the visible generation: %v, %v", damage, err)
	}
}

// crashing builds this test binary with the failpoints in it.
func crashing(t *testing.T) string {
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

// sweep is one scenario in which a process is killed again and again.
type sweep struct {
	binary, name, python string
	scenario
}

func (s *sweep) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	check(t, os.WriteFile(w.path("source.tar.gz"), python(t), 0o600))
	w.root = w.path("project")
	check(t, os.Mkdir(w.root, 0o755))
	if s.start != "" {
		if out, err := s.run(w, s.start); err != nil {
			t.Fatalf("make the start: %v\n%s", err, out)
		}
	}
	return w
}

// run runs an apply towards a goal in a process of its own.
func (s *sweep) run(w *world, goal string, env ...string) (string, error) {
	c := exec.Command(s.binary)
	c.Env = append(os.Environ(), append(env, "APPLY_HELPER=apply", "APPLY_ROOT="+w.root, "APPLY_SCENARIO="+s.name, "APPLY_GOAL="+goal, "APPLY_PYTHON="+s.python)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}

// passages lists every passage of every failpoint: "name:1", "name:2" …
func (s *sweep) passages(t *testing.T) []string {
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

// killAt kills an apply at one passage, then shows that what is there is sound,
// that the next apply converges, and that the one after finds nothing to do.
func (s *sweep) killAt(t *testing.T, w *world, at string) {
	out, err := s.run(w, s.goal, "RECONCILE_FAILPOINT="+at)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("not killed: %v\n%s", err, out)
	}
	s.sound(w, s.start, s.goal)
	if _, err := state.Read(w.path(layout.Journal(part))); err != nil {
		t.Errorf("the journal: %v", err)
	}
	if out, err := s.run(w, s.goal); err != nil {
		t.Fatalf("the next apply: %v\n%s", err, out)
	}
	s.sound(w, s.goal, s.goal)
	w.clean()
	if out, err := s.run(w, s.goal); err != nil || out != "items 0\n" {
		t.Errorf("the one after: %v, %q", err, out)
	}
	st := w.state()
	if n := len(st.Pending()); n != 0 {
		t.Errorf("%d items are pending for ever", n)
	}
	for _, r := range s.wants(w, s.goal) {
		e, ok := st.Entry(r.Addr)
		if r.Addr.Kind == "file" && (!ok || e.Ownership != state.Created) {
			t.Errorf("the journal forgot that we made %s: %+v", r.Addr, e)
		}
	}
	if sw := st.Switches("local"); s.python != "" {
		if want := 1 + min(1, len(s.start)); len(sw) != want || sw[want-1].To != s.goal {
			t.Errorf("switches are %+v", sw)
		}
	}
}

func TestKilledAnywhere(t *testing.T) {
	binary := crashing(t)
	seen := map[string]bool{}
	t.Run("sweep", func(t *testing.T) {
		for _, name := range []string{"first", "change", "environment", "conda", "first conda"} {
			s := &sweep{binary: binary, name: name, scenario: scenarios[name]}
			if name != "first" && name != "change" {
				s.python = real(t)
				t.Setenv("APPLY_PYTHON", s.python)
			}
			all := s.passages(t)
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
		if !seen[name] {
			missed = append(missed, name)
		}
	}
	if len(missed) > 0 {
		t.Errorf("no scenario passes %v", missed)
	}
}

// TestTwoAtOnce starts many at the same time: the lock makes one wait for the
// other, and all of them succeed.
func TestTwoAtOnce(t *testing.T) {
	s := &sweep{binary: os.Args[0], name: "change", scenario: scenarios["change"]}
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
		t.Errorf("all did the same: %v", outs)
	}
	a, b := w.read("data/a"), w.read("data/b")
	if strings.Fields(a)[0] != strings.Fields(b)[0] {
		t.Errorf("a mixture: %q and %q", a, b)
	}
	w.clean()
}
