package apply

import (
	"crypto/sha256"
	"errors"
	"path"
	"path/filepath"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// record calls write with the journal, one goroutine at a time. Without a journal it
// does nothing.
func (e *engine) record(write func(*state.Journal) error) error {
	if e.o.Journal == nil {
		return nil
	}
	e.journal.Lock()
	defer e.journal.Unlock()
	return write(e.o.Journal)
}

// intent returns the journal entry for an item whose steps are about to run.
func intent(it *planner.Item, c resources.Change) state.Intent {
	in := state.Intent{Addr: it.Resource.Addr, Key: it.Resource.Spec.Owns(), Action: c.Action, From: it.From, Protect: it.Resource.Protect}
	if c.Action != resources.Delete {
		in.Spec = resources.Digest(it.Resource.Spec)
	}
	// A path counts as its last step leaves it: a Remove may precede a Fetch.
	makes := func(l state.Left) {
		in.Makes = append(slices.DeleteFunc(in.Makes, func(old state.Left) bool { return old.Path == l.Path }), l)
		in.Known = true
	}
	for _, s := range c.Steps {
		switch s := s.(type) {
		case resources.MakeDir:
			makes(state.Left{Path: s.Path, Type: facts.Dir})
		case resources.WriteFile:
			makes(state.Left{Path: s.Path, Type: facts.Regular, SHA256: sha256.Sum256([]byte(s.Content))})
		case resources.Link:
			makes(state.Left{Path: s.Path, Type: facts.Symlink, Target: s.Target})
		case resources.Fetch:
			if s.Unpack != "" {
				makes(state.Left{Path: s.Path, Type: facts.Dir})
			} else {
				makes(state.Left{Path: s.Path, Type: facts.Regular, SHA256: s.SHA256})
			}
		case resources.Remove:
			makes(state.Left{Path: s.Path, Type: facts.Absent})
			in.Known = c.Action == resources.Delete
		case resources.Move: // the content of a file is unknown
			makes(state.Left{Path: s.From, Type: facts.Absent})
			makes(state.Left{Path: s.To, Type: s.Type})
			in.Known = s.Type == facts.Dir
		case resources.Switch:
			makes(state.Left{Path: s.Link, Type: facts.Symlink, Target: switchTarget(s)})
		default: // the result of such a step cannot be seen at a path
			in.Known = false
		}
	}
	return in
}

// switchTarget returns the target of the link of a Switch. It is relative, so that a
// project can be reached by more than one path.
func switchTarget(s resources.Switch) string {
	rel, err := filepath.Rel(filepath.FromSlash(path.Dir(s.Link)), filepath.FromSlash(s.Target))
	if err != nil {
		return s.Target // one is absolute, the other is not
	}
	return filepath.ToSlash(rel)
}

// newEntry returns the state entry of a finished item. It is called within record.
func newEntry(j *state.Journal, it *planner.Item, action resources.Action, f *facts.Facts, kept facts.SHA256) state.Entry {
	r := it.Resource
	return state.Entry{
		Addr: r.Addr, Key: r.Spec.Owns(), Ownership: ownership(j, r.Addr, it.From, action), Action: action, Kept: kept,
		Spec: resources.Digest(r.Spec), Left: resources.LeftAt(f, r.Spec.Owns()), Protect: r.Protect,
	}
}

// update writes the state changes of the plan. An entry to forget that changed since the
// plan is kept.
func (e *engine) update() error {
	if e.stateChanges.IsEmpty() {
		return nil
	}
	return e.record(func(j *state.Journal) error {
		var gone []resources.Addr
		for _, planned := range e.stateChanges.Forget {
			if now, ok := j.Entry(planned.Addr); ok && now == planned {
				gone = append(gone, planned.Addr)
			}
		}
		return j.Update(e.stateChanges.Entries, gone)
	})
}

// recordDone records that an item is done, and forgets the entry of its previous
// address in the same line, so that a crash leaves neither both nor none. The entry of an
// environment is kept until its generations are pruned.
func recordDone(j *state.Journal, it *planner.Item, done state.Entry) error {
	if it.From.Kind == "" || done.Key.Kind != facts.KindPath {
		return j.Done(done)
	}
	return j.Moved(it.From, done)
}

// ownership returns Created for what apply created, now or earlier, and never for what
// existed before. from is the previous address of the resource, if any.
func ownership(j *state.Journal, a, from resources.Addr, action resources.Action) state.Ownership {
	prior, known := j.Entry(a)
	if !known && from.Kind != "" {
		prior, known = j.Entry(from)
	}
	switch {
	case action == resources.Create:
		return state.Created
	case action == resources.None && !known:
		return state.Observed
	case known && (prior.Ownership != state.Observed || action == resources.None):
		return prior.Ownership
	}
	return state.Adopted
}

// recordUnchanged records items that needed no change when they were rechecked.
func (e *engine) recordUnchanged(f *facts.Facts, items ...*planner.Item) error {
	if len(items) == 0 {
		return nil
	}
	return e.record(func(j *state.Journal) error {
		var list []state.Entry
		for _, it := range items {
			action := resources.None
			if it.Change.Action == resources.Delete {
				action = resources.Delete // already gone, and no longer managed
			}
			list = append(list, newEntry(j, it, action, f, facts.SHA256{}))
		}
		return j.Done(list...)
	})
}

// recordFailure records that a started item failed, and returns err.
func (e *engine) recordFailure(it *planner.Item, err error) error {
	wrote := e.record(func(j *state.Journal) error { return j.Failed(failure(it, err)) })
	if wrote != nil {
		return errors.Join(err, wrote)
	}
	return err
}

func failure(it *planner.Item, err error) state.Failure {
	f := state.Failure{Addr: it.Resource.Addr}
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		f.Code = p.Code
	}
	return f
}
