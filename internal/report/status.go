package report

import (
	"io"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Standing is the state of one resource relative to the manifest.
type Standing string

const (
	Converged Standing = "converged" // it agrees
	Drifted   Standing = "drifted"   // the machine was changed since the last apply
	Pending   Standing = "pending"   // the manifest has something that was not applied here
	Warned    Standing = "warned"    // it agrees, with a warning
	Failing   Standing = "failing"   // it is blocked, or a check fails
)

// A Line is one resource in a status.
type Line struct {
	Addr     resources.Addr   `json:"addr"`
	Owns     string           `json:"owns"`
	Standing Standing         `json:"standing"`
	Action   resources.Action `json:"action,omitempty"` // of the next apply
	Summary  string           `json:"summary,omitempty"`
	Problem  *diag.Problem    `json:"problem,omitempty"`
	Drift    bool             `json:"drift,omitempty"`   // the machine changed since the last apply
	Pending  bool             `json:"pending,omitempty"` // the manifest changed since the last apply

	name   string // of the owned key
	orphan bool   // it is not in the manifest any more
}

// lines returns a line for each resource in the order of the manifest, and then for what
// else is in the plan, such as deletions.
func (m Machine) lines() []Line {
	items := make(map[resources.Addr]*planner.Item, len(m.Plan.Items))
	for i := range m.Plan.Items {
		if !m.Plan.Items[i].Orphan { // another resource may have its address
			items[m.Plan.Items[i].Resource.Addr] = &m.Plan.Items[i]
		}
	}
	lines := make([]Line, 0, len(m.Resources))
	for i := range m.Resources {
		r := &m.Resources[i]
		lines = append(lines, newLineOf(r, items[r.Addr]))
		delete(items, r.Addr)
	}
	for i := range m.Plan.Items {
		item := &m.Plan.Items[i]
		if item.Orphan || items[item.Resource.Addr] == item {
			lines = append(lines, newLineOf(item.Resource, item))
		}
	}
	return lines
}

func newLineOf(r *resources.Resource, item *planner.Item) Line {
	owns := r.Spec.Owns()
	line := Line{Addr: r.Addr, Owns: owns.String(), Standing: Converged, name: owns.Name}
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

// Status prints a line for each resource, then environments with their packages, GPU and
// disks, the problems, and last the counts.
func Status(w io.Writer, m Machine) error {
	p := newPage(w, m.Options)
	lines := m.lines()
	if len(lines) > 0 {
		p.heading("Resources")
	}
	if slices.ContainsFunc(lines, func(l Line) bool { return l.Standing != Converged }) {
		p.line(2, "first column: this machine since the last apply; second: %s since then", m.manifest())
		p.line(2, "M modified, A added, D deleted, w warning, ! blocked or failing")
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
	if storage := viewStorage(m.Plan); storage != nil && storage.State == Fail {
		p.storage(storage)
	}
	p.notes(m.Plan.AllNotes())
	for _, l := range lines {
		if l.Problem != nil {
			p.problem(viewProblem(l.Problem))
			p.blank()
		}
	}
	p.standings(m.Plan, lines)
	return p.close()
}

func standingColor(s Standing) color {
	switch s {
	case Converged:
		return green
	case Failing:
		return red
	}
	return yellow
}

func (p *page) statusLine(l Line, width int) {
	text := l.name
	if l.Summary != "" {
		text = l.Summary
	}
	if l.Action != resources.None && l.Action != resources.Blocked {
		mark, _ := sign(l.Action)
		text = mark + " " + string(l.Action) + ": " + text
	}
	p.hang(2, standingColor(l.Standing), l.columns()+"  ", pad(Escape(l.Addr.String()), width+2)+text)
}

// columns returns two letters like those of `git status -s`: what changed on the machine,
// and what changed in the manifest.
func (l Line) columns() string {
	machine, manifest := " ", " "
	switch {
	case l.Standing == Failing:
		return "!!"
	case l.Standing == Warned:
		return "ww"
	case l.Standing == Converged:
		return "  "
	case l.Drift && l.Action == resources.Create:
		machine = "D"
	case l.Drift:
		machine = "M"
	}
	switch {
	case l.Drift && !l.Pending:
	case l.orphan:
		manifest = "D"
	case l.Action == resources.Create && !l.Drift:
		manifest = "A"
	default:
		manifest = "M"
	}
	return machine + manifest
}

// standings prints the number of resources in each state.
func (p *page) standings(plan *planner.Plan, lines []Line) {
	counts := map[Standing]int{}
	for _, l := range lines {
		counts[l.Standing]++
	}
	c := green
	var list []count
	for _, s := range []Standing{Converged, Drifted, Pending, Warned, Failing} {
		list = append(list, count{counts[s], string(s)})
		if counts[s] > 0 {
			c = standingColor(s)
		}
	}
	text := countTexts(list...)
	if text == "" {
		text = "the manifest has no resources for this machine"
	}
	p.last(c, "Status: ", text+where(plan)+".")
}

// StatusJSON writes the status as one document.
func StatusJSON(w io.Writer, m Machine) error {
	return writeJSON(w, statusDocument{
		Version, m.Plan.Environment, m.Plan.Environments, m.Plan.Root, m.Plan.Host, m.Plan.Platform, m.lines(), runrecord.InstalledOn(m.Facts, m.Plan), m.Plan.AllNotes(),
	}, "  ")
}

type statusDocument struct {
	Version     int      `json:"version"`
	Environment string   `json:"environment,omitempty"` // of several the default
	Selected    []string `json:"selected,omitempty"`    // the environments, if there are several
	Root        string   `json:"root"`
	Host        string   `json:"host"`
	Platform    string   `json:"platform"`
	Resources   []Line   `json:"resources"`
	runrecord.Installed
	Notes []string `json:"notes,omitempty"`
}
