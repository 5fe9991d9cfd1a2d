package report

import (
	"encoding/json"
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Reason is why a resource changes, or does not, format version 1.
type Reason struct {
	Version int            `json:"version"`
	Addr    resources.Addr `json:"addr"`
	Manages facts.Key      `json:"manages"`
	Verdict string         `json:"verdict"` // one sentence: what is to be done, and why
	// Pos is what asks for it, and Line the text of that line; neither of what left the
	// manifest.
	Pos      diag.Pos     `json:"pos,omitzero"`
	Line     string       `json:"line,omitempty"`
	Facts    []ReasonFact `json:"facts"` // all that decides
	Recorded *state.Entry `json:"remembered,omitempty"`
	// Drift, Pending and Conflict are as in a plan.
	Drift      bool               `json:"drift,omitempty"`
	Pending    bool               `json:"pending,omitempty"`
	Conflict   bool               `json:"conflict,omitempty"`
	DependsOn  []planner.Relation `json:"waits_for,omitempty"`
	NeededBy   []planner.Relation `json:"needed_by,omitempty"`
	Change     resources.Change   `json:"change"`
	Steps      json.RawMessage    `json:"steps,omitempty"`
	Unaffected []string           `json:"stays,omitempty"` // what the steps do not touch, or keep
}

// A ReasonFact is one fact that a resource reads.
type ReasonFact struct {
	Key   facts.Key `json:"key"`
	Text  string    `json:"says"` // in words; why it is not known, where it is not
	Known bool      `json:"known"`
}

// Why prints why a resource changes, or does not.
func Why(w io.Writer, r Reason, o Options) error {
	p := newPage(w, o)
	p.hang(0, bold, r.Addr.String()+": ", r.Verdict)
	if r.Pos.IsValid() {
		p.section("Asked for at " + r.Pos.String())
		if r.Line != "" {
			p.raw(spaces(2) + escapeCode(r.Line) + "\n")
		}
	}
	p.section("This machine")
	var rows [][2]string
	for _, f := range r.Facts {
		says := f.Text
		if !f.Known {
			says = "not known: " + says
		}
		rows = append(rows, [2]string{f.Key.String(), says})
	}
	p.table(2, rows)
	p.section("Remembered")
	p.remembered(r)
	p.relations("Waits for", r.DependsOn)
	p.relations("Needed by", r.NeededBy)
	if len(r.Change.Steps) > 0 {
		p.section("What will be done")
		p.changeBody(&r.Change)
	}
	if len(r.Unaffected) > 0 {
		p.section("What stays")
		for _, text := range r.Unaffected {
			p.hang(2, plain, "- ", text)
		}
	}
	if r.Change.Problem != nil {
		p.blank()
		p.problem(0, r.Change.Problem)
	}
	return p.close()
}

// WhyJSON writes the same as one document with format version 1.
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

// remembered tells what the state knows, and what that makes of the difference.
func (p *page) remembered(r Reason) {
	if r.Recorded == nil {
		p.line(2, "nothing: no apply has changed it on this machine")
		return
	}
	rows := [][2]string{{"ownership", ownershipText(r.Recorded.Ownership)}}
	if r.Recorded.Time != "" {
		rows = append(rows, [2]string{"last action", actionWord(r.Recorded.Action) + " at " + r.Recorded.Time})
	}
	if left := leftText(r.Recorded.Left); left != "" {
		if !r.Recorded.Left.SHA256.IsZero() {
			left += ", sha256 " + r.Recorded.Left.SHA256.String()[:12]
		}
		rows = append(rows, [2]string{"left", left})
	}
	if r.Recorded.Protect {
		rows = append(rows, [2]string{"protected", "yes"})
	}
	for _, is := range []struct {
		holds      bool
		name, text string
	}{
		{r.Drift, "drift", "this machine is not as the last apply left it"},
		{r.Pending, "pending", "the manifest asks for something else than it did then"},
		{r.Conflict, "conflict", "an apply would overwrite what somebody else wrote, so it asks first"},
	} {
		if is.holds {
			rows = append(rows, [2]string{is.name, is.text})
		}
	}
	p.table(2, rows)
}

func actionWord(a resources.Action) string {
	if a == resources.None {
		return "taken over"
	}
	return string(a)
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
