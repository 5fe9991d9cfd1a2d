package apply

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// groupable reports whether an item can share its flushes with others: all of
// its steps make directories, files and links.
func groupable(it *planner.Item) bool {
	if isCheck(it) || it.Change.Action == resources.Defer || len(it.Change.Steps) == 0 {
		return false
	}
	for _, s := range it.Change.Steps {
		switch s.(type) {
		case resources.MakeDir, resources.WriteFile, resources.SetMode, resources.Link:
		default:
			return false
		}
	}
	return true
}

// onlyDirs reports whether an item does nothing but make directories. Others may
// follow it in its group, since directories are made first.
func onlyMakesDirs(it *planner.Item) bool {
	for _, s := range it.Change.Steps {
		if _, ok := s.(resources.MakeDir); !ok {
			return false
		}
	}
	return true
}

// gather returns first and every other item that can be done in one group with
// it: those that are ready, and those that wait only for directories of the group.
func (e *engine) gather(first int) []int {
	group := []int{first}
	for e.ready.Len() > 0 {
		group = append(group, e.ready[len(e.ready)-1])
		e.ready = e.ready[:len(e.ready)-1]
	}
	var others indices
	group = slices.DeleteFunc(group, func(i int) bool {
		if i == first {
			return false
		}
		if e.taken[i] || !groupable(&e.items[i]) {
			others = append(others, i)
			return true
		}
		e.taken[i] = true
		return false
	})
	slices.Sort(others) // a sorted slice is a heap
	e.ready = slices.DeleteFunc(others, func(i int) bool { return e.taken[i] })
	left := map[int]int{} // items that one still waits for, beside those of the group
	for at := 0; at < len(group); at++ {
		if !onlyMakesDirs(&e.items[group[at]]) {
			continue
		}
		for _, i := range e.dependents[group[at]] {
			if _, seen := left[i]; !seen {
				left[i] = e.waiting[i]
			}
			left[i]--
			if left[i] == 0 && !e.taken[i] && groupable(&e.items[i]) {
				e.taken[i] = true
				group = append(group, i)
			}
		}
	}
	slices.Sort(group)
	return group
}

// group is a set of items that are done together.
type group struct {
	*engine
	members     []*member
	byIndex     map[int]*member
	flush       atomicfile.Flusher
	parents     map[place]bool // directories that are known to be there
	changedDirs map[place]bool // directories that got names outside of a chunk
}

// member is one item of a group.
type member struct {
	index   int
	item    *planner.Item
	change  resources.Change
	outcome Outcome // "" while it goes on
	mu      sync.Mutex
	err     error
	kept    []Kept
}

// fail ends a member; the first reason counts.
func (m *member) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
}

// alive reports whether a member is still to be done.
func (m *member) active() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err == nil && m.outcome == ""
}

// doGroup does many items with few flushes. An error that belongs to one item
// fails that item; one of all, such as a failed flush, fails every item that is
// not yet ended.
func (e *engine) doGroup(ctx context.Context, unit []int) []itemEnd {
	start := time.Now()
	g := &group{engine: e, byIndex: map[int]*member{}, parents: map[place]bool{}, changedDirs: map[place]bool{}}
	for _, i := range unit {
		m := &member{index: i, item: &e.items[i]}
		g.members = append(g.members, m)
		g.byIndex[i] = m
		e.emit(Event{Kind: ItemStarted, Addr: m.item.Resource.Addr, Action: m.item.Change.Action})
	}
	err := g.run(ctx)
	if closed := g.flush.Close(); err == nil && closed != nil {
		err = closed
	}
	elapsed := time.Since(start)
	var list []itemEnd
	for _, m := range g.members {
		if m.err == nil && m.outcome == "" && err != nil {
			m.err = err
		}
		list = append(list, g.finish(ctx, m, elapsed))
	}
	return list
}

func (g *group) finish(ctx context.Context, m *member, elapsed time.Duration) itemEnd {
	f := itemEnd{index: m.index, outcome: m.outcome, elapsed: elapsed, kept: m.kept}
	switch {
	case m.outcome == Skipped:
		var p *diag.Problem
		errors.As(m.err, &p)
		f.cause = p
	case m.err != nil:
		f.outcome, f.cause = g.verdict(ctx, m.index, m.err)
	case m.outcome == "":
		f.outcome = Done
	}
	return f
}

