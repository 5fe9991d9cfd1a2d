package apply

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// engine is one call of Run. The graph belongs to the goroutine of run; workers
// get items and hand back results.
type engine struct {
	o           Options
	stateUpdate planner.StateChanges
	items       []planner.Item
	results     []ItemResult

	waiting    []int   // items that an item still waits for
	dependents [][]int // items that wait for an item
	ready      indices
	taken      []bool // handed to a worker, or decided

	root    *os.Root
	events  sync.Mutex
	journal sync.Mutex
	outside sync.Mutex
	roots   map[string]*os.Root // opened directories outside of the project
}

func newEngine(plan *planner.Plan, o Options) *engine {
	n := len(plan.Items)
	e := &engine{
		o: o, stateUpdate: plan.StateChanges, items: plan.Items, results: make([]ItemResult, n),
		waiting: make([]int, n), dependents: make([][]int, n), taken: make([]bool, n),
		roots: map[string]*os.Root{},
	}
	for i := range plan.Items {
		it := &plan.Items[i]
		e.results[i] = ItemResult{Addr: it.Resource.Addr, Action: it.Change.Action}
		e.waiting[i] = len(it.After)
		for _, from := range it.After {
			e.dependents[from] = append(e.dependents[from], i)
		}
		if e.waiting[i] == 0 {
			e.ready = append(e.ready, i)
		}
	}
	heap.Init(&e.ready)
	return e
}

// finish is how a worker hands an item back.
type itemEnd struct {
	index   int
	outcome Outcome
	cause   *diag.Problem
	elapsed time.Duration

	kept       []Kept
	packages   []resources.PackageChange
	smokeTests []SmokeTestPart
}

func (e *engine) run(ctx context.Context) {
	if err := e.open(ctx); err != nil {
		e.failAll(err)
		return
	}
	defer e.close()
	if err := e.update(); err != nil {
		e.failAll(err)
		return
	}
	results := make(chan []itemEnd)
	running := 0
	for {
		for running < e.o.Jobs && ctx.Err() == nil {
			unit := e.take()
			if unit == nil {
				break
			}
			running++
			go func() { results <- e.do(ctx, unit) }()
		}
		if running == 0 {
			break
		}
		for _, f := range <-results {
			e.finish(f)
		}
		running--
	}
	e.stopRest(ctx)
	e.emptyTrash(ctx)
}

// open opens the project and clears what a killed apply left.
func (e *engine) open(ctx context.Context) error {
	root, err := os.OpenRoot(e.o.Root)
	if err != nil {
		return err
	}
	e.root = root
	if err := e.recover(ctx); err != nil {
		return errors.Join(err, root.Close())
	}
	return nil
}

func (e *engine) close() {
	// Directories that were only read from or synced before: nothing can be lost.
	_ = e.root.Close()
	for _, r := range e.roots {
		_ = r.Close()
	}
}

// take returns the next items to work on together, or nil if none is ready.
func (e *engine) take() []int {
	for e.ready.Len() > 0 {
		i := heap.Pop(&e.ready).(int)
		if e.taken[i] {
			continue
		}
		e.taken[i] = true
		if groupable(&e.items[i]) {
			return e.gather(i)
		}
		return []int{i}
	}
	return nil
}

// settle records how an item ended and what that means for those that wait.
func (e *engine) finish(f itemEnd) {
	r := &e.results[f.index]
	r.Outcome, r.Cause, r.Elapsed, r.Kept, r.Packages, r.SmokeTest = f.outcome, f.cause, f.elapsed, f.kept, f.packages, f.smokeTests
	e.emitEnd(r)
	for _, i := range e.dependents[f.index] {
		switch {
		case f.outcome == Done || f.outcome == Unchanged:
			e.waiting[i]--
			if e.waiting[i] == 0 && !e.taken[i] {
				heap.Push(&e.ready, i)
			}
		case f.outcome == Failed:
			e.skip(i, skippedProblem(r.Addr, f.cause))
		case f.outcome == Skipped:
			e.skip(i, f.cause)
		}
	}
}

