package apply

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func TestApplyCreatesEverything(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	w := newWorld(t)
	list := []resources.Resource{
		wantDir("data", 0o755), wantDir("data/raw", 0o750), wantFile("data/raw/a", "one"), wantFile("deep/er/b", "two"), wantLink("data/l", "raw/a"),
	}
	r := w.mustApply(list...)
	if r.Count(Done) != 5 || r.Failed() != 0 {
		t.Errorf("got\n%s", r)
	}
	info, err := os.Stat(w.path("data/raw"))
	check(t, err)
	file, err := os.Stat(w.path("deep/er/b"))
	check(t, err)
	if info.Mode().Perm() != 0o750 || file.Mode().Perm() != 0o644 || w.read("data/l") != "one" {
		t.Errorf("modes %v, %v; link reads %q", info.Mode(), file.Mode(), w.read("data/l"))
	}
	entries := w.state().Entries()
	if e := entries[resources.Addr{Kind: "file", Name: "data/raw/a"}]; e.Ownership != state.Created || e.Left.SHA256 != sha256.Sum256([]byte("one")) {
		t.Errorf("the journal has %+v", e)
	}
	if len(entries) != 5 || len(w.state().Pending()) != 0 {
		t.Errorf("%d entries, %d pending", len(entries), len(w.state().Pending()))
	}
	check(t, os.Chmod(w.path("data/raw"), 0o700))
	w.mustApply(list...)
	if e := w.state().Entries()[resources.Addr{Kind: "directory", Name: "data/raw"}]; e.Ownership != state.Created {
		t.Errorf("after an update it is %q, not created", e.Ownership)
	}
}

func TestReplacedContentIsKept(t *testing.T) {
	w := newWorld(t)
	w.write("a", "mine")
	r := w.mustApply(wantFile("a", "theirs"))
	e := w.state().Entries()[resources.Addr{Kind: "file", Name: "a"}]
	if e.Ownership != state.Adopted || e.Kept != sha256.Sum256([]byte("mine")) {
		t.Errorf("the journal has %+v", e)
	}
	if got := w.read(layout.Kept(w.stateDir()) + "/" + e.Kept.String()); got != "mine" {
		t.Errorf("kept is %q", got)
	}
	want := []Kept{{Path: "a", SHA256: e.Kept, Mode: 0o644, Copy: layout.Kept(w.stateDir()) + "/" + e.Kept.String()}}
	if got := r.Items[0].Kept; !slices.Equal(got, want) {
		t.Errorf("the result has %v", got)
	}
}

func TestChangedSinceThePlan(t *testing.T) {
	w := newWorld(t)
	w.write("edited", "old")
	list := []resources.Resource{
		wantFile("edited", "new"), wantFile("appeared", "new"), wantFile("same", "new"),
		wantDir("d", 0o755), wantFile("d/in", "new"), wantFile("fine", "new"),
	}
	p := w.plan(list...)
	w.write("edited", "by the user")
	w.write("appeared", "by the user")
	w.write("same", "new")
	w.write("d", "a file")
	r := w.apply(t.Context(), p)
	found := r.want(t, "file.edited", Failed, "apply.changed")
	if !strings.Contains(found.Found, "path:edited") || !strings.Contains(found.Found, "sha256") {
		t.Errorf("found is %q", found.Found)
	}
	r.want(t, "file.appeared", Failed, "apply.changed")
	r.want(t, "file.same", Unchanged, "")
	r.want(t, "directory.d", Failed, "apply.changed")
	if why := r.want(t, "file.d/in", Skipped, "apply.skipped"); !strings.Contains(why.Summary, "directory.d failed") || why.Addr != "file.d/in" {
		t.Errorf("skipped because of %+v", why)
	}
	r.want(t, "file.fine", Done, "")
	if w.read("edited") != "by the user" || w.read("appeared") != "by the user" {
		t.Error("an edit was lost")
	}
	w.checkClean()
}

