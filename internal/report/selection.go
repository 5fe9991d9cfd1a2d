package report

import (
	"fmt"
	"io"

	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// mostLeftOut is how many of what a plan leaves out are named one by one.
const mostLeftOut = 20

// leftOut tells what is not part of a plan or a run, so that nobody takes the part for
// the whole.
func (p *page) leftOut(r *planner.Excluded) {
	if r == nil {
		return
	}
	p.hang(0, yellow, leftOutLabel(r), remainderText(r))
	for i, out := range r.Resources {
		if i == mostLeftOut {
			p.line(2, "and %d more; --json names them", len(r.Resources)-mostLeftOut)
			break
		}
		text, c := sign(out.Action)
		p.hang(2, c, text+" ", out.Addr.String()+": "+out.Why)
	}
	p.blank()
}

// leftOutLabel is such as "Left out by --target: ".
func leftOutLabel(r *planner.Excluded) string {
	if r.Flags == "" {
		return "Left out: "
	}
	return "Left out by " + r.Flags + ": "
}

// leftOutTexts tells the same in one text for the whole and one for each that is named.
func leftOutTexts(r *planner.Excluded) []string {
	if r == nil {
		return nil
	}
	list := []string{leftOutLabel(r) + remainderText(r)}
	for i, out := range r.Resources {
		if i == mostLeftOut {
			return append(list, fmt.Sprintf("Left out are %d more; --json names them", len(r.Resources)-mostLeftOut))
		}
		list = append(list, "Left out: "+out.Addr.String()+": "+out.Why)
	}
	return list
}

// remainderText is such as "5 resources; 2 of them differ".
func remainderText(r *planner.Excluded) string {
	text := plural.Count(r.Total, "resource")
	switch {
	case r.Total == 0:
		return "nothing"
	case r.Differ == 0 && r.Total == 1:
		return text + ", which agrees"
	case r.Differ == 0:
		return text + ", which agree"
	case r.Total == 1:
		return text + ", which differs"
	case r.Differ == 1:
		return text + "; 1 of them differs"
	}
	return text + fmt.Sprintf("; %d of them differ", r.Differ)
}

// nothing is what a plan without changes says of itself.
func nothing(plan *planner.Plan) string {
	if plan.Excluded == nil || plan.Excluded.Total == 0 {
		return "Nothing to do"
	}
	return "Nothing to do of what is selected"
}

// conflictText marks a change that overwrites what somebody else wrote.
func conflictText(item *planner.Item) string {
	if !item.Conflict {
		return ""
	}
	return " conflict"
}

// conflictWords says who wrote what a change overwrites.
func conflictWords(item *planner.Item) string {
	if item.Drift {
		return "changed on this machine since reconcile wrote it"
	}
	return "which was adopted as it stands"
}

// Differing is such as "2 resources that differ are".
func Differing(r *planner.Excluded) string {
	if r.Differ == 1 {
		return "1 resource that differs is"
	}
	return fmt.Sprintf("%d resources that differ are", r.Differ)
}

// WriteChange prints what one change of a plan does, as the plan does.
func WriteChange(w io.Writer, item *planner.Item, o Options) error {
	p := newPage(w, o)
	p.changeBody(&item.Change)
	return p.close()
}
