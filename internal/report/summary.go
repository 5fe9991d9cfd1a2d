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

// mostKept is how many replaced files are named one by one.
const mostKept = 20

// Summary prints how an apply ended: what stands in each environment now, how
// replaced files come back, each failure with what to do, what was skipped, and
// last the counts. A new environment has all its packages listed, one that was
// updated those that changed. A record that was kept prints as it did then.
func Summary(w io.Writer, r *runrecord.Record, o Options) error {
	p := newPage(w, o)
	for _, e := range r.Environments {
		if r.Word == "" {
			p.environment(e, p.listing(r, e.Name))
		}
	}
	p.kept(r)
	p.unproved(r)
	for _, outcome := range []apply.Outcome{apply.Failed, apply.Skipped, apply.Interrupted} {
		p.unfinished(r, outcome)
	}
	p.slowest(r)
	p.recap(r)
	return p.close()
}

// listing says which packages of an environment a summary names.
func (p *page) listing(r *runrecord.Record, environment string) listing {
	for i := range r.Items {
		item := &r.Items[i]
		if !isEnvironment(item.Addr.Kind) || item.Addr.Name != environment || item.Outcome != apply.Done {
			continue
		}
		return listing{all: item.Action == resources.Create || p.o.Verbose, changed: item.Packages}
	}
	return listing{all: p.o.Verbose}
}

// kept names each file that was replaced, with the command that brings its
// content back. Commands stay whole, so that they can be copied.
func (p *page) kept(r *runrecord.Record) {
	n := 0
	last := apply.Kept{}
	for i := range r.Items {
		for _, k := range r.Items[i].Kept {
			if n++; n > mostKept {
				last = k
				continue
			}
			back := Command([]string{"cp", k.Copy, operand(k.Path)})
			verb := "Replaced "
			if r.Items[i].Action == resources.Delete {
				verb = "Removed "
			}
			p.raw(verb + Escape(k.Path) + "; its old content comes back with: " + back + "\n")
		}
	}
	if n > mostKept {
		runs := layout.Runs(path.Dir(path.Dir(last.Copy)))
		p.line(0, "Replaced %s more; the record of this run below %s names them and their copies.", plural.Count(n-mostKept, "file"), runs)
	}
	if n > 0 {
		p.blank()
	}
}

// operand is a path that no program takes for an option.
func operand(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// unproved names the parts of proofs that were skipped or gave no answer, a line for
// each environment: it is in use all the same.
func (p *page) unproved(r *runrecord.Record) {
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
			p.hang(0, yellow, "not proved: ", r.Items[i].Addr.String()+": "+strings.Join(parts, ", "))
		}
	}
	if printed {
		p.blank()
	}
}

// unfinished prints the items that ended so. A failure has its whole problem; of
// the others the first line says it all.
func (p *page) unfinished(r *runrecord.Record, outcome apply.Outcome) {
	printed := false
	for i := range r.Items {
		item := &r.Items[i]
		if item.Outcome != outcome {
			continue
		}
		printed = true
		why := ""
		if item.Cause != nil {
			if outcome == apply.Failed {
				d := *item.Cause
				if d.Addr == "" {
					d.Addr = item.Addr.String()
				}
				p.problem(0, &d)
				p.blank()
				continue
			}
			why = ": " + item.Cause.Summary
		}
		p.hang(0, yellow, string(outcome)+": ", item.Addr.String()+why)
	}
	if printed && outcome != apply.Failed {
		p.blank()
	}
}

// slowest names the items that took longest, and the steps that did so.
func (p *page) slowest(r *runrecord.Record) {
	list := slowest(r.Items)
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
				steps = append(steps, strings.ReplaceAll(s.Step, "_", " ")+" "+duration(seconds(s.Elapsed)))
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
	parts := []string{fmt.Sprintf("%d created", t.Created), fmt.Sprintf("%d updated", t.Updated)}
	for _, more := range []struct {
		n    int
		word string
	}{
		{t.Replaced, "replaced"},
		{t.Deleted, "deleted"},
		{t.Decided, "decided and done"},
		{t.Unchanged, "unchanged"},
		{t.Failed, "failed"},
		{t.Skipped, "skipped"},
		{t.Interrupted, "not done"},
	} {
		if more.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more.n, more.word))
		}
	}
	p.leftOut(r.Excluded)
	switch {
	case r.Interrupted:
		p.line(0, "Interrupted: what was done stays done; `reconcile %s` goes on from there.", strings.ToLower(cmp.Or(r.Word, "apply")))
	case t.Failed > 0:
		p.line(0, "What was done stays done; mend what failed and run `reconcile %s` again.", strings.ToLower(cmp.Or(r.Word, "apply")))
	case r.Word != "":
	case r.Left > 0:
		p.line(0, "The machine still differs in %s; `reconcile plan` shows them.", plural.Count(r.Left, "resource"))
	}
	c := green
	if t.Failed+t.Skipped+t.Interrupted > 0 {
		c = red
	}
	p.last(c, "Recap: ", recapText(r)+".")
	p.last(c, cmp.Or(r.Word, "Apply")+": ", strings.Join(parts, ", ")+" in "+duration(seconds(r.Elapsed))+".")
}

// recapText is how the resources of the machine stand now.
func recapText(r *runrecord.Record) string {
	text := fmt.Sprintf("%d ok, %d changed, %d failed, %d skipped, %d blocked", r.Recap.OK, r.Recap.Changed, r.Recap.Failed, r.Recap.Skipped, r.Recap.Blocked)
	if r.Host != "" {
		text += " on " + r.Host
	}
	if r.Excluded != nil {
		text += fmt.Sprintf("; %d left out", r.Excluded.Total)
	}
	return text
}

// mostSlow is how many items a summary names as the slowest.
const mostSlow = 5

// slowest returns the items that took longest, of those that were worth a line while
// they ran.
func slowest(items []runrecord.Item) []runrecord.Item {
	var list []runrecord.Item
	for _, item := range items {
		if item.Elapsed >= slow.Seconds() {
			list = append(list, item)
		}
	}
	slices.SortStableFunc(list, func(a, b runrecord.Item) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	return list[:min(len(list), mostSlow)]
}

// SummaryJSON writes a record as one line, the last of the events of an apply.
func SummaryJSON(w io.Writer, r *runrecord.Record) error { return writeJSON(w, r, "") }

// RecordJSON writes a record as one document.
func RecordJSON(w io.Writer, r *runrecord.Record) error { return writeJSON(w, r, "  ") }
