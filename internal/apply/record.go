package apply

import (
	"crypto/sha256"
	"errors"
	"path"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// record writes to the journal, one goroutine at a time. Without a journal
// nothing is remembered.
func (e *engine) record(write func(*state.Journal) error) error {
	if e.o.Journal == nil {
		return nil
	}
	e.journal.Lock()
	defer e.journal.Unlock()
	return write(e.o.Journal)
}

// intent says what an item is about to do.
func intent(it *planner.Item, c resources.Change) state.Intent {
	in := state.Intent{Addr: it.Resource.Addr, Key: it.Resource.Spec.Owns(), Action: c.Action, From: it.From, Protect: it.Resource.Protect}
	if c.Action != resources.Delete {
		in.Spec = resources.Digest(it.Resource.Spec)
	}
	for _, s := range c.Steps {
		switch s := s.(type) {
		case resources.MakeDir:
			in.Makes, in.Known = append(in.Makes, state.Left{Path: s.Path, Type: facts.Dir}), true
		case resources.WriteFile:
			in.Makes, in.Known = append(in.Makes, state.Left{Path: s.Path, Type: facts.Regular, SHA256: sha256.Sum256([]byte(s.Content))}), true
		case resources.Link:
			in.Makes, in.Known = append(in.Makes, state.Left{Path: s.Path, Type: facts.Symlink, Target: s.Target}), true
		case resources.Fetch:
			in.Makes, in.Known = append(in.Makes, fetched(s)), true
		case resources.Remove:
			in.Makes, in.Known = append(in.Makes, state.Left{Path: s.Path, Type: facts.Absent}), c.Action == resources.Delete
		case resources.Move: // of a file only the type is known
			in.Makes, in.Known = append(in.Makes, state.Left{Path: s.From, Type: facts.Absent}, state.Left{Path: s.To, Type: s.Type}), s.Type == facts.Dir
		case resources.Switch:
			in.Makes, in.Known = append(in.Makes, state.Left{Path: s.Link, Type: facts.Symlink, Target: switchTarget(s)}), true
		default: // what such a step leaves cannot be told by looking
			in.Known = false
		}
	}
	in.Makes = lastOfEach(in.Makes)
	return in
}

// lastOfEach keeps what is said last of each path: a Remove before a Fetch of the
// same path does not say that nothing will stand there.
func lastOfEach(list []state.Left) []state.Left {
	last := map[string]int{}
	for i, l := range list {
		last[l.Path] = i
	}
	var out []state.Left
	for i, l := range list {
		if last[l.Path] == i {
			out = append(out, l)
		}
	}
	return out
}

func fetched(s resources.Fetch) state.Left {
	if s.Unpack != "" {
		return state.Left{Path: s.Path, Type: facts.Dir}
	}
	return state.Left{Path: s.Path, Type: facts.Regular, SHA256: s.SHA256}
}

// switchTarget is what the link of a Switch says: relative, so that a project can
// be reached by more than one path.
func switchTarget(s resources.Switch) string {
	rel, err := filepath.Rel(filepath.FromSlash(path.Dir(s.Link)), filepath.FromSlash(s.Target))
	if err != nil {
		return s.Target // both are absolute, or one is outside: written as it is
	}
	return filepath.ToSlash(rel)
}

// entry says what an item left behind. It is called while j is held by record.
func entry(j *state.Journal, it *planner.Item, action resources.Action, f *facts.Facts, kept facts.SHA256) state.Entry {
	r := it.Resource
	return state.Entry{
		Addr: r.Addr, Key: r.Spec.Owns(), Ownership: ownership(j, r.Addr, it.From, action), Action: action, Kept: kept,
		Spec: resources.Digest(r.Spec), Left: resources.LeftAt(f, r.Spec.Owns()), Protect: r.Protect,
	}
}

// update writes what the plan says of the memory alone. An entry that has changed
// since the plan is left as it is.
func (e *engine) update() error {
	if e.stateUpdate.IsEmpty() {
		return nil
	}
	return e.record(func(j *state.Journal) error {
		var gone []resources.Addr
		for _, was := range e.stateUpdate.Forget {
			if now, ok := j.Entry(was.Addr); ok && now == was {
				gone = append(gone, was.Addr)
			}
		}
		return j.Update(e.stateUpdate.Entries, gone)
	})
}

// done writes that an item is done. What it was at another address is forgotten in
// the same line; of an environment only when it is gone, since its generations are
// pruned by themselves.
func (e *engine) done(j *state.Journal, it *planner.Item, done state.Entry) error {
	if it.From.Kind == "" || done.Key.Kind != facts.KindPath {
		return j.Done(done)
	}
	return j.Moved(it.From, done)
}

// ownership never forgets that something was made by us, and never claims what
// was there before. from is the address that the resource had before, if any.
func ownership(j *state.Journal, a, from resources.Addr, action resources.Action) state.Ownership {
	before, known := j.Entry(a)
	if !known && from.Kind != "" {
		before, known = j.Entry(from)
	}
	switch {
	case action == resources.Create:
		return state.Created
	case action == resources.None && !known:
		return state.Observed
	case known && before.Ownership != state.Observed:
		return before.Ownership
	case action == resources.None:
		return before.Ownership
	}
	return state.Adopted
}

// observe remembers items that were as they should be when their turn came.
func (e *engine) observe(f *facts.Facts, items ...*planner.Item) error {
	if len(items) == 0 {
		return nil
	}
	return e.record(func(j *state.Journal) error {
		var list []state.Entry
		for _, it := range items {
			action := resources.None
			if it.Change.Action == resources.Delete {
				action = resources.Delete // gone already, and no longer managed
			}
			list = append(list, entry(j, it, action, f, facts.SHA256{}))
		}
		return j.Done(list...)
	})
}

// giveUp remembers that an item that was begun did not get to its end.
func (e *engine) giveUp(it *planner.Item, err error) error {
	code := ""
	var p *diag.Problem
	if errors.As(err, &p) {
		code = p.Code
	}
	wrote := e.record(func(j *state.Journal) error { return j.Failed(state.Failure{Addr: it.Resource.Addr, Code: code}) })
	if wrote != nil {
		return errors.Join(err, wrote)
	}
	return err
}
