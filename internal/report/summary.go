package report

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// mostKept is how many replaced files are named one by one.
const mostKept = 20

// Summary prints how an apply ended: what stands in each environment now, how
// replaced files come back, each failure with what to do, what was skipped, and
// last the counts. A new environment has all its packages listed, one that was
// updated those that changed. A record that was kept prints as it did then.
func Summary(w io.Writer, r *Record, o Options) error {
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
func (p *page) listing(r *Record, environment string) listing {
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
func (p *page) kept(r *Record) {
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
func (p *page) unproved(r *Record) {
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
func (p *page) unfinished(r *Record, outcome apply.Outcome) {
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

// tally counts an apply by what was done.
type tally struct {
	Created     int `json:"created"`
	Updated     int `json:"updated"`
	Replaced    int `json:"replaced"`
	Deleted     int `json:"deleted"`
	Decided     int `json:"decided"`   // those that only apply could decide
	Unchanged   int `json:"unchanged"` // checks that hold, and what was already as it should be
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Interrupted int `json:"interrupted"`
}

func tallyOf(r *apply.Result) tally {
	var t tally
	for i := range r.Items {
		switch r.Items[i].Outcome {
		case apply.Unchanged:
			t.Unchanged++
		case apply.Failed:
			t.Failed++
		case apply.Skipped:
			t.Skipped++
		case apply.Interrupted:
			t.Interrupted++
		case apply.Done:
			t.done(r.Items[i].Action)
		}
	}
	return t
}

func (t *tally) done(a resources.Action) {
	switch a {
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

// slowest names the items that took longest, and the steps that did so.
func (p *page) slowest(r *Record) {
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

func (p *page) recap(r *Record) {
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
	p.leftOut(r.LeftOut)
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
	p.last(c, "Recap: ", r.recapText()+".")
	p.last(c, cmp.Or(r.Word, "Apply")+": ", strings.Join(parts, ", ")+" in "+duration(seconds(r.Elapsed))+".")
}

// recapText is how the resources of the machine stand now.
func (r *Record) recapText() string {
	text := fmt.Sprintf("%d ok, %d changed, %d failed, %d skipped, %d blocked", r.Recap.OK, r.Recap.Changed, r.Recap.Failed, r.Recap.Skipped, r.Recap.Blocked)
	if r.Host != "" {
		text += " on " + r.Host
	}
	if r.LeftOut != nil {
		text += fmt.Sprintf("; %d left out", r.LeftOut.Total)
	}
	return text
}