// skip ends an item, and all that wait for it. why names the root cause.
func (e *engine) skip(i int, why *diag.Problem) {
	if e.taken[i] {
		return
	}
	e.taken[i] = true
	r := &e.results[i]
	r.Outcome, r.Cause = Skipped, e.ownProblem(i, why)
	e.emitEnd(r)
	for _, j := range e.dependents[i] {
		e.skip(j, why)
	}
}

// own returns a copy of a problem that belongs to item i.
func (e *engine) ownProblem(i int, p *diag.Problem) *diag.Problem {
	mine := *p
	mine.Addr, mine.Pos = e.items[i].Resource.Addr.String(), e.items[i].Resource.Pos
	return &mine
}

// skipped says that something was not done since another failed.
func skippedProblem(cause resources.Addr, why *diag.Problem) *diag.Problem {
	p := &diag.Problem{Code: "apply.skipped", Summary: fmt.Sprintf("not done, since %s failed", cause)}
	if why != nil {
		p.Summary += ": " + why.Summary
	}
	return p
}

// stopRest marks what was never begun because the run was stopped.
func (e *engine) stopRest(ctx context.Context) {
	for i := range e.results {
		if r := &e.results[i]; r.Outcome == "" {
			r.Outcome, r.Cause = Interrupted, e.interrupted(i, ctx.Err())
			e.emitEnd(r)
		}
	}
}

func (e *engine) interrupted(i int, err error) *diag.Problem {
	p := &diag.Problem{
		Code: "apply.interrupted", Addr: e.results[i].Addr.String(), Pos: e.items[i].Resource.Pos,
		Summary: "stopped before it was done", Hint: "run `reconcile apply` again; it goes on from what is there",
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		p.Found = err.Error()
	}
	return p
}

// failAll ends every item because apply could not begin.
func (e *engine) failAll(err error) {
	for i := range e.results {
		r := &e.results[i]
		r.Outcome, r.Cause = Failed, e.problem(i, err)
		e.emitEnd(r)
	}
}

// incomplete reports whether anything was left undone because the run was stopped.
func (e *engine) incomplete() bool {
	for i := range e.results {
		if e.results[i].Outcome == Interrupted {
			return true
		}
	}
	return false
}

// do works on a unit and says how each of its items ended.
func (e *engine) do(ctx context.Context, unit []int) []itemEnd {
	if groupable(&e.items[unit[0]]) {
		return e.doGroup(ctx, unit)
	}
	start := time.Now()
	i := unit[0]
	f, err := e.doItem(ctx, i)
	f.elapsed = time.Since(start)
	if err != nil {
		f.outcome, f.cause = e.verdict(ctx, i, err)
	}
	return []itemEnd{f}
}

// verdict says whether an error is a failure or the wish to stop.
func (e *engine) verdict(ctx context.Context, i int, err error) (Outcome, *diag.Problem) {
	if (ctx.Err() != nil || e.o.Kill.Err() != nil) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return Interrupted, e.interrupted(i, err)
	}
	return Failed, e.problem(i, err)
}

// indices is a heap of item numbers, lowest first.
type indices []int

func (h indices) Len() int           { return len(h) }
func (h indices) Less(i, j int) bool { return h[i] < h[j] }
func (h indices) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *indices) Push(x any) { *h = append(*h, x.(int)) }

// Pop is for container/heap.
func (h *indices) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// changes returns how many items change something.
func (e *engine) changes() int64 {
	n := int64(0)
	for i := range e.items {
		if !isCheck(&e.items[i]) {
			n++
		}
	}
	return n
}

// isCheck reports whether an item only says something.
func isCheck(it *planner.Item) bool {
	return it.Check || it.Change.Action == resources.None || it.Change.Action == resources.Blocked
}
