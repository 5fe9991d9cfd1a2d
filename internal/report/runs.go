package report

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
)

// A RunList is the earlier runs of a machine.
type RunList struct {
	Runs    []RunLine    `json:"runs"`              // the newest first
	Damaged []DamagedRun `json:"damaged,omitempty"` // records that cannot be read
}

// A RunLine is one earlier run in a list.
type RunLine struct {
	Name        string          `json:"name"` // of its record
	Started     time.Time       `json:"started"`
	Command     string          `json:"command,omitempty"` // as typed; "" in records of earlier versions
	Environment string          `json:"environment,omitempty"`
	Result      string          `json:"result"` // "done", "in part", "interrupted"
	Recap       runrecord.Recap `json:"recap"`
	Elapsed     float64         `json:"elapsed"` // seconds
}

// A DamagedRun is a record that cannot be read.
type DamagedRun struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// NewRunLine returns the line of a record.
func NewRunLine(name string, r *runrecord.Record) RunLine {
	return RunLine{name, r.Started, r.Command, r.Environment, r.Outcome(), r.Counts(), r.Elapsed}
}

// Runs prints a line for each earlier run, and then the damaged records.
func Runs(w io.Writer, list *RunList, o Options) error {
	p := newPage(w, o)
	if len(list.Runs) == 0 {
		p.line(0, "No run of this machine is recorded yet; `reconcile apply` records a run that changes something.")
	} else {
		rows := [][]string{{"RUN", "STARTED (UTC)", "RESULT", "CHANGED", "FAILED", "SKIPPED", "TOOK", "COMMAND"}}
		for _, r := range list.Runs {
			rows = append(rows, []string{
				r.Name, r.Started.UTC().Format("2006-01-02 15:04:05"), r.Result, fmt.Sprint(r.Recap.Changed), fmt.Sprint(r.Recap.Failed),
				fmt.Sprint(r.Recap.Skipped), duration(seconds(r.Elapsed)), cmp.Or(r.Command, notRecorded),
			})
		}
		p.grid(rows)
	}
	if len(list.Damaged) > 0 {
		p.blank()
		p.line(0, "%s cannot be read:", plural.Count(len(list.Damaged), "record"))
		for _, d := range list.Damaged {
			p.hang(2, yellow, d.File+": ", d.Reason)
		}
	}
	return p.close()
}

type runsDocument struct {
	Version int `json:"version"`
	*RunList
}

// RunsJSON writes a list of runs as one document.
func RunsJSON(w io.Writer, list *RunList) error {
	return writeJSON(w, runsDocument{Version, list}, "  ")
}
