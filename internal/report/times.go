package report

import (
	"cmp"
	"slices"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Times listens to an apply and keeps how long its steps took, by their sort. The zero
// value is ready to use; nil knows nothing.
type Times struct {
	mu      sync.Mutex
	running map[resources.Addr]apply.Event // the step that each item is at
	steps   map[resources.Addr][]stepTime
}

// Listen returns a function for apply.Options.Events that keeps the times and hands
// each event on.
func (t *Times) Listen(next func(apply.Event)) func(apply.Event) {
	return func(e apply.Event) {
		t.hear(e)
		next(e)
	}
}

func (t *Times) hear(e apply.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case apply.StepStarted:
		t.end(e)
		if t.running == nil {
			t.running, t.steps = map[resources.Addr]apply.Event{}, map[resources.Addr][]stepTime{}
		}
		t.running[e.Addr] = e
	case apply.ItemDone, apply.ItemFailed, apply.ItemStopped:
		t.end(e)
	}
}

// end adds the time of the step that an item was at until an event.
func (t *Times) end(e apply.Event) {
	begun, ok := t.running[e.Addr]
	if !ok {
		return
	}
	delete(t.running, e.Addr)
	list := t.steps[e.Addr]
	i := slices.IndexFunc(list, func(s stepTime) bool { return s.Step == begun.Step })
	if i < 0 {
		i = len(list)
		list = append(list, stepTime{Step: begun.Step})
	}
	list[i].Elapsed += e.Time.Sub(begun.Time).Seconds()
	t.steps[e.Addr] = list
}

// of returns the times of one item.
func (t *Times) of(addr resources.Addr) []stepTime {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.steps[addr]
}

// mostSlow is how many items a summary names as the slowest.
const mostSlow = 5

// slowest returns the items that took longest, of those that were worth a line while
// they ran.
func slowest(items []itemResult) []itemResult {
	var list []itemResult
	for _, item := range items {
		if item.Elapsed >= slow.Seconds() {
			list = append(list, item)
		}
	}
	slices.SortStableFunc(list, func(a, b itemResult) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	return list[:min(len(list), mostSlow)]
}