// TestEditDuringApplyIsKept edits files after their facts were probed, so that only the
// comparison right before the rename can notice it.
func TestEditDuringApplyIsKept(t *testing.T) {
	w := newWorld(t)
	w.write("a", "old")
	w.write("b", "old")
	p := w.plan(wantFile("a", "new"), wantFile("b", "new"), wantFile("c", "new"))
	once := false
	r := w.apply(t.Context(), p, func(o *Options) {
		o.Probe = func(ctx context.Context, keys []facts.Key) *facts.Facts {
			f := w.probe(ctx, keys)
			if !once {
				once = true
				w.write("a", "by the user")
				check(t, os.Remove(w.path("b")))
				w.write("c", "by the user")
			}
			return f
		}
	})
	for _, name := range []string{"file.a", "file.b", "file.c"} {
		r.want(t, name, Failed, "apply.changed")
	}
	if w.read("a") != "by the user" || w.read("c") != "by the user" {
		t.Error("an edit was lost")
	}
	if _, err := os.Lstat(w.path("b")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file that the user removed exists again")
	}
	w.checkClean()
}

func TestDeferredIsDecidedDuringApply(t *testing.T) {
	w := newWorld(t)
	first := wantFile("list", "x")
	first.Spec.(*spec).diff = dropPredictions(first.Spec.(*spec).diff)
	second := wantFile("from-list", "y")
	second.Spec.(*spec).reads = []facts.Key{facts.PathKey("list")}
	blocked := wantMade("never")
	blocked.Spec.(*spec).reads = []facts.Key{facts.PathKey("list")}
	blocked.Spec.(*spec).diff = func(facts.View) resources.Change {
		return resources.Block(&diag.Problem{Code: "test.no", Summary: "blocked by the test"})
	}
	p := w.plan(first, second, blocked)
	if got := p.Totals().Deferred; got != 2 {
		t.Fatalf("%d deferred", got)
	}
	r := w.apply(t.Context(), p)
	r.want(t, "file.from-list", Done, "")
	r.want(t, "made.never", Failed, "test.no")
	if e := w.state().Entries()[resources.Addr{Kind: "file", Name: "from-list"}]; e.Ownership != state.Created {
		t.Errorf("entry is %+v", e)
	}
}

func dropPredictions(diff func(facts.View) resources.Change) func(facts.View) resources.Change {
	return func(v facts.View) resources.Change {
		c := diff(v)
		c.Predicts = nil
		return c
	}
}

func TestNotSettledIsAnError(t *testing.T) {
	w := newWorld(t)
	wrong := wantMade("x", resources.MakeDir{Path: "y", Mode: 0o755})
	second := wantMade("z", resources.Remove{Path: "nothing"})
	r := w.apply(t.Context(), w.plan(wrong, second))
	r.want(t, "made.x", Failed, "apply.not-settled")
	r.want(t, "made.z", Failed, "apply.not-settled")
	if len(w.state().Entries()) != 0 || len(w.state().Pending()) != 0 {
		t.Error("the journal counts it as done or pending")
	}
}

func TestUnreadableFactChangesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.plan(wantFile("a", "new"))
	r := w.apply(t.Context(), p, func(o *Options) {
		o.Probe = func(_ context.Context, keys []facts.Key) *facts.Facts {
			f := &facts.Facts{}
			f.Fail(keys[0], "permission denied")
			return f
		}
	})
	r.want(t, "file.a", Failed, "apply.not-seen")
}

func TestChecksAndBlocked(t *testing.T) {
	w := newWorld(t)
	warn := newResource("disk", "d", &spec{owns: facts.PathKey("."), diff: func(facts.View) resources.Change {
		return resources.Change{Problem: &diag.Problem{Severity: diag.Warn, Summary: "little room"}}
	}})
	no := newResource("gpu", "g", &spec{owns: facts.PathKey("gpu"), diff: func(facts.View) resources.Change {
		return resources.Block(&diag.Problem{Code: "gpu.none", Summary: "no GPU"})
	}})
	after := wantFile("a", "x")
	after.DependsOn = []resources.Addr{no.Addr}
	r := w.apply(t.Context(), w.plan(warn, no, after))
	r.want(t, "disk.d", Unchanged, "")
	r.want(t, "gpu.g", Failed, "gpu.none")
	if o := r.outcome(t, "file.a"); o.Outcome == Done {
		t.Error("done although it depends on a blocked item")
	}
}

