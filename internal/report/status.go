package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Standing is how one resource stands to the manifest.
type Standing string

const (
	Converged Standing = "converged" // it agrees
	Drifted   Standing = "drifted"   // it was left as the manifest asks, and differs now
	Pending   Standing = "pending"   // the manifest asks for what was never applied here
	Warned    Standing = "warned"    // there is nothing to do, and something to look at
	Failing   Standing = "failing"   // it cannot be done, or a check fails
)

// A Line is one resource in a status.
type Line struct {
	Addr     resources.Addr   `json:"addr"`
	Owns     string           `json:"owns"`
	Standing Standing         `json:"standing"`
	Action   resources.Action `json:"action,omitempty"` // what apply would do
	Summary  string           `json:"summary,omitempty"`
	Problem  *diag.Problem    `json:"problem,omitempty"`
	Drift    bool             `json:"drift,omitempty"`   // the machine is not as it was left
	Pending  bool             `json:"pending,omitempty"` // the manifest asks for something else than then

	orphan bool // the manifest no longer has it
}

// lines returns one line for each resource, in the order of the manifest; what
// is in the plan beyond it (things to delete) comes last.
func (m Machine) lines() []Line {
	items := make(map[resources.Addr]*planner.Item, len(m.Plan.Items))
	for i := range m.Plan.Items {
		if !m.Plan.Items[i].Orphan { // its address may have another thing by now
			items[m.Plan.Items[i].Resource.Addr] = &m.Plan.Items[i]
		}
	}
	lines := make([]Line, 0, len(m.Resources))
	for i := range m.Resources {
		r := &m.Resources[i]
		lines = append(lines, m.standing(r, items[r.Addr]))
		delete(items, r.Addr)
	}
	for i := range m.Plan.Items {
		item := &m.Plan.Items[i]
		if item.Orphan || items[item.Resource.Addr] == item {
			lines = append(lines, m.standing(item.Resource, item))
		}
	}
	return lines
}

func (m Machine) standing(r *resources.Resource, item *planner.Item) Line {
	line := Line{Addr: r.Addr, Owns: r.Spec.Owns().String(), Standing: Converged}
	if item == nil {
		return line
	}
	line.Action, line.Problem = item.Change.Action, item.Change.Problem
	line.Summary = summaryOf(&item.Change)
	line.Drift, line.Pending, line.orphan = item.Drift, item.Pending, item.Orphan || item.Change.Action == resources.Delete
	switch {
	case item.Change.Action == resources.None && item.Orphan:
		line.Standing = Pending
	case item.Change.Action == resources.None && item.Change.Problem != nil:
		line.Standing = Warned
	case item.Change.Action == resources.None:
	case item.Change.Action == resources.Blocked:
		line.Standing = Failing
	case item.Drift && !item.Pending:
		line.Standing = Drifted
	default:
		line.Standing = Pending
	}
	return line
}

// Status prints one line a resource, then environments with their packages,
// interpreters, GPU and disks, and last the counts.
func Status(w io.Writer, m Machine) error {
	p := newPage(w, m.Options)
	lines := m.lines()
	if len(lines) > 0 {
		p.heading("Resources")
	}
	if slices.ContainsFunc(lines, func(l Line) bool { return l.Standing != Converged }) {
		p.line(2, "first column: this machine since the last apply; second: %s since then", m.manifest())
		p.line(2, "M changed, A new, D gone or to go, w warned of, ! cannot be done")
	}
	width := 0
	for _, l := range lines {
		width = max(width, columns(Escape(l.Addr.String())))
	}
	for _, l := range lines {
		p.statusLine(l, width)
	}
	if len(lines) > 0 {
		p.blank()
	}
	p.machine(m)
	if !fits(m.Plan.Storage) {
		p.storage(m.Plan.Storage)
	}
	p.notes(m.Plan.AllNotes())
	for _, l := range lines {
		if l.Problem != nil {
			p.problem(0, l.Problem)
			p.blank()
		}
	}
	p.standings(m.Plan, lines)
	return p.close()
}

func (p *page) statusLine(l Line, width int) {
	c := green
	switch l.Standing {
	case Failing:
		c = red
	case Drifted, Pending, Warned:
		c = yellow
	}
	name := Escape(l.Addr.String())
	text := name + spaces(width-columns(name)+2)
	_, said, _ := cutKey(l.Owns)
	if l.Summary != "" {
		said = l.Summary
	}
	if l.Action != resources.None && l.Action != resources.Blocked {
		mark, _ := sign(l.Action)
		said = mark + " " + string(l.Action) + ": " + said
	}
	text += said
	p.hang(2, c, l.columns()+"  ", text)
}

// columns are two letters as those of `git status -s`: what happened on the machine,
// and what happened in the manifest.
func (l Line) columns() string {
	here, there := " ", " "
	switch {
	case l.Standing == Failing:
		return "!!"
	case l.Standing == Warned:
		return "ww"
	case l.Standing == Converged:
		return "  "
	case l.Drift && l.Action == resources.Create:
		here = "D"
	case l.Drift:
		here = "M"
	}
	switch {
	case l.Drift && !l.Pending:
	case l.orphan:
		there = "D"
	case l.Action == resources.Create && !l.Drift:
		there = "A"
	default:
		there = "M"
	}
	return here + there
}

// standings prints the counts, those of nothing left out.
func (p *page) standings(plan *planner.Plan, lines []Line) {
	counts := map[Standing]int{}
	for _, l := range lines {
		counts[l.Standing]++
	}
	text, c := "", green
	for _, s := range []Standing{Converged, Drifted, Pending, Warned, Failing} {
		if counts[s] == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", counts[s], s)
		if s == Failing {
			c = red
		} else if s != Converged && c == green {
			c = yellow
		}
	}
	if text == "" {
		text = "the manifest asks for nothing here"
	}
	p.last(c, "Status: ", text+where(plan)+".")
}

// cutKey splits "path:data/raw".
func cutKey(owns string) (kind facts.Kind, name string, ok bool) {
	var k facts.Key
	if err := k.UnmarshalText([]byte(owns)); err != nil {
		return "", owns, false
	}
	return k.Kind, k.Name, true
}

// StatusJSON writes the status as one document with format version 1.
func StatusJSON(w io.Writer, m Machine) error {
	return writeJSON(w, statusDocument{Version, whereOf(m.Plan), m.lines(), runrecord.InstalledOn(m.Facts), m.Plan.AllNotes()}, "  ")
}

// statusDocument is the status of a machine for programs, format version 1.
type statusDocument struct {
	Version int `json:"version"`
	whereIs
	Resources []Line `json:"resources"`
	runrecord.Installed
	Notes []string `json:"notes,omitempty"`
}

// whereIs says of which machine a document tells.
type whereIs struct {
	Environment string `json:"environment,omitempty"`
	Root        string `json:"root"`
	Host        string `json:"host"`
	Platform    string `json:"platform"`
}

func whereOf(plan *planner.Plan) whereIs {
	return whereIs{plan.Environment, plan.Root, plan.Host, plan.Platform}
}
