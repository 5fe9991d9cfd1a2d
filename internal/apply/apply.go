// Package apply executes a plan. It may do less than the plan, never more.
//
//  1. Leftovers of a killed apply are removed, and its results are recorded.
//  2. An item starts once all that it depends on is done, lowest index first, on a
//     few workers. A failure skips the dependents; other items continue.
//  3. Before an item its facts are probed again and its resource is diffed. No change
//     is "unchanged"; the planned change runs; any other change is an error, since the
//     machine changed since the plan.
//  4. The journal records the intent, the steps run, and the resource is diffed once
//     more: it must have no change left.
//  5. Items that only make directories, files and links run in groups: temporary
//     files, one flush, renames, one flush.
//
// Nothing is resumed. After a failure or a kill the next plan starts from the machine
// as it is.
package apply

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/redact"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Options are the inputs of apply other than the plan.
type Options struct {
	Root  string // of the project, absolute, symlinks resolved
	Store string // of the user, absolute, symlinks resolved
	State string // state directory of the project, in Store
	// Probe reads facts of this machine. It is called concurrently.
	Probe func(context.Context, []facts.Key) *facts.Facts
	// IndexEnv is passed to programs that download conda packages: CA and
	// proxy. Passwords in it are redacted in events and errors.
	IndexEnv []string
	// ChannelEnv is passed, in addition, to programs that download conda packages.
	ChannelEnv []string
	// Redactor removes secrets from the output of programs and servers.
	Redactor *redact.Redactor
	// GPUEnv is passed to a smoke test on a GPU: the user's CUDA_VISIBLE_DEVICES and such.
	GPUEnv       []string
	Client       *http.Client         // for Fetch; nil for one without a proxy
	Index        simpleindex.Settings // for Unpack
	Jobs         int                  // workers; 0 for one per core
	Events       func(Event)          // called by one goroutine at a time; may be nil
	Journal      *state.Journal
	Lock         *os.File        // inherited by every child; nil for none
	Kill         context.Context // its end stops at once what the end of ctx stops gracefully; nil for never
	Now          func() time.Time
	EnvPaths     []string      // paths of environments, relative to Root: a killed run may have left temporary files there
	StallTimeout time.Duration // a download without progress for so long is aborted; 0 for 30 s
}

// An Outcome is how an item ended.
type Outcome string

const (
	Done        Outcome = "done"
	Unchanged   Outcome = "unchanged" // a passed check, or already as desired
	Failed      Outcome = "failed"
	Skipped     Outcome = "skipped"     // depends on a failed item
	Interrupted Outcome = "interrupted" // stopped, or not started because the run was stopped
)

// An ItemResult is how one item of the plan ended.
type ItemResult struct {
	Addr    resources.Addr   `json:"addr"`
	Action  resources.Action `json:"action,omitempty"`
	Outcome Outcome          `json:"outcome"`
	Cause   *diag.Problem    `json:"cause,omitempty"` // of failed, skipped and interrupted items
	Elapsed time.Duration    `json:"elapsed,omitempty"`
	Kept    []Kept           `json:"kept,omitempty"` // contents of replaced files
	// Packages is the difference between the previously active generation and the one
	// that was built; nil if none was built.
	Packages  []resources.PackageChange `json:"packages,omitempty"`
	SmokeTest []SmokeTestPart           `json:"proof,omitempty"` // of a new generation, even if the test failed
}

// Kept is the content of a file that an apply replaced or removed.
type Kept struct {
	Path   string       `json:"path"`   // of the file, as in the step
	SHA256 facts.SHA256 `json:"sha256"` // of the content
	Mode   facts.Mode   `json:"mode"`   // permission bits of the file
	Copy   string       `json:"copy"`   // absolute path of the copy
}

// A Result is how an apply ended, with the items in the order of the plan.
type Result struct {
	Items       []ItemResult `json:"items"`
	Interrupted bool         `json:"interrupted,omitempty"`
	Elapsed     time.Duration
}

