package report

import (
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// stepIndent is the indentation of the details of a change.
const stepIndent = 6

// Plan prints a plan as text: the checks, the changes, the storage summary, the problems,
// and last the line of totals. A plan with nothing to do is one line below its problems,
// and the storage summary if the budget does not fit.
func Plan(w io.Writer, plan *planner.Plan, o Options) error {
	p := newPage(w, o)
	v := viewPlan(plan, o)
	if v.Nothing {
		p.problems(v.Problems)
	}
	p.checks(v.Checks)
	p.changes(&v)
	p.storage(v.Storage)
	p.notes(v.Notes)
	if v.Nothing {
		p.excluded(v.Excluded)
		p.last(plain, "", strings.TrimSuffix(v.Line+v.Where+". "+v.MoreNotes, " "))
		return p.close()
	}
	if v.MoreNotes != "" {
		p.line(0, "%s", v.MoreNotes)
		p.blank()
	}
	p.problems(v.Problems)
	p.excluded(v.Excluded)
	for _, d := range v.Destructive {
		c := red
		if d.Verb == "Replaces" {
			c = yellow
		}
		p.hang(0, c, d.Verb+" ", d.Name)
	}
	p.last(bold, "Plan: ", v.Line+".")
	return p.close()
}

// PlanTotals prints the last line of a plan alone.
func PlanTotals(w io.Writer, plan *planner.Plan, o Options) error {
	p := newPage(w, o)
	v := viewPlan(plan, o)
	if v.Nothing {
		p.last(plain, "", v.Line+v.Where+".")
	} else {
		p.last(bold, "Plan: ", v.Line+".")
	}
	return p.close()
}

func (p *page) checks(list []checkView) {
	if len(list) == 0 {
		return
	}
	p.heading("Checks")
	for _, c := range list {
		text := c.Addr
		if c.Text != "" {
			text += ": " + c.Text
		}
		p.hang(2, stateColor(c.State), string(c.State)+spaces(6-len(c.State)), text)
	}
	p.blank()
}

// changes prints a block for each change, and a line for each short one.
func (p *page) changes(v *planView) {
	if len(v.Changes) == 0 {
		return
	}
	p.heading("Changes" + v.Sides)
	shortened, gap := 0, false
	for i := range v.Changes {
		c := &v.Changes[i]
		if gap || (i > 0 && !c.Short) {
			p.blank()
		}
		_, color := sign(c.Action)
		p.hang(2, color, c.Sign+" ", c.Addr+": "+c.Text)
		gap = !c.Short
		if gap {
			p.body(c.bodyView)
		} else if c.Action != resources.Blocked {
			shortened++
		}
	}
	if shortened > 0 {
		if gap {
			p.blank()
		}
		p.line(2, "(%s on one line each; --detail shows what they write)", plural.Count(shortened, "change"))
	}
	p.blank()
}

func (p *page) body(v bodyView) {
	for _, f := range v.Fields {
		p.hang(stepIndent, plain, f.Path+": ", f.Text)
	}
	if len(v.Packages) > 0 {
		p.line(stepIndent, "packages: %s", v.Counts)
	}
	for _, c := range v.Packages {
		p.packageChange(stepIndent+2, c)
	}
	for _, s := range v.Steps {
		p.step(s)
	}
	if v.Need != "" {
		p.line(stepIndent, "%s", v.Need)
	}
}

func (p *page) packageChange(indent int, c packageView) {
	color := yellow
	switch c.Sign {
	case "+":
		color = green
	case "-":
		color = red
	}
	p.hang(indent, color, c.Sign+" ", c.Text)
}

func (p *page) step(s stepView) {
	for _, text := range s.Texts {
		p.line(stepIndent, "%s", text)
	}
	if len(s.Words) > 0 {
		prompt := p.paint(faint, "$ ")
		for _, line := range foldCommand(s.Words, p.o.Width-stepIndent-2) {
			p.raw(spaces(stepIndent) + prompt + line + "\n")
			prompt = "  "
		}
	}
	for _, text := range s.Notes {
		p.line(stepIndent+2, "(%s)", text)
	}
	if s.Aside != "" {
		p.line(stepIndent+2, "(%s)", s.Aside)
	}
	for _, l := range s.Diff { // not folded: a broken line would look like two
		color := plain
		switch l.Kind {
		case "file":
			color = bold
		case "hunk":
			color = cyan
		case "added":
			color = green
		case "gone":
			color = red
		case "note":
			color = faint
		}
		p.raw(spaces(stepIndent+2) + p.paint(color, l.Text) + "\n")
	}
}

func (p *page) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	p.heading("Notes")
	for _, note := range notes {
		p.hang(2, plain, "- ", note)
	}
	p.blank()
}

func (p *page) problems(list []problemView) {
	for _, d := range list {
		p.problem(d)
		p.blank()
	}
}

// excluded prints the resources that are not part of a plan or a run.
func (p *page) excluded(x *excludedView) {
	if x == nil {
		return
	}
	p.hang(0, yellow, x.Label, x.Text)
	for _, r := range x.Resources {
		_, c := sign(r.Action)
		p.hang(2, c, r.Sign+" ", r.Addr+": "+r.Text)
	}
	if x.More != "" {
		p.line(2, "%s", x.More)
	}
	p.blank()
}

// WriteChange prints the details of one change, as Plan does.
func WriteChange(w io.Writer, item *planner.Item, o Options) error {
	p := newPage(w, o)
	p.body(viewBody(&item.Change, o))
	return p.close()
}

// PackageChange prints one package that is added, removed or changes its version.
func PackageChange(w io.Writer, c resources.PackageChange, o Options) error {
	p := newPage(w, o)
	p.packageChange(2, viewPackage(c))
	return p.close()
}
