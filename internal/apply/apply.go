// Package apply carries a plan out. It may do less than the plan, never more.
//
//  1. What a killed apply left behind is cleared and remembered.
//  2. Items start once all that they wait for is done, lowest index first, on a
//     few workers. A failure skips its dependents; the rest go on.
//  3. Before an item its facts are looked up again and its resource is asked.
//     Nothing to do is "already there"; the same change runs; anything else stops
//     the item: the machine changed since the plan.
//  4. The journal says what is about to happen, then the steps run, then the
//     resource is asked once more: it must have nothing left to do.
//  5. Items that only make directories, files and links are done in groups:
//     temporaries, one flush, renames, one flush.
//
// Nothing is resumed. After a failure or a kill the next plan looks at what is
// there and goes on from that.
package apply

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Options are what apply needs beside the plan.
type Options struct {
	Root  string // the project, absolute, links resolved
	State string // the part of .reconcile that belongs to this machine, relative to Root
	// Probe looks at this machine now. It is called by several goroutines at once.
	Probe func(context.Context, []facts.Key) *facts.Facts
	// IndexEnv is handed to programs that get packages: index, CA, wheel folders,
	// proxy. Passwords in it are kept out of events and errors.
	IndexEnv []string
	// ChannelEnv is handed, beside that, to programs that get packages of conda.
	ChannelEnv []string
	// GPUEnv is handed to a proof on a GPU: which GPUs the user lets programs see.
	GPUEnv       []string
	Client       *http.Client // for Fetch; nil for one that uses no proxy
	Jobs         int          // workers; 0 for one a core
	Events       func(Event)  // called from one goroutine at a time; nil for nobody
	Journal      *state.Journal
	Lock         *os.File        // inherited by every child; nil for none
	Kill         context.Context // ends at once what ctx asks to stop; nil for never
	Now          func() time.Time
	EnvPaths     []string      // places of environments, relative to Root: a killed run may have left temporaries there
	StallTimeout time.Duration // without a byte for so long a download is given up; 0 for 30 s
}

// An Outcome is how an item ended.
type Outcome string

const (
	Done        Outcome = "done"
	Unchanged   Outcome = "unchanged" // a check that holds, or already as it should be
	Failed      Outcome = "failed"
	Skipped     Outcome = "skipped"     // waits for one that failed
	Interrupted Outcome = "interrupted" // stopped, or not begun, since the run was stopped
)

// An ItemResult is how one item of the plan ended.
type ItemResult struct {
	Addr    resources.Addr   `json:"addr"`
	Action  resources.Action `json:"action,omitempty"`
	Outcome Outcome          `json:"outcome"`
	Cause   *diag.Problem    `json:"cause,omitempty"` // of failed, skipped and interrupted ones
	Elapsed time.Duration    `json:"elapsed,omitempty"`
	Kept    []Kept           `json:"kept,omitempty"` // contents of files that were replaced
	// Packages is what comes, goes or changes version between the generation that
	// was visible and the one that was built; nil where none was built.
	Packages  []resources.PackageChange `json:"packages,omitempty"`
	SmokeTest []SmokeTestPart           `json:"proof,omitempty"` // of an environment that was built, or failed to
}

// Kept is the content of a file that an apply replaced or took away.
type Kept struct {
	Path   string       `json:"path"`   // where it stood, as the step names it
	SHA256 facts.SHA256 `json:"sha256"` // of the content
	Mode   facts.Mode   `json:"mode"`   // permission bits that the file had
	Copy   string       `json:"copy"`   // where it lies now, relative to the project
}

// A Result is how an apply ended, item by item in the order of the plan.
type Result struct {
	Items       []ItemResult `json:"items"`
	Interrupted bool         `json:"interrupted,omitempty"`
	Elapsed     time.Duration
}

// Count returns how many items ended so.
func (r *Result) Count(o Outcome) int {
	n := 0
	for i := range r.Items {
		if r.Items[i].Outcome == o {
			n++
		}
	}
	return n
}

// Failed returns how many items failed; those that were skipped are not counted.
func (r *Result) Failed() int { return r.Count(Failed) }

// Run carries the plan out. The first end of ctx stops it at the next boundary of
// a step, with children stopped and the journal written.
func Run(ctx context.Context, plan *planner.Plan, o Options) *Result {
	o = o.withDefaults()
	start := time.Now()
	e := newEngine(plan, o)
	e.emit(Event{Kind: PlanStarted, Total: e.changes()})
	e.run(ctx)
	r := &Result{Items: e.results, Interrupted: ctx.Err() != nil && e.incomplete(), Elapsed: time.Since(start)}
	e.emit(Event{Kind: Finished, Total: e.changes(), Elapsed: r.Elapsed})
	return r
}

// withDefaults fills in what the caller left out.
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
	if o.StallTimeout == 0 {
		o.StallTimeout = 30 * time.Second
	}
	return o
}
