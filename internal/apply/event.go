package apply

import (
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An EventKind is the sort of an Event.
type EventKind string

const (
	PlanStarted EventKind = "plan_started" // Total changes; checks are not among them
	ItemStarted EventKind = "started"
	StepStarted EventKind = "step"     // Step begins; not said of items in a group
	Progress    EventKind = "progress" // Bytes of Total
	Log         EventKind = "log"      // Text: one line of a program, safe to show
	ItemDone    EventKind = "done"     // Outcome says whether anything was done
	ItemSkipped EventKind = "skipped"  // Err names the cause
	ItemFailed  EventKind = "failed"   // Err says why
	ItemStopped EventKind = "interrupted"
	Finished    EventKind = "finished"
	Note        EventKind = "note" // Text: something that a reader may want to know

)

// maxEventText is where text is cut, in bytes.
const maxEventText = 8 << 10

// An Event is something that happened during apply.
type Event struct {
	Time    time.Time        `json:"time"`
	Kind    EventKind        `json:"kind"`
	Addr    resources.Addr   `json:"addr,omitzero"`
	Action  resources.Action `json:"action,omitempty"`
	Outcome Outcome          `json:"outcome,omitempty"`
	Step    string           `json:"step,omitempty"`   // resources.StepName
	Stream  string           `json:"stream,omitempty"` // of a log line: "stdout", "stderr"
	Text    string           `json:"text,omitempty"`
	Bytes   int64            `json:"bytes,omitempty"`
	Total   int64            `json:"total,omitempty"` // bytes, or changes; 0 if not known
	Err     *diag.Problem    `json:"problem,omitempty"`
	Elapsed time.Duration    `json:"elapsed,omitempty"`
}

// emit hands an event on, one at a time.
func (e *engine) emit(ev Event) {
	if e.o.Events == nil {
		return
	}
	if ev.Text = command.Escape(ev.Text); len(ev.Text) > maxEventText {
		ev.Text = strings.ToValidUTF8(ev.Text[:maxEventText], "")
	}
	e.events.Lock()
	defer e.events.Unlock()
	ev.Time = e.o.Now()
	e.o.Events(ev)
}

// ended says how an item ended.
func (e *engine) emitEnd(r *ItemResult) {
	kind := map[Outcome]EventKind{
		Done: ItemDone, Unchanged: ItemDone, Failed: ItemFailed, Skipped: ItemSkipped, Interrupted: ItemStopped,
	}[r.Outcome]
	e.emit(Event{Kind: kind, Addr: r.Addr, Action: r.Action, Outcome: r.Outcome, Err: r.Cause, Elapsed: r.Elapsed})
}
