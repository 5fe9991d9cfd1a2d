package runrecord

import (
	"slices"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Times measures the steps of an apply from its events. The zero value is ready to use;
// nil has no times.
type Times struct {
	mu      sync.Mutex
	running map[resources.Addr]apply.Event // the started step of each item
	steps   map[resources.Addr][]StepTime
}

// Listen returns a function for apply.Options.Events that measures steps and passes each
// event on to next.
func (t *Times) Listen(next func(apply.Event)) func(apply.Event) {
	return func(e apply.Event) {
		t.observe(e)
		next(e)
	}
}

func (t *Times) observe(e apply.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case apply.StepStarted:
		t.end(e)
		if t.running == nil {
			t.running, t.steps = map[resources.Addr]apply.Event{}, map[resources.Addr][]StepTime{}
		}
		t.running[e.Addr] = e
	case apply.ItemDone, apply.ItemFailed, apply.ItemStopped:
		t.end(e)
	}
}

// end adds the time between the start of an item's current step and the event.
func (t *Times) end(e apply.Event) {
	started, ok := t.running[e.Addr]
	if !ok {
		return
	}
	delete(t.running, e.Addr)
	list := t.steps[e.Addr]
	i := slices.IndexFunc(list, func(s StepTime) bool { return s.Step == started.Step })
	if i < 0 {
		i = len(list)
		list = append(list, StepTime{Step: started.Step})
	}
	list[i].Elapsed += e.Time.Sub(started.Time).Seconds()
	t.steps[e.Addr] = list
}

func (t *Times) of(addr resources.Addr) []StepTime {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.steps[addr]
}
