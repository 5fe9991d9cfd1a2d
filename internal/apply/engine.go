package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// engine is one call of Run. The graph belongs to the goroutine of run; workers
// receive items and return their ends.
type engine struct {
	o            Options
	stateChanges planner.StateChanges
	items        []planner.Item
	results      []ItemResult

	waiting    []int   // number of unfinished dependencies of an item
	dependents [][]int // items that depend on an item
	ready      []int   // sorted
	taken      []bool  // given to a worker, or ended

	root    *os.Root // the project
	store   *os.Root
	events  sync.Mutex
	journal sync.Mutex
	outside sync.Mutex
	roots   map[string]*os.Root // opened directories outside the project
}

func newEngine(plan *planner.Plan, o Options) *engine {
	n := len(plan.Items)
	e := &engine{
		o: o.withDefaults(), stateChanges: plan.StateChanges, items: plan.Items, results: make([]ItemResult, n),
		waiting: make([]int, n), dependents: make([][]int, n), taken: make([]bool, n), roots: map[string]*os.Root{},
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
	return e
}

// itemEnd is how an item ended, as a worker returns it.
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
		for _, end := range <-results {
			e.finish(end)
		}
		running--
	}
	e.stopRest(ctx)
	e.emptyTrash(ctx)
}

// open opens the project and the store, and recovers from a killed apply.
func (e *engine) open(ctx context.Context) error {
	var err error
	if e.root, err = os.OpenRoot(e.o.Root); err != nil {
		return err
	}
	if e.store, err = os.OpenRoot(e.o.Store); err != nil {
		return errors.Join(err, e.root.Close())
	}
	if err := e.recover(ctx); err != nil {
		return errors.Join(err, e.root.Close(), e.store.Close())
	}
	return nil
}

// close closes the open directories. Writes in them are synced already.
func (e *engine) close() {
	_, _ = e.root.Close(), e.store.Close()
	for _, r := range e.roots {
		_ = r.Close()
	}
}

// take returns the next items to run together, or nil if none is ready.
func (e *engine) take() []int {
	for len(e.ready) > 0 {
		i := e.ready[0]
		e.ready = e.ready[1:]
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

// finish records how an item ended, and starts or skips its dependents.
func (e *engine) finish(end itemEnd) {
	r := &e.results[end.index]
	r.Outcome, r.Cause, r.Elapsed, r.Kept, r.Packages, r.SmokeTest = end.outcome, end.cause, end.elapsed, end.kept, end.packages, end.smokeTests
	e.emitEnd(r)
	for _, i := range e.dependents[end.index] {
		switch {
		case end.outcome == Done || end.outcome == Unchanged:
			e.waiting[i]--
			if e.waiting[i] == 0 && !e.taken[i] {
				at, _ := slices.BinarySearch(e.ready, i)
				e.ready = slices.Insert(e.ready, at, i)
			}
		case end.outcome == Failed:
			e.skip(i, skippedProblem(r.Addr, end.cause))
		case end.outcome == Skipped:
			e.skip(i, end.cause)
		}
	}
}

// skip ends an item and all its dependents. why names the root cause.
func (e *engine) skip(i int, why *diag.Problem) {
	if e.taken[i] {
		return
	}
	e.taken[i] = true
	e.end(i, Skipped, e.ownProblem(i, why))
	for _, j := range e.dependents[i] {
		e.skip(j, why)
	}
}

// end ends an item that was not given to a worker.
func (e *engine) end(i int, o Outcome, cause *diag.Problem) {
	e.results[i].Outcome, e.results[i].Cause = o, cause
	e.emitEnd(&e.results[i])
}

// ownProblem returns a copy of a problem with the address and position of item i.
func (e *engine) ownProblem(i int, p *diag.Problem) *diag.Problem {
	mine := *p
	mine.Addr, mine.Pos = e.items[i].Resource.Addr.String(), e.items[i].Resource.Pos
	return &mine
}

// skippedProblem is the problem of a dependent of a failed item.
func skippedProblem(cause resources.Addr, why *diag.Problem) *diag.Problem {
	p := &diag.Problem{Code: "apply.skipped", Summary: fmt.Sprintf("not done, since %s failed", cause)}
	if why != nil {
		p.Summary += ": " + why.Summary
	}
	return p
}

// stopRest ends the items that were not started because the run was stopped.
func (e *engine) stopRest(ctx context.Context) {
	for i := range e.results {
		if e.results[i].Outcome == "" {
			e.end(i, Interrupted, e.interrupted(i, ctx.Err()))
		}
	}
}

func (e *engine) interrupted(i int, err error) *diag.Problem {
	p := e.ownProblem(i, &diag.Problem{
		Code: "apply.interrupted", Summary: "stopped before it was done",
		Hint: "run `reconcile apply` again; it continues from the current state of the machine",
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		p.Found = err.Error()
	}
	return p
}

// failAll ends every item because apply could not start.
func (e *engine) failAll(err error) {
	for i := range e.results {
		e.end(i, Failed, e.problem(i, err))
	}
}

// do runs the items of a unit and returns how each ended.
func (e *engine) do(ctx context.Context, unit []int) []itemEnd {
	if groupable(&e.items[unit[0]]) {
		return e.doGroup(ctx, unit)
	}
	start := time.Now()
	end, err := e.doItem(ctx, unit[0])
	end.elapsed = time.Since(start)
	if err != nil {
		end.outcome, end.cause = e.verdict(ctx, unit[0], err)
	}
	return []itemEnd{end}
}

// verdict returns whether an error is a failure or an interruption.
func (e *engine) verdict(ctx context.Context, i int, err error) (Outcome, *diag.Problem) {
	if (ctx.Err() != nil || e.o.Kill.Err() != nil) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return Interrupted, e.interrupted(i, err)
	}
	return Failed, e.problem(i, err)
}

// changes returns the number of items that change something.
func (e *engine) changes() int64 {
	n := int64(0)
	for i := range e.items {
		if !isCheck(&e.items[i]) {
			n++
		}
	}
	return n
}

// isCheck reports whether an item has no steps to run.
func isCheck(it *planner.Item) bool {
	return it.Check || it.Change.Action == resources.None || it.Change.Action == resources.Blocked
}
