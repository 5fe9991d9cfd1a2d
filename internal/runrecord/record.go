// Package runrecord keeps the records of earlier applies: how each one ended, item by
// item. Apply writes a record, and the commands runs and undo read it.
package runrecord

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	// Version is the format version of a record.
	Version = 1
	// MaxBytes is the largest size of a record: room for a hundred thousand items.
	MaxBytes = 64 << 20

	kind = "summary"
)

// A Record is the outcome of one apply. It is also the last event of `apply --json`,
// of kind "summary".
type Record struct {
	Version     int       `json:"version"`
	Kind        string    `json:"kind"`                  // "summary"
	Started     time.Time `json:"started,omitzero"`      // zero in records of earlier versions
	Command     string    `json:"command,omitempty"`     // as typed
	Host        string    `json:"host,omitempty"`        // name of the machine
	Environment string    `json:"environment,omitempty"` // the selected environment, "" for none
	Word        string    `json:"word,omitempty"`        // name of the run if it was no apply: "Destroy"
	Totals      Totals    `json:"totals"`
	Recap       Recap     `json:"recap"`
	Left        int       `json:"left"` // resources that still differ
	// Excluded summarizes the resources excluded by --target, --exclude and answers to conflicts.
	Excluded    *planner.Excluded `json:"left_out,omitempty"`
	Interrupted bool              `json:"interrupted,omitempty"`
	Elapsed     float64           `json:"elapsed"` // seconds
	Items       []Item            `json:"items"`
	Installed
}

// Totals counts items by what was done.
type Totals struct {
	Created     int `json:"created"`
	Updated     int `json:"updated"`
	Replaced    int `json:"replaced"`
	Deleted     int `json:"deleted"`
	Decided     int `json:"decided"`   // deferred until apply
	Unchanged   int `json:"unchanged"` // passed checks, and items that already agreed
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Interrupted int `json:"interrupted"`
}

// Recap counts all resources of the manifest by their state after an apply.
type Recap struct {
	OK      int `json:"ok"`      // agreed before, and passed checks
	Changed int `json:"changed"` // changed as planned
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"` // depended on a failed one, or the run stopped before
	Blocked int `json:"blocked"` // could not be started
}

// An Item is apply.ItemResult with its durations in seconds.
type Item struct {
	apply.ItemResult
	Elapsed float64    `json:"elapsed,omitempty"` // seconds
	Steps   []StepTime `json:"steps,omitempty"`   // in the order in which they started
}

// A StepTime is the duration of all steps of one type of an item.
type StepTime struct {
	Step    string  `json:"step"`
	Elapsed float64 `json:"elapsed"` // seconds
}

// A Run is an apply that ended.
type Run struct {
	Started  time.Time
	Command  string // as typed
	Word     string // see Record
	Agreed   int    // resources that agreed before and are not items of the plan
	Times    *Times
	Result   *apply.Result
	Excluded *planner.Excluded
	After    *planner.Plan // for the machine as it is now; nil if unknown
	Facts    *facts.Facts  // of the machine as it is now; nil if unknown
}

// New returns the record of a run.
func New(run Run) *Record {
	result := run.Result
	r := &Record{
		Version: Version, Kind: kind, Command: run.Command, Word: run.Word, Excluded: run.Excluded, Recap: Recap{OK: run.Agreed},
		Interrupted: result.Interrupted, Elapsed: result.Elapsed.Seconds(), Items: make([]Item, len(result.Items)), Installed: InstalledOn(run.Facts, run.After),
	}
	if !run.Started.IsZero() {
		r.Started = run.Started.UTC()
	}
	for i := range result.Items {
		item := &result.Items[i]
		r.Items[i] = Item{*item, item.Elapsed.Seconds(), run.Times.of(item.Addr)}
		r.Totals.add(item)
		r.Recap.add(item)
	}
	if run.After != nil {
		r.Left = run.After.Totals().Changes()
		r.Host, r.Environment = run.After.Host, run.After.Environment
	}
	return r
}

func (t *Totals) add(item *apply.ItemResult) {
	switch item.Outcome {
	case apply.Unchanged:
		t.Unchanged++
	case apply.Failed:
		t.Failed++
	case apply.Skipped:
		t.Skipped++
	case apply.Interrupted:
		t.Interrupted++
	case apply.Done:
		switch item.Action {
		case resources.Create:
			t.Created++
		case resources.Update:
			t.Updated++
		case resources.Replace:
			t.Replaced++
		case resources.Delete:
			t.Deleted++
		default:
			t.Decided++
		}
	}
}

func (c *Recap) add(item *apply.ItemResult) {
	switch {
	case item.Action == resources.Blocked:
		c.Blocked++
	case item.Outcome == apply.Done:
		c.Changed++
	case item.Outcome == apply.Failed:
		c.Failed++
	case item.Outcome == apply.Skipped || item.Outcome == apply.Interrupted:
		c.Skipped++
	default:
		c.OK++
	}
}

// Outcome returns "done", "in part" or "interrupted".
func (r *Record) Outcome() string {
	switch {
	case r.Interrupted:
		return "interrupted"
	case r.Totals.Failed > 0:
		return "in part"
	}
	return "done"
}

// Counts returns the recap. For records of earlier versions, which have none, it is
// computed from the totals without the resources that agreed.
func (r *Record) Counts() Recap {
	if r.Recap != (Recap{}) {
		return r.Recap
	}
	t := r.Totals
	return Recap{OK: t.Unchanged, Changed: t.Created + t.Updated + t.Replaced + t.Deleted + t.Decided, Failed: t.Failed, Skipped: t.Skipped + t.Interrupted}
}

// Encode returns the record as a line of JSON.
func Encode(r *Record) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(r)
	return b.Bytes(), err
}

// Decode reads a record. It returns an error for a later format version and for an
// item without an address.
func Decode(b []byte) (*Record, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%d bytes, more than %d", len(b), MaxBytes)
	}
	r := &Record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, err
	}
	switch {
	case r.Version > Version:
		return nil, fmt.Errorf("format version %d, this program reads %d", r.Version, Version)
	case r.Version < 1 || r.Kind != kind:
		return nil, errors.New("not the record of a run")
	}
	for i := range r.Items {
		item := &r.Items[i]
		if item.Addr.Kind == "" || item.Addr.Name == "" {
			return nil, fmt.Errorf("item %d has no address", i)
		}
		item.ItemResult.Elapsed = time.Duration(item.Elapsed * float64(time.Second))
	}
	return r, nil
}
