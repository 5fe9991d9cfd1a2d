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

// groupable reports whether an item can share flushes with others: all of its steps
// make directories, files and links.
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

// onlyMakesDirs reports whether an item only makes directories. Its dependents may be
// in the same group, since directories are made first.
func onlyMakesDirs(it *planner.Item) bool {
	return !slices.ContainsFunc(it.Change.Steps, func(s resources.Step) bool {
		_, ok := s.(resources.MakeDir)
		return !ok
	})
}

// gather returns first and every other item that can be in one group with it: those
// that are ready, and those that depend only on directories of the group.
func (e *engine) gather(first int) []int {
	group := []int{first}
	e.ready = slices.DeleteFunc(e.ready, func(i int) bool {
		if !e.taken[i] && groupable(&e.items[i]) {
			e.taken[i] = true
			group = append(group, i)
			return true
		}
		return e.taken[i]
	})
	left := map[int]int{} // number of dependencies of an item outside the group
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

// group is a set of items that run together.
type group struct {
	*engine
	members []*member
	byIndex map[int]*member
	flush   atomicfile.Flusher
	exist   map[place]bool // directories that are known to exist
	changed map[place]bool // directories with new names that no chunk syncs
}

// member is one item of a group.
type member struct {
	index   int
	item    *planner.Item
	change  resources.Change
	outcome Outcome // "" while it runs
	mu      sync.Mutex
	err     error
	kept    []Kept
}

// fail ends a member; the first error counts.
func (m *member) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
}

// active reports whether a member has not ended.
func (m *member) active() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err == nil && m.outcome == ""
}

// doGroup runs many items with few flushes. An error of one item fails that item; a
// common error, such as a failed flush, fails every item that has not ended.
func (e *engine) doGroup(ctx context.Context, unit []int) []itemEnd {
	start := time.Now()
	g := &group{engine: e, byIndex: map[int]*member{}, exist: map[place]bool{}, changed: map[place]bool{}}
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
		if m.active() && err != nil {
			m.err = err
		}
		end := itemEnd{index: m.index, outcome: m.outcome, elapsed: elapsed, kept: m.kept}
		switch {
		case m.outcome == Skipped:
			end.cause, _ = errors.AsType[*diag.Problem](m.err)
		case m.err != nil:
			end.outcome, end.cause = g.verdict(ctx, m.index, m.err)
		case m.outcome == "":
			end.outcome = Done
		}
		list = append(list, end)
	}
	return list
}

// run runs the phases of the group.
func (g *group) run(ctx context.Context) error {
	if err := g.recheck(ctx); err != nil {
		return err
	}
	var intents []state.Intent
	for _, m := range g.members {
		if m.active() {
			intents = append(intents, intent(m.item, m.change))
		}
	}
	if len(intents) == 0 {
		return nil
	}
	if err := g.record(func(j *state.Journal) error { return j.Intend(intents...) }); err != nil {
		return err
	}
	// The rest of the group is one step, which a graceful stop does not interrupt.
	ctx = g.o.Kill
	g.makeDirs()
	failpoint.Hit(failpoint.GroupMade)
	chunks := g.chunks()
	parallel(g.o.Jobs, len(chunks), func(i int) { chunks[i].stage(g) })
	failpoint.Hit(failpoint.GroupStaged)
	err := errors.Join(ctx.Err(), g.flush.Flush())
	if err != nil {
		parallel(g.o.Jobs, len(chunks), func(i int) { chunks[i].discard(g, nil) })
		return g.failActive(err)
	}
	failpoint.Hit(failpoint.GroupSynced)
	parallel(g.o.Jobs, len(chunks), func(i int) { chunks[i].commit(g) })
	g.linksAndModes()
	failpoint.Hit(failpoint.GroupRenamed)
	if err := errors.Join(g.syncChanged(), g.flush.Flush()); err != nil {
		return g.failActive(err)
	}
	failpoint.Hit(failpoint.GroupAfter)
	return g.conclude(ctx)
}

// parallel calls do for every number below n, in as many goroutines as there are jobs.
func parallel(jobs, n int, do func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(jobs, n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// recheck probes everything that the group reads in one call, and diffs the resources
// in order, each with the predictions of those before it.
func (g *group) recheck(ctx context.Context) error {
	f := g.probe(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	predicted := &facts.Facts{}
	var unchanged []*planner.Item
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
			unchanged = append(unchanged, m.item)
		default:
			m.change = change
			for _, fact := range change.Predicts {
				predicted.Set(fact)
			}
		}
	}
	return g.recordUnchanged(f, unchanged...)
}

// skipIfDependencyFailed ends a member that depends on a failed one of the group.
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
			errors.As(cause.err, &why) // the root cause
		}
		m.outcome, m.err = Skipped, g.ownProblem(m.index, why)
		return true
	}
	return false
}

