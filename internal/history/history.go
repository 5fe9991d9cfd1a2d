// Package history reads the records of earlier runs, and plans to undo the last one.
package history

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// Last is the name of the newest run in Run.
const Last = "last"

// open opens the records of this machine and returns their names, the oldest first. The
// caller closes the folder.
func open(p *session.Project) (*runrecord.Folder, []string, error) {
	local, err := p.Local()
	if err != nil {
		return nil, nil, err
	}
	records, err := runrecord.OpenFolder(local.State)
	if err != nil {
		return nil, nil, err
	}
	names, err := records.Names()
	if err != nil {
		records.Close()
		return nil, nil, &diag.Problem{Code: "runs.unreadable", Summary: "the records of earlier runs cannot be listed", Found: err.Error()}
	}
	return records, names, nil
}

// Runs reads the records of this machine, the newest first. A record that cannot be read is
// in Damaged.
func Runs(p *session.Project) (*report.RunList, error) {
	records, names, err := open(p)
	if err != nil {
		return nil, err
	}
	defer records.Close()
	list := &report.RunList{Runs: []report.RunLine{}}
	for _, name := range slices.Backward(names) {
		if r, err := records.Read(name); err != nil {
			list.Damaged = append(list.Damaged, report.DamagedRun{File: records.File(name), Reason: err.Error()})
		} else {
			list.Runs = append(list.Runs, report.NewRunLine(name, r))
		}
	}
	return list, nil
}

// Run reads the record whose name starts with prefix, or the newest if prefix is Last.
func Run(p *session.Project, prefix string) (*runrecord.Record, error) {
	records, names, err := open(p)
	if err != nil {
		return nil, err
	}
	defer records.Close()
	if len(names) == 0 {
		return nil, &diag.Problem{Code: "runs.none", Summary: "no run of this machine is recorded yet", Hint: "`reconcile apply` records a run that changes something"}
	}
	found := names[len(names)-1:]
	if prefix != Last {
		found = slices.DeleteFunc(names, func(name string) bool { return prefix == "" || !strings.HasPrefix(name+".json", prefix) })
	}
	switch len(found) {
	case 0:
		return nil, &diag.Problem{Code: "runs.unknown", Summary: fmt.Sprintf("no run is called %q", prefix), Hint: "`reconcile runs` lists them"}
	case 1:
	default:
		return nil, &diag.Problem{Code: "runs.ambiguous", Summary: fmt.Sprintf("%d runs begin with %q", len(found), prefix), Hint: "give more of the name; `reconcile runs` lists them"}
	}
	r, err := records.Read(found[0])
	if err != nil {
		return nil, &diag.Problem{
			Code: "runs.damaged", Summary: fmt.Sprintf("the record %s cannot be read", records.File(found[0])), Found: err.Error(),
			Hint: "remove the file; only `reconcile runs` and `reconcile undo` read it",
		}
	}
	return r, nil
}

// Keep adds the record of a run that ended, and removes the oldest above runrecord.Kept.
func Keep(p *session.Project, r *runrecord.Record) error {
	records, _, err := open(p)
	if err != nil {
		return err
	}
	defer records.Close()
	return records.Add(r, p.Config.Redactor)
}