// Count returns the number of items with an outcome.
func (r *Result) Count(o Outcome) int {
	n := 0
	for i := range r.Items {
		if r.Items[i].Outcome == o {
			n++
		}
	}
	return n
}

// Failed returns the number of failed items, without skipped ones.
func (r *Result) Failed() int { return r.Count(Failed) }

// Run executes the plan. The end of ctx stops it at the next step boundary; children
// are stopped and the journal is written.
func Run(ctx context.Context, plan *planner.Plan, o Options) *Result {
	start := time.Now()
	e := newEngine(plan, o)
	e.emit(Event{Kind: PlanStarted, Total: e.changes()})
	e.run(ctx)
	r := &Result{Items: e.results, Elapsed: time.Since(start)}
	r.Interrupted = ctx.Err() != nil && r.Count(Interrupted) > 0
	e.emit(Event{Kind: Finished, Total: e.changes(), Elapsed: r.Elapsed})
	return r
}

// RunSteps executes steps that belong to no plan, such as those of a rollback. The
// resource is not diffed before or after; the caller holds the lock.
func RunSteps(ctx context.Context, addr resources.Addr, action resources.Action, steps []resources.Step, o Options) error {
	item := planner.Item{Resource: &resources.Resource{Addr: addr}, Change: resources.Change{Action: action, Steps: steps}}
	e := newEngine(&planner.Plan{Items: []planner.Item{item}}, o)
	if err := e.open(ctx); err != nil {
		return err
	}
	defer e.close()
	if err := (&task{engine: e, item: &item}).runSteps(ctx, steps); err != nil {
		return err
	}
	e.emptyTrash(ctx)
	return nil
}

// withDefaults sets the defaults of zero options.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	if o.Kill == nil {
		o.Kill = context.Background()
	}
	o.StallTimeout = cmp.Or(o.StallTimeout, 30*time.Second)
	return o
}

// An EventKind is the type of an Event.
type EventKind string

const (
	PlanStarted EventKind = "plan_started" // Total is the number of changes, without checks
	ItemStarted EventKind = "started"
	StepStarted EventKind = "step"     // Step starts; not sent for items in a group
	Progress    EventKind = "progress" // Bytes of Total
	Log         EventKind = "log"      // Text is one line of a program, escaped
	ItemDone    EventKind = "done"     // Outcome is Done or Unchanged
	ItemSkipped EventKind = "skipped"  // Err names the cause
	ItemFailed  EventKind = "failed"   // Err is the error
	ItemStopped EventKind = "interrupted"
	Finished    EventKind = "finished"
	Note        EventKind = "note" // Text is a remark for the user
)

// maxEventText is the length at which text is truncated, in bytes.
const maxEventText = 8 << 10

// An Event reports progress of an apply.
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
	Total   int64            `json:"total,omitempty"` // bytes, or changes; 0 if unknown
	Err     *diag.Problem    `json:"problem,omitempty"`
	Elapsed time.Duration    `json:"elapsed,omitempty"`
}

// emit passes an event to the caller, one at a time.
func (e *engine) emit(ev Event) {
	if e.o.Events == nil {
		return
	}
	ev.Text = escape(ev.Text)
	e.events.Lock()
	defer e.events.Unlock()
	ev.Time = e.o.Now()
	e.o.Events(ev)
}

// escape makes text of other programs safe to print and truncates it.
func escape(text string) string {
	if text = command.Escape(text); len(text) > maxEventText {
		text = strings.ToValidUTF8(text[:maxEventText], "")
	}
	return text
}

// emitEnd reports how an item ended.
func (e *engine) emitEnd(r *ItemResult) {
	kind := map[Outcome]EventKind{
		Done: ItemDone, Unchanged: ItemDone, Failed: ItemFailed, Skipped: ItemSkipped, Interrupted: ItemStopped,
	}[r.Outcome]
	e.emit(Event{Kind: kind, Addr: r.Addr, Action: r.Action, Outcome: r.Outcome, Err: r.Cause, Elapsed: r.Elapsed})
}