// probe returns the facts that the members read.
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

// makeDirs makes the directories in the order of the plan, and the parents of files
// and links. Dependents of a directory that cannot be made are skipped.
func (g *group) makeDirs() {
	for _, m := range g.members {
		if g.skipIfDependencyFailed(m) || !m.active() {
			continue
		}
		for _, s := range m.change.Steps {
			var err error
			switch s := s.(type) {
			case resources.MakeDir:
				failpoint.Step("make_dir", failpoint.Before)
				err = g.makeDirAt(s.Path, fs.FileMode(s.Mode), false)
				failpoint.Step("make_dir", failpoint.After)
			case resources.WriteFile:
				err = g.makeDirAt(s.Path, 0, true)
			case resources.Link:
				err = g.makeDirAt(s.Path, 0, true)
			}
			if err != nil {
				m.fail(err)
				break
			}
		}
	}
}

// makeDirAt makes the directory at a path, or its parents with their own mode.
func (g *group) makeDirAt(name string, mode fs.FileMode, parents bool) error {
	p, err := g.place(name)
	if err != nil {
		return err
	}
	if parents {
		mode, p.rel = g.parentMode(p), p.dir()
	}
	if g.exist[p] {
		return nil
	}
	made, err := atomicfile.MakeAll(p.root, p.rel, mode)
	if err != nil {
		return err
	}
	for _, name := range made {
		if err := g.markChanged(place{p.root, name}); err != nil {
			return err
		}
	}
	g.exist[p] = true
	return nil
}

// markChanged notes that the directory above a path has a new name in it.
func (g *group) markChanged(p place) error {
	parent := place{p.root, p.dir()}
	if g.changed[parent] {
		return nil
	}
	d, err := atomicfile.OpenDir(parent.root, parent.rel)
	if err != nil {
		return err
	}
	defer d.Close()
	g.changed[parent] = true
	return g.flush.Attach(d)
}

// syncChanged syncs those directories, unless the flush of the group does.
func (g *group) syncChanged() error {
	if g.flush.FlushSuffices() {
		return nil
	}
	for p := range g.changed {
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

// eachStep calls do for every step of type S of the active members, in the order of the
// plan.
func eachStep[S resources.Step](g *group, do func(*member, S)) {
	for _, m := range g.members {
		for _, s := range m.change.Steps {
			if s, ok := s.(S); ok && m.active() {
				do(m, s)
			}
		}
	}
}

// linksAndModes makes the links, and then sets modes, of new paths too.
func (g *group) linksAndModes() {
	eachStep(g, func(m *member, s resources.Link) {
		g.atPlace(m, s, s.Path, func(p place) error { return atomicfile.Symlink(p.root, p.rel, s.Target) })
	})
	eachStep(g, func(m *member, s resources.SetMode) {
		g.atPlace(m, s, s.Path, func(p place) error { return atomicfile.SetMode(p.root, p.rel, fs.FileMode(s.Mode)) })
	})
}

// atPlace runs one step of a member at a path.
func (g *group) atPlace(m *member, s resources.Step, name string, do func(place) error) {
	failpoint.Step(resources.StepName(s), failpoint.Before)
	p, err := g.place(name)
	if err == nil {
		err = do(p)
	}
	if err == nil {
		err = g.markChanged(p)
	}
	if err != nil {
		m.fail(err)
	}
	failpoint.Step(resources.StepName(s), failpoint.After)
}

// conclude probes everything once more and records which members are done.
func (g *group) conclude(ctx context.Context) error {
	f := g.probe(ctx)
	if err := ctx.Err(); err != nil {
		return g.failActive(err)
	}
	var done []*member
	var failed []state.Failure
	for _, m := range g.members {
		if m.active() {
			if err := checkSettled(m.item, f); err != nil {
				m.fail(err)
			}
		}
		switch {
		case m.outcome != "":
		case m.err != nil:
			failed = append(failed, failure(m.item, m.err))
		default:
			done = append(done, m)
		}
	}
	return g.record(func(j *state.Journal) error {
		var errs []error
		var entries []state.Entry
		for _, m := range done {
			e := newEntry(j, m.item, m.change.Action, f, replacedContent(m.kept))
			if m.item.From.Kind == "" {
				entries = append(entries, e)
			} else {
				errs = append(errs, recordDone(j, m.item, e))
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

// failActive fails every active member, records that, and returns err.
func (g *group) failActive(err error) error {
	var failed []state.Failure
	for _, m := range g.members {
		if m.outcome == "" {
			m.fail(err)
			failed = append(failed, failure(m.item, m.err))
		}
	}
	return errors.Join(err, g.record(func(j *state.Journal) error { return j.Failed(failed...) }))
}
