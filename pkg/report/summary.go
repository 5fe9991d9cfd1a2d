package report

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/apply"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// mostKept is how many replaced files are named one by one.
const mostKept = 20

// Summary prints how an apply ended: what stands in each environment now, how
// replaced files come back, each failure with what to do, what was skipped, and
// last the counts. A new environment has all its packages listed, one that was
// updated those that changed.
func Summary(w io.Writer, r *apply.Result, after Machine) error {
	p := newPage(w, after.Options)
	for _, e := range after.installed().Environments {
		if after.Word == "" {
			p.environment(e, p.listing(r, e.Name))
		}
	}
	p.kept(r)
	p.unproved(r)
	for _, outcome := range []apply.Outcome{apply.Failed, apply.Skipped, apply.Interrupted} {
		p.unfinished(r, outcome)
	}
	p.recap(r, after)
	return p.close()
}

// listing says which packages of an environment a summary names.
func (p *page) listing(r *apply.Result, environment string) listing {
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
func (p *page) kept(r *apply.Result) {
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
func (p *page) unproved(r *apply.Result) {
	printed := false
	for i := range r.Items {
		var parts []string
		for _, part := range r.Items[i].Proof {
			if part.Outcome == apply.ProofSkips || part.Outcome == apply.ProofUnsure {
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
func (p *page) unfinished(r *apply.Result, outcome apply.Outcome) {
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

func (p *page) recap(r *apply.Result, after Machine) {
	t := tallyOf(r)
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
	left := 0
	if after.Plan != nil {
		left = after.Plan.Totals().Changes()
	}
	switch {
	case r.Interrupted:
		p.line(0, "Interrupted: what was done stays done; `reconcile %s` goes on from there.", strings.ToLower(cmp.Or(after.Word, "apply")))
	case t.Failed > 0:
		p.line(0, "What was done stays done; mend what failed and run `reconcile %s` again.", strings.ToLower(cmp.Or(after.Word, "apply")))
	case after.Word != "":
	case left > 0:
		p.line(0, "The machine still differs in %s; `reconcile plan` shows them.", plural.Count(left, "resource"))
	}
	c := green
	if t.Failed+t.Skipped+t.Interrupted > 0 {
		c = red
	}
	p.last(c, cmp.Or(after.Word, "Apply")+": ", strings.Join(parts, ", ")+" in "+duration(r.Elapsed)+".")
}

// itemResult is apply.ItemResult with seconds in place of nanoseconds.
type itemResult struct {
	apply.ItemResult
	Elapsed float64 `json:"elapsed,omitempty"`
}

// SummaryJSON writes how an apply ended as the last line of its stream of
// events, of kind "summary". Durations are seconds.
func SummaryJSON(w io.Writer, r *apply.Result, after Machine) error {
	items := make([]itemResult, len(r.Items))
	for i := range r.Items {
		items[i] = itemResult{r.Items[i], r.Items[i].Elapsed.Seconds()}
	}
	return writeJSON(w, struct {
		Version     int          `json:"version"`
		Kind        string       `json:"kind"`
		Totals      tally        `json:"totals"`
		Interrupted bool         `json:"interrupted,omitempty"`
		Elapsed     float64      `json:"elapsed"`
		Items       []itemResult `json:"items"`
		installed
	}{Version, "summary", tallyOf(r), r.Interrupted, r.Elapsed.Seconds(), items, after.installed()}, "")
}