func TestRemoveGoesThroughTheTrash(t *testing.T) {
	w := newWorld(t)
	outside := filepath.Join(t.TempDir(), "precious")
	check(t, os.WriteFile(outside, []byte("kept"), 0o600))
	w.write("tree/a/b", "x")
	w.write("tree/locked/c", "x")
	check(t, os.Symlink(filepath.Dir(outside), w.path("tree/out")))
	check(t, os.Chmod(w.path("tree/locked"), 0))
	w.write("single", "x")
	w.mustApply(wantGone("tree"), wantGone("single"), wantGone("never-there"))
	if got, err := os.ReadFile(outside); err != nil || string(got) != "kept" {
		t.Errorf("through the link: %q, %v", got, err)
	}
}

func TestRemoveRejectsMistakes(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HOME", w.path("home/ann"))
	w.write("home/ann/file", "x")
	w.write("repository/.git/HEAD", "x")
	w.write(w.stateDir()+"/runs/1", "x")
	t.Chdir(w.path("home"))
	e := newEngine(w.plan(), Options{Root: w.root, Store: w.store(), State: w.stateDir()})
	check(t, e.open(t.Context()))
	defer e.close()
	for _, name := range []string{"", "/", ".", "home", "home/ann", "repository", w.store(), w.stateDir(), "..", w.root, filepath.Dir(w.root), "home/../../x"} {
		if err := (&task{engine: e}).remove(resources.Remove{Path: name}); err == nil {
			t.Errorf("%q was removed", name)
		}
	}
	if w.read("home/ann/file") != "x" {
		t.Error("the file was removed")
	}
}

func TestOutsidePaths(t *testing.T) {
	w := newWorld(t)
	outside, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	w.mustApply(wantDir(outside+"/models", 0o755), wantFile(outside+"/models/deep/a", "x"), wantLink("models", outside+"/models"))
	if w.read("models/deep/a") != "x" {
		t.Error("the file is missing")
	}
	w.mustApply(wantGone(outside + "/models"))
}

func TestLinksCannotLeadOutside(t *testing.T) {
	w := newWorld(t)
	victim := t.TempDir()
	check(t, os.Symlink(victim, w.path("data")))
	r := w.apply(t.Context(), w.plan(wantFile("data/a", "x"), wantMade("data/b", resources.Remove{Path: "none"}, resources.WriteFile{Path: "data/b", Mode: 0o644})))
	r.want(t, "file.data/a", Failed, "")
	r.want(t, "made.data/b", Failed, "")
	if entries, _ := os.ReadDir(victim); len(entries) != 0 {
		t.Errorf("written outside: %v", entries)
	}
}

func TestLinkReplacesNoFile(t *testing.T) {
	w := newWorld(t)
	w.write("l", "precious")
	r := w.apply(t.Context(), w.plan(wantLink("l", "x")))
	r.want(t, "link.l", Failed, "")
	if w.read("l") != "precious" {
		t.Error("the file was replaced")
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	w.mustApply(wantFile("a", "x"), wantMade("m", resources.Remove{Path: "none"}, resources.MakeDir{Path: "m", Mode: 0o755}))
	var kinds []string
	for _, ev := range w.events {
		if ev.Time.IsZero() {
			t.Errorf("no time: %+v", ev)
		}
		if ev.Addr.Name == "m" {
			kinds = append(kinds, string(ev.Kind)+ev.Step)
		}
	}
	if got := strings.Join(kinds, " "); got != "started stepremove stepmake_dir done" {
		t.Errorf("events of m: %s", got)
	}
	if w.events[0].Kind != PlanStarted || w.events[len(w.events)-1].Kind != Finished {
		t.Error("the first or last event is missing")
	}
}

func TestWithoutAJournal(t *testing.T) {
	w := newWorld(t)
	r := Run(t.Context(), w.plan(wantFile("a", "x"), wantGone("b")), w.options())
	if r.Failed() != 0 || w.read("a") != "x" {
		t.Errorf("got\n%s", r)
	}
}

func TestMissingProject(t *testing.T) {
	w := newWorld(t)
	p := w.plan(wantFile("a", "x"))
	r := Run(t.Context(), p, Options{Root: w.path("gone"), Store: w.store(), State: w.stateDir(), Probe: w.probe})
	r.want(t, "file.a", Failed, "apply.error")
}

func TestEveryStepHasItsFailpoints(t *testing.T) {
	names := map[string]bool{}
	for _, n := range failpoint.Names() {
		names[n] = true
	}
	for _, s := range resources.StepNames() {
		for _, when := range []string{"before", "after"} {
			if n := "step." + s + "." + when; !names[n] {
				t.Errorf("no failpoint %s", n)
			}
		}
	}
}