// run goes through the phases of the group.
func (g *group) run(ctx context.Context) error {
	if err := g.recheck(ctx); err != nil {
		return err
	}
	if !slices.ContainsFunc(g.members, (*member).active) {
		return nil
	}
	if err := g.intend(); err != nil {
		return err
	}
	// From here to the end the group is one step: a wish to stop waits for it.
	ctx = g.o.Kill
	g.makeDirs()
	failpoint.Hit(failpoint.GroupMade)
	chunks := g.chunks()
	g.each(len(chunks), func(i int) { chunks[i].stage(g) })
	failpoint.Hit(failpoint.GroupStaged)
	err := errors.Join(ctx.Err(), g.flush.Flush())
	if err != nil {
		g.each(len(chunks), func(i int) { chunks[i].discard(g, nil) })
		return g.giveUpAll(err)
	}
	failpoint.Hit(failpoint.GroupSynced)
	g.each(len(chunks), func(i int) { chunks[i].commit(g) })
	g.links()
	g.modes()
	failpoint.Hit(failpoint.GroupRenamed)
	if err := errors.Join(g.syncTouched(), g.flush.Flush()); err != nil {
		return g.giveUpAll(err)
	}
	failpoint.Hit(failpoint.GroupAfter)
	return g.conclude(ctx)
}

