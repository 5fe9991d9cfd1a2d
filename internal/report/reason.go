package report

import (
	"cmp"
	"encoding/json"
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Reason explains why a resource changes, or does not.
type Reason struct {
	Version int            `json:"version"`
	Addr    resources.Addr `json:"addr"`
	Manages facts.Key      `json:"manages"`
	Verdict string         `json:"verdict"` // one sentence: the change and its reason
	// Pos and Line are the place in the manifest and the text of that line. A resource
	// that is no longer in the manifest has neither.
	Pos      diag.Pos     `json:"pos,omitzero"`
	Line     string       `json:"line,omitempty"`
	Facts    []ReasonFact `json:"facts"` // all facts that the resource reads
	Recorded *state.Entry `json:"remembered,omitempty"`
	// Drift, Pending and Conflict are as in a plan.
	Drift      bool               `json:"drift,omitempty"`
	Pending    bool               `json:"pending,omitempty"`
	Conflict   bool               `json:"conflict,omitempty"`
	DependsOn  []planner.Relation `json:"waits_for,omitempty"`
	NeededBy   []planner.Relation `json:"needed_by,omitempty"`
	Change     resources.Change   `json:"change"`
	Steps      json.RawMessage    `json:"steps,omitempty"`
	Unaffected []string           `json:"stays,omitempty"` // kept or not touched by the steps
}

// A ReasonFact is one fact that a resource reads.
type ReasonFact struct {
	Key   facts.Key `json:"key"`
	Text  string    `json:"says"` // in words; why it is not known, if Known is false
	Known bool      `json:"known"`
}

// Why prints why a resource changes, or does not.
func Why(w io.Writer, r Reason, o Options) error {
	p := newPage(w, o)
	p.hang(0, bold, r.Addr.String()+": ", r.Verdict)
	if r.Pos.IsValid() {
		p.section("Defined at " + r.Pos.String())
		if r.Line != "" {
			p.raw(spaces(2) + escapeCode(r.Line) + "\n")
		}
	}
	p.section("This machine")
	var rows [][2]string
	for _, f := range r.Facts {
		text := f.Text
		if !f.Known {
			text = "not known: " + text
		}
		rows = append(rows, [2]string{f.Key.String(), text})
	}
	p.table(2, rows)
	p.section("State")
	p.recorded(r)
	p.relations("Depends on", r.DependsOn)
	p.relations("Needed by", r.NeededBy)
	if len(r.Change.Steps) > 0 {
		p.section("Steps")
		p.body(viewBody(&r.Change, o))
	}
	if len(r.Unaffected) > 0 {
		p.section("Unaffected")
		for _, text := range r.Unaffected {
			p.hang(2, plain, "- ", text)
		}
	}
	if r.Change.Problem != nil {
		p.blank()
		p.problem(viewProblem(r.Change.Problem))
	}
	return p.close()
}

// WhyJSON writes a Reason as one document.
func WhyJSON(w io.Writer, r Reason) error {
	if len(r.Change.Steps) > 0 {
		steps, err := resources.MarshalSteps(r.Change.Steps)
		if err != nil {
			return err
		}
		r.Steps = steps
	}
	r.Version = Version
	return writeJSON(w, r, "  ")
}

// section begins a part of a page.
func (p *page) section(title string) {
	p.blank()
	p.heading(Escape(title))
}

// recorded prints the state of the resource and its consequences.
func (p *page) recorded(r Reason) {
	if r.Recorded == nil {
		p.line(2, "nothing: no apply has changed it on this machine")
		return
	}
	rows := [][2]string{{"ownership", ownershipText(r.Recorded.Ownership)}}
	if r.Recorded.Time != "" {
		rows = append(rows, [2]string{"last action", cmp.Or(string(r.Recorded.Action), "adopted") + " at " + r.Recorded.Time})
	}
	if left := leftText(r.Recorded.Left); left != "" {
		if !r.Recorded.Left.SHA256.IsZero() {
			left += ", sha256 " + r.Recorded.Left.SHA256.String()[:12]
		}
		rows = append(rows, [2]string{"left", left})
	}
	for _, row := range []struct {
		is         bool
		name, text string
	}{
		{r.Recorded.Protect, "protected", "yes"},
		{r.Drift, "drift", "this machine changed since the last apply"},
		{r.Pending, "pending", "the manifest changed since the last apply"},
		{r.Conflict, "conflict", "an apply would overwrite another change, so it asks first"},
	} {
		if row.is {
			rows = append(rows, [2]string{row.name, row.text})
		}
	}
	p.table(2, rows)
}

func (p *page) relations(title string, list []planner.Relation) {
	if len(list) == 0 {
		return
	}
	p.section(title)
	var rows [][2]string
	for _, r := range list {
		rows = append(rows, [2]string{r.Addr.String(), r.Why})
	}
	p.table(2, rows)
}
