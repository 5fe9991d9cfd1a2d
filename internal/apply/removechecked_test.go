package apply

import (
	"context"
	"crypto/sha256"
	"os"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func leftFile(path, content string) state.Left {
	return state.Left{Path: path, Type: facts.Regular, SHA256: sha256.Sum256([]byte(content))}
}

// afterProbe calls do once the facts of a path were probed, so that only the removal
// itself can notice the change.
func (w *world) afterProbe(path string, do func()) func(*Options) {
	return func(o *Options) {
		done := false
		o.Probe = func(ctx context.Context, keys []facts.Key) *facts.Facts {
			f := w.probe(ctx, keys)
			for _, k := range keys {
				if k == facts.PathKey(path) && !done {
					done = true
					do()
				}
			}
			return f
		}
	}
}

func TestRemoveChecked(t *testing.T) {
	w := newWorld(t)
	w.mustApply(wantDir("d", 0o755), wantFile("f", "ours"), wantLink("l", "f"))
	r := w.mustApply(
		wantRemoved(state.Left{Path: "d", Type: facts.Dir}), wantRemoved(leftFile("f", "ours")),
		wantRemoved(state.Left{Path: "l", Type: facts.Symlink, Target: "f"}), wantRemoved(leftFile("never", "there")),
	)
	for _, name := range []string{"d", "f", "l"} {
		if _, err := os.Lstat(w.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s still exists: %v", name, err)
		}
	}
	kept := 0
	for _, item := range r.Items {
		for _, k := range item.Kept {
			kept++
			if k.Path != "f" || k.Mode != 0o644 || w.read(k.Copy) != "ours" {
				t.Errorf("kept is %+v", k)
			}
		}
	}
	if kept != 1 {
		t.Errorf("%d contents are kept, want 1", kept)
	}
}

// TestRemoveKeepsAChangedPath changes paths after their facts were probed.
func TestRemoveKeepsAChangedPath(t *testing.T) {
	for _, c := range []struct {
		name string
		left state.Left
		do   func(*world)
		want func(*world) bool
	}{
		{"d", state.Left{Path: "d", Type: facts.Dir}, func(w *world) { w.write("d/mine", "mine") }, func(w *world) bool { return w.read("d/mine") == "mine" }},
		{"d", state.Left{Path: "d", Type: facts.Dir}, func(w *world) {
			check(w.t, os.Remove(w.path("d")))
			w.write("d", "a file now")
		}, func(w *world) bool { return w.read("d") == "a file now" }},
		{"f", leftFile("f", "ours"), func(w *world) { w.write("f", "mine") }, func(w *world) bool { return w.read("f") == "mine" }},
		{"f", leftFile("f", "ours"), func(w *world) {
			check(w.t, os.Remove(w.path("f")))
			check(w.t, os.Symlink("elsewhere", w.path("f")))
		}, func(w *world) bool { target, _ := os.Readlink(w.path("f")); return target == "elsewhere" }},
		{"l", state.Left{Path: "l", Type: facts.Symlink, Target: "f"}, func(w *world) {
			check(w.t, os.Remove(w.path("l")))
			check(w.t, os.Symlink("mine", w.path("l")))
		}, func(w *world) bool { target, _ := os.Readlink(w.path("l")); return target == "mine" }},
		{"l", state.Left{Path: "l", Type: facts.Symlink, Target: "f"}, func(w *world) {
			check(w.t, os.Remove(w.path("l")))
			w.write("l", "mine")
		}, func(w *world) bool { return w.read("l") == "mine" }},
	} {
		w := newWorld(t)
		w.mustApply(wantDir("d", 0o755), wantFile("f", "ours"), wantLink("l", "f"))
		p := w.plan(wantRemoved(c.left))
		r := w.apply(t.Context(), p, w.afterProbe(c.left.Path, func() { c.do(w) }))
		r.want(t, "removed."+c.name, Failed, "apply.changed")
		if !c.want(w) {
			t.Errorf("%s is not as the user left it", c.name)
		}
		w.checkClean()
		if _, known := w.state().Entry(resources.Addr{Kind: "removed", Name: c.name}); known {
			t.Error("a failure is recorded as done")
		}
	}
}

// TestRemovalComparesAfterTheRename checks a file that was replaced between the copy to
// kept/ and the rename, which only the comparison after the rename finds.
func TestRemovalComparesAfterTheRename(t *testing.T) {
	w := newWorld(t)
	w.write("f", "mine")
	root, err := os.OpenRoot(w.root)
	check(t, err)
	defer root.Close()
	err = checkRemoved(place{root, "f"}, resources.Remove{Path: "f", Type: facts.Regular, SHA256: sha256.Sum256([]byte("ours"))})
	if err == nil || !strings.Contains(err.Error(), "the machine changed") {
		t.Errorf("got %v", err)
	}
}

func TestMove(t *testing.T) {
	w := newWorld(t)
	w.mustApply(wantDir("from", 0o755))
	w.write("from/book", "a book")
	w.mustApply(wantMade("deep/to", resources.Move{From: "from", To: "deep/to", Type: facts.Dir}))
	if w.read("deep/to/book") != "a book" {
		t.Error("the content was not moved")
	}
	// A path that is created after the probe is not replaced.
	w.write("next/mine", "mine")
	p := w.plan(wantMade("free", resources.Move{From: "deep/to", To: "free", Type: facts.Dir}))
	r := w.apply(t.Context(), p, w.afterProbe("free", func() { w.write("free/mine", "mine") }))
	r.want(t, "made.free", Failed, "apply.changed")
	if w.read("deep/to/book") != "a book" || w.read("free/mine") != "mine" {
		t.Error("one of the two is lost")
	}
	p = w.plan(wantMade("other", resources.Move{From: "deep/to", To: "other", Type: facts.Regular}))
	w.apply(t.Context(), p).want(t, "made.other", Failed, "apply.changed")
	p = w.plan(wantMade("other", resources.Move{From: "nothing", To: "other", Type: facts.Dir}))
	w.apply(t.Context(), p).want(t, "made.other", Failed, "apply.changed")
}

// TestStateChangesAreWritten writes the state changes of a plan, without an entry that
// changed since the plan.
func TestStateChangesAreWritten(t *testing.T) {
	w := newWorld(t)
	w.mustApply(wantFile("a", "x"), wantFile("b", "x"))
	a, _ := w.state().Entry(resources.Addr{Kind: "file", Name: "a"})
	b, _ := w.state().Entry(resources.Addr{Kind: "file", Name: "b"})
	b.Protect = true // as if it was another in the plan
	w.apply(t.Context(), &planner.Plan{StateChanges: planner.StateChanges{Forget: []state.Entry{a, b}}})
	if _, known := w.state().Entry(a.Addr); known {
		t.Error("a is not forgotten")
	}
	if _, known := w.state().Entry(b.Addr); !known {
		t.Error("b is forgotten although it changed")
	}
}