// each calls do for every number below n on the workers of the group.
func (g *group) each(n int, do func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(g.o.Jobs, n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// recheck looks at everything that the group reads in one call, and asks each
// resource in order: it sees what the ones before it will make true.
func (g *group) recheck(ctx context.Context) error {
	f := g.probe(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	predicted := &facts.Facts{}
	var same []*planner.Item
	for _, m := range g.members {
		if g.skipIfDependencyFailed(m) {
			continue
		}
		change, err := recheck(m.item, f, predicted)
		switch {
		case err != nil:
			m.fail(err)
		case change.Action == resources.None:
			m.outcome = Unchanged
			same = append(same, m.item)
		default:
			m.change = change
			for _, fact := range change.Predicts {
				predicted.Set(fact)
			}
		}
	}
	return g.observe(f, same...)
}

// waitsForFailed ends a member that waits for one of the group that failed.
func (g *group) skipIfDependencyFailed(m *member) bool {
	if !m.active() {
		return false
	}
	for _, from := range m.item.After {
		cause, ok := g.byIndex[from]
		if !ok || cause.err == nil {
			continue
		}
		why := skippedProblem(cause.item.Resource.Addr, g.problem(from, cause.err))
		if cause.outcome == Skipped {
			errors.As(cause.err, &why) // the root cause, not the way to it
		}
		m.outcome, m.err = Skipped, g.ownProblem(m.index, why)
		return true
	}
	return false
}

// look returns the facts that the members read.
func (g *group) probe(ctx context.Context) *facts.Facts {
	seen := make(map[facts.Key]struct{}, len(g.members))
	keys := make([]facts.Key, 0, len(g.members))
	for _, m := range g.members {
		for _, k := range m.item.Resource.Spec.Reads() {
			if _, ok := seen[k]; !ok {
				seen[k] = struct{}{}
				keys = append(keys, k)
			}
		}
	}
	return g.o.Probe(ctx, keys)
}

func (g *group) intend() error {
	if g.o.Journal == nil {
		return nil
	}
	var list []state.Intent
	for _, m := range g.members {
		if m.active() {
			list = append(list, intent(m.item, m.change))
		}
	}
	return g.record(func(j *state.Journal) error { return j.Intend(list...) })
}

// makeDirs makes the directories in the order of the plan, and the parents of
// files and links. What waits for one that cannot be made ends here.
func (g *group) makeDirs() {
	for _, m := range g.members {
		if g.skipIfDependencyFailed(m) || !m.active() {
			continue
		}
		for _, s := range m.change.Steps {
			if err := g.makeDirOf(s); err != nil {
				m.fail(err)
				break
			}
		}
	}
}

func (g *group) makeDirOf(s resources.Step) error {
	name, mode, leaf := "", facts.Mode(0), false
	switch s := s.(type) {
	case resources.MakeDir:
		name, mode, leaf = s.Path, s.Mode, true
	case resources.WriteFile:
		name = s.Path
	case resources.Link:
		name = s.Path
	default:
		return nil
	}
	p, err := g.place(name)
	if err != nil {
		return err
	}
	dir := p.rel
	if !leaf {
		dir, mode = p.dir(), facts.Mode(g.parentMode(p))
	}
	if g.parents[place{p.root, dir}] {
		return nil
	}
	if leaf {
		failpoint.Step("make_dir", failpoint.Before)
	}
	made, err := atomicfile.MakeAll(p.root, dir, fs.FileMode(mode))
	if err != nil {
		return err
	}
	for _, name := range made {
		if err := g.markChanged(place{p.root, name}); err != nil {
			return err
		}
	}
	g.parents[place{p.root, dir}] = true
	if leaf {
		failpoint.Step("make_dir", failpoint.After)
	}
	return nil
}

// touch notes that a directory got a new name in it.
func (g *group) markChanged(p place) error {
	parent := place{p.root, p.dir()}
	if g.changedDirs[parent] {
		return nil
	}
	d, err := atomicfile.OpenDir(parent.root, parent.rel)
	if err != nil {
		return err
	}
	defer d.Close()
	g.changedDirs[parent] = true
	return g.flush.Attach(d)
}

// syncTouched syncs those directories, where the flush of the group does not do
// that by itself.
func (g *group) syncTouched() error {
	if g.flush.FlushSuffices() {
		return nil
	}
	for p := range g.changedDirs {
		d, err := atomicfile.OpenDir(p.root, p.rel)
		if err != nil {
			return err
		}
		err = g.flush.Attach(d)
		if err == nil {
			err = d.Sync()
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// links makes the links, in the order of the plan.
func (g *group) links() {
	for _, m := range g.members {
		for _, s := range m.change.Steps {
			if s, ok := s.(resources.Link); ok && m.active() {
				failpoint.Step("link", failpoint.Before)
				if err := g.makeLink(s); err != nil {
					m.fail(err)
				}
				failpoint.Step("link", failpoint.After)
			}
		}
	}
}

func (g *group) makeLink(s resources.Link) error {
	p, err := g.place(s.Path)
	if err != nil {
		return err
	}
	if err := atomicfile.Symlink(p.root, p.rel, s.Target); err != nil {
		return err
	}
	return g.markChanged(p)
}

// modes changes the modes of what was there or has just been made.
func (g *group) modes() {
	for _, m := range g.members {
		for _, s := range m.change.Steps {
			if s, ok := s.(resources.SetMode); ok && m.active() {
				failpoint.Step("set_mode", failpoint.Before)
				p, err := g.place(s.Path)
				if err == nil {
					err = atomicfile.SetMode(p.root, p.rel, fs.FileMode(s.Mode))
				}
				if err == nil {
					err = g.markChanged(p)
				}
				if err != nil {
					m.fail(err)
				}
				failpoint.Step("set_mode", failpoint.After)
			}
		}
	}
}

// conclude looks at everything once more: what has nothing left to do is done.
func (g *group) conclude(ctx context.Context) error {
	f := g.probe(ctx)
	if err := ctx.Err(); err != nil {
		return g.giveUpAll(err)
	}
	var done []*member
	var failed []state.Failure
	for _, m := range g.members {
		if m.active() {
			if err := checkSettled(m.item, f, nil); err != nil {
				m.fail(err)
			}
		}
		switch {
		case m.outcome != "":
		case m.err != nil:
			failed = append(failed, failure(m))
		default:
			done = append(done, m)
		}
	}
	return g.record(func(j *state.Journal) error {
		var errs []error
		var entries []state.Entry
		for _, m := range done {
			e := entry(j, m.item, m.change.Action, f, replacedContent(m.kept))
			if m.item.From.Kind == "" {
				entries = append(entries, e)
			} else {
				errs = append(errs, g.done(j, m.item, e))
			}
		}
		if len(entries) > 0 {
			errs = append(errs, j.Done(entries...))
		}
		if len(failed) > 0 {
			errs = append(errs, j.Failed(failed...))
		}
		return errors.Join(errs...)
	})
}

func failure(m *member) state.Failure {
	code := ""
	var p *diag.Problem
	if errors.As(m.err, &p) {
		code = p.Code
	}
	return state.Failure{Addr: m.item.Resource.Addr, Code: code}
}

// giveUpAll fails every member that goes on, and remembers it.
func (g *group) giveUpAll(err error) error {
	var failed []state.Failure
	for _, m := range g.members {
		if m.outcome != "" {
			continue
		}
		m.fail(err)
		failed = append(failed, failure(m))
	}
	wrote := g.record(func(j *state.Journal) error { return j.Failed(failed...) })
	return errors.Join(err, wrote)
}
