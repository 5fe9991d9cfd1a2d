package report

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	maxKept    = 20 // replaced files that are listed
	maxSlowest = 5
)

// Summary prints the outcome of an apply: the environments, the commands that restore
// replaced files, failures with hints, skipped resources, and last the counts. It lists
// all packages of a new environment, and the changed ones of an updated one.
func Summary(w io.Writer, r *runrecord.Record, o Options) error {
	p := newPage(w, o)
	for _, e := range r.Environments {
		if r.Word == "" {
			p.environment(e, p.listing(r, e.Name))
		}
	}
	p.kept(r)
	p.untested(r)
	for _, outcome := range []apply.Outcome{apply.Failed, apply.Skipped, apply.Interrupted} {
		p.unfinished(r, outcome)
	}
	p.slowest(r)
	p.recap(r)
	return p.close()
}

func (p *page) listing(r *runrecord.Record, environment string) listing {
	for i := range r.Items {
		item := &r.Items[i]
		if isEnvironment(item.Addr.Kind) && item.Addr.Name == environment && item.Outcome == apply.Done {
			return listing{all: item.Action == resources.Create || p.o.Verbose, changed: item.Packages}
		}
	}
	return listing{all: p.o.Verbose}
}

// kept prints a command for each replaced file that restores it. Commands are not folded,
// so that they can be copied.
func (p *page) kept(r *runrecord.Record) {
	n := 0
	last := apply.Kept{}
	for i := range r.Items {
		for _, k := range r.Items[i].Kept {
			if n++; n > maxKept {
				last = k
				continue
			}
			verb := "Replaced "
			if r.Items[i].Action == resources.Delete {
				verb = "Removed "
			}
			p.raw(verb + Escape(k.Path) + "; to restore it: " + Command([]string{"cp", k.Copy, operand(k.Path)}) + "\n")
		}
	}
	if n > maxKept {
		runs := layout.Runs(path.Dir(path.Dir(last.Copy)))
		p.line(0, "Replaced %s more; the record of this run in %s lists them and their copies.", plural.Count(n-maxKept, "file"), runs)
	}
	if n > 0 {
		p.blank()
	}
}

// operand returns a path that is not parsed as an option.
func operand(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// untested prints the parts of smoke tests that were skipped or gave no answer, a line
// for each environment. The environments are active nevertheless.
func (p *page) untested(r *runrecord.Record) {
	printed := false
	for i := range r.Items {
		var parts []string
		for _, part := range r.Items[i].SmokeTest {
			if part.Outcome == apply.SmokeTestSkipped || part.Outcome == apply.SmokeTestUnknown {
				parts = append(parts, fmt.Sprintf("%s (%s: %s)", part.Name, part.Outcome, part.Detail))
			}
		}
		if len(parts) > 0 && r.Items[i].Outcome != apply.Failed {
			printed = true
			p.hang(0, yellow, "not tested: ", r.Items[i].Addr.String()+": "+strings.Join(parts, ", "))
		}
	}
	if printed {
		p.blank()
	}
}

// unfinished prints the items with an outcome: of a failure the problem, of others one
// line.
func (p *page) unfinished(r *runrecord.Record, outcome apply.Outcome) {
	printed := false
	for i := range r.Items {
		item := &r.Items[i]
		if item.Outcome != outcome {
			continue
		}
		if outcome == apply.Failed && item.Cause != nil {
			d := *item.Cause
			d.Addr = cmp.Or(d.Addr, item.Addr.String())
			p.problem(viewProblem(&d))
			p.blank()
			continue
		}
		printed = outcome != apply.Failed
		text := item.Addr.String()
		if item.Cause != nil {
			text += ": " + item.Cause.Summary
		}
		p.hang(0, yellow, string(outcome)+": ", text)
	}
	if printed {
		p.blank()
	}
}

// slowest prints the slowest items with their slow steps.
func (p *page) slowest(r *runrecord.Record) {
	list := slowestOf(r.Items)
	if len(list) == 0 {
		return
	}
	p.heading("Slowest")
	rows := make([][2]string, len(list))
	for i, item := range list {
		text := duration(seconds(item.Elapsed))
		var steps []string
		for _, s := range item.Steps {
			if s.Elapsed >= slow.Seconds() {
				steps = append(steps, stepWord(s.Step)+" "+duration(seconds(s.Elapsed)))
			}
		}
		if len(steps) > 0 {
			text += ": " + strings.Join(steps, ", ")
		}
		rows[i] = [2]string{item.Addr.String(), text}
	}
	p.table(2, rows)
	p.blank()
}

func (p *page) recap(r *runrecord.Record) {
	t := r.Totals
	done := fmt.Sprintf("%d created, %d updated", t.Created, t.Updated)
	if more := countTexts(
		count{t.Replaced, "replaced"}, count{t.Deleted, "deleted"}, count{t.Decided, "decided and done"},
		count{t.Failed, "failed"}, count{t.Skipped, "skipped"}, count{t.Interrupted, "not done"},
	); more != "" {
		done += ", " + more
	}
	command := strings.ToLower(cmp.Or(r.Word, "apply"))
	p.excluded(viewExcluded(r.Excluded))
	switch {
	case r.Interrupted:
		p.line(0, "Interrupted: finished changes are kept; `reconcile %s` continues.", command)
	case t.Failed > 0:
		p.line(0, "Finished changes are kept; fix the failures and run `reconcile %s` again.", command)
	case r.Word != "":
	case r.Left > 0:
		p.line(0, "The machine still differs in %s: run `reconcile plan`.", plural.Count(r.Left, "resource"))
	}
	c := green
	if t.Failed+t.Skipped+t.Interrupted > 0 {
		c = red
	}
	p.last(c, "Recap: ", recapText(r)+".")
	p.last(c, cmp.Or(r.Word, "Apply")+": ", done+" in "+duration(seconds(r.Elapsed))+".")
}

// recapText counts all resources of the machine by their state.
func recapText(r *runrecord.Record) string {
	text := fmt.Sprintf("%d ok, %d changed, %d failed, %d skipped, %d blocked", r.Recap.OK, r.Recap.Changed, r.Recap.Failed, r.Recap.Skipped, r.Recap.Blocked)
	if r.Host != "" {
		text += " on " + r.Host
	}
	if r.Excluded != nil {
		text += fmt.Sprintf("; %d excluded", r.Excluded.Total)
	}
	return text
}

// slowestOf returns the slowest of the items that are slow, the slowest first.
func slowestOf(items []runrecord.Item) []runrecord.Item {
	list := slices.DeleteFunc(slices.Clone(items), func(i runrecord.Item) bool { return i.Elapsed < slow.Seconds() })
	slices.SortStableFunc(list, func(a, b runrecord.Item) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	return list[:min(len(list), maxSlowest)]
}

// SummaryJSON writes a record as one line, the last of the events of an apply.
func SummaryJSON(w io.Writer, r *runrecord.Record) error { return writeJSON(w, r, "") }

// RecordJSON writes a record as one document.
func RecordJSON(w io.Writer, r *runrecord.Record) error { return writeJSON(w, r, "  ") }
