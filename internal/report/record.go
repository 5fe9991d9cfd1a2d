package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Record is how one apply ended, with all that its summary says, format version 1.
// It is the last line of the stream of events, of kind "summary", and what `runs` keeps.
type Record struct {
	Version     int       `json:"version"`
	Kind        string    `json:"kind"`                  // "summary"
	Started     time.Time `json:"started,omitzero"`      // zero in records of earlier versions
	Command     string    `json:"command,omitempty"`     // as it was typed
	Host        string    `json:"host,omitempty"`        // name of the machine
	Environment string    `json:"environment,omitempty"` // that was selected, "" for none
	Word        string    `json:"word,omitempty"`        // what the run was called where it was no apply: "Destroy"
	Totals      tally     `json:"totals"`
	Recap       recap     `json:"recap"`
	Left        int       `json:"left"` // resources that still differ
	// LeftOut is what --target, --exclude and answers to conflicts left out.
	LeftOut     *planner.Excluded `json:"left_out,omitempty"`
	Interrupted bool              `json:"interrupted,omitempty"`
	Elapsed     float64           `json:"elapsed"` // seconds
	Items       []itemResult      `json:"items"`
	installed
}

// recap counts resources by how they stand after an apply; their sum is all that the
// manifest asks for.
type recap struct {
	OK      int `json:"ok"`      // agreed before, and checks that hold
	Changed int `json:"changed"` // were brought to what the manifest says
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"` // waited for one that failed, or the run was stopped before
	Blocked int `json:"blocked"` // could not be begun
}

// itemResult is apply.ItemResult with seconds in place of nanoseconds, and where they
// went.
type itemResult struct {
	apply.ItemResult
	Elapsed float64    `json:"elapsed,omitempty"` // seconds
	Steps   []stepTime `json:"steps,omitempty"`   // those that were announced, in order
}

// stepTime is how long the steps of one sort took together, in seconds.
type stepTime struct {
	Step    string  `json:"step"`
	Elapsed float64 `json:"elapsed"`
}

// A Run is what a record needs beside the result.
type Run struct {
	Started time.Time
	Command string
	Agreed  int // resources that agreed before and were no items of the plan
	Times   *Times
}

// NewRecord puts together what is known of an apply that ended.
func NewRecord(run Run, r *apply.Result, after Machine) *Record {
	rec := &Record{
		Version: Version, Kind: "summary", Started: run.Started.UTC(), Command: run.Command, Word: after.Word, Totals: tallyOf(r), Recap: recapOf(run.Agreed, r),
		Interrupted: r.Interrupted, Elapsed: r.Elapsed.Seconds(), Items: make([]itemResult, len(r.Items)), installed: after.installed(),
	}
	if run.Started.IsZero() {
		rec.Started = time.Time{}
	}
	for i := range r.Items {
		rec.Items[i] = itemResult{r.Items[i], r.Items[i].Elapsed.Seconds(), run.Times.of(r.Items[i].Addr)}
	}
	rec.LeftOut = after.LeftOut
	if after.Plan != nil {
		rec.Left = after.Plan.Totals().Changes()
		rec.Host, rec.Environment = after.Plan.Host, after.Plan.Environment
	}
	return rec
}

func recapOf(agreed int, r *apply.Result) recap {
	c := recap{OK: agreed}
	for i := range r.Items {
		item := &r.Items[i]
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
	return c
}

// Result is how a run ended, in a word or two.
func (r *Record) Result() string {
	switch {
	case r.Interrupted:
		return "interrupted"
	case r.Totals.Failed > 0:
		return "in part"
	}
	return "done"
}

// MaxRecord is how long a record may be, in bytes: a hundred thousand items fit.
const MaxRecord = 64 << 20

// ReadRecord reads a record that JSON wrote; an error says what is wrong with it.
func ReadRecord(b []byte) (*Record, error) {
	if len(b) > MaxRecord {
		return nil, fmt.Errorf("%d bytes, more than %d", len(b), MaxRecord)
	}
	rec := &Record{}
	if err := json.Unmarshal(b, rec); err != nil {
		return nil, err
	}
	switch {
	case rec.Version > Version:
		return nil, fmt.Errorf("format version %d, this program reads %d", rec.Version, Version)
	case rec.Version < 1 || rec.Kind != "summary":
		return nil, errors.New("not the record of a run")
	}
	for i := range rec.Items {
		item := &rec.Items[i]
		if item.Addr.Kind == "" || item.Addr.Name == "" {
			return nil, fmt.Errorf("item %d has no address", i)
		}
		item.ItemResult.Elapsed = time.Duration(item.Elapsed * float64(time.Second))
	}
	return rec, nil
}

// SummaryJSON writes a record as the last line of a stream of events. Durations are
// seconds.
func SummaryJSON(w io.Writer, r *Record) error { return writeJSON(w, r, "") }

// RecordJSON writes a record as one document.
func RecordJSON(w io.Writer, r *Record) error { return writeJSON(w, r, "  ") }
