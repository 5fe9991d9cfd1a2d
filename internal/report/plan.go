package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// manyChanges is how many changes still get a block each.
const manyChanges = 20

// Plan prints a plan for people: the checks, what changes and how, the storage
// summary, what stands in the way, and last the line of totals. A plan with
// nothing to do is one line, with its warnings above, and the storage summary
// where the budget does not fit.
func Plan(w io.Writer, plan *planner.Plan, o Options) error {
	p := newPage(w, o)
	t := plan.Totals()
	if t.Changes() == 0 && t.Blocked == 0 {
		p.nothingToDo(plan)
		return p.close()
	}
	p.checks(plan)
	p.changes(plan, t)
	p.storage(plan.Storage)
	p.planNotes(plan)
	p.planProblems(plan)
	p.leftOut(plan.Excluded)
	p.destructive(plan)
	p.totals(plan, t)
	return p.close()
}

func (p *page) nothingToDo(plan *planner.Plan) {
	p.planProblems(plan)
	if p.o.Verbose {
		p.checks(plan)
	}
	if p.o.Verbose || !fits(plan.Storage) {
		p.storage(plan.Storage)
	}
	if p.o.Verbose {
		p.notes(plan.AllNotes())
	} else {
		p.notes(plan.Notices)
	}
	p.leftOut(plan.Excluded)
	p.last(plain, nothing(plan)+": ", agreeText(plan, p.o)+where(plan)+"."+p.more(plan))
}

// agreeText counts the resources that agree.
func agreeText(plan *planner.Plan, o Options) string {
	agree := plan.Unchanged
	for i := range plan.Items {
		if plan.Items[i].Change.Action == resources.None && !plan.Items[i].Orphan {
			agree++
		}
	}
	verb := "agree"
	if agree == 1 {
		verb = "agrees"
	}
	return fmt.Sprintf("%s %s with %s", plural.Count(agree, "resource"), verb, o.manifest())
}

// more says in a plan of one line that there is more to know, and where.
func (p *page) more(plan *planner.Plan) string {
	if len(plan.Notes) == 0 || p.o.Verbose {
		return ""
	}
	return fmt.Sprintf(" -v shows %s.", plural.Count(len(plan.Notes), "note"))
}

// planNotes prints the notes that are news, and all of them where an environment
// is made. It counts the others.
func (p *page) planNotes(plan *planner.Plan) {
	if p.o.Verbose || makesEnvironment(plan) {
		p.notes(plan.AllNotes())
		return
	}
	p.notes(plan.Notices)
	if n := len(plan.Notes); n > 0 {
		p.line(0, "-v shows %s.", plural.Count(n, "note"))
		p.blank()
	}
}

// makesEnvironment reports whether a plan makes an environment where none was.
func makesEnvironment(plan *planner.Plan) bool {
	return slices.ContainsFunc(plan.Items, func(i planner.Item) bool {
		return isEnvironment(i.Resource.Addr.Kind) && i.Change.Action == resources.Create
	})
}

// isEnvironment reports whether a kind is a type of environment.
func isEnvironment(kind string) bool { return kind == "venv" || kind == "conda" }

// where is such as " (environment local on mac1)".
func where(plan *planner.Plan) string {
	switch {
	case plan.Environment != "" && plan.Host != "":
		return fmt.Sprintf(" (environment %s on %s)", plan.Environment, plan.Host)
	case plan.Environment != "":
		return fmt.Sprintf(" (environment %s)", plan.Environment)
	case plan.Host != "":
		return fmt.Sprintf(" (on %s)", plan.Host)
	}
	return ""
}

// checks prints one line for each requirement; what to do about one that failed
// stands with the problems.
func (p *page) checks(plan *planner.Plan) {
	first := true
	for i := range plan.Items {
		item := &plan.Items[i]
		if !item.Check {
			continue
		}
		if first {
			p.heading("Checks")
			first = false
		}
		state, c := checkState(&item.Change)
		p.hang(2, c, fmt.Sprintf("%-6s", state), checkText(item))
	}
	if !first {
		p.blank()
	}
}

// checkState is how a requirement stands.
func checkState(c *resources.Change) (CheckState, color) {
	switch {
	case c.Action == resources.Blocked:
		return Fail, red
	case c.Problem != nil:
		return Warn, yellow
	}
	return OK, green
}

// checkText is the line of a requirement.
func checkText(item *planner.Item) string {
	text := item.Resource.Addr.String()
	if said := summaryOf(&item.Change); said != "" {
		text += ": " + said
	}
	return text
}

// summaryOf is one phrase for a change: its own, or that of its problem.
func summaryOf(c *resources.Change) string {
	if c.Summary == "" && c.Problem != nil {
		return c.Problem.Summary
	}
	return c.Summary
}

// changes prints a block for each change, and a line for what is blocked, whose
// reason stands with the problems. Where there are many, those that only make or
// write plain files are one line each; what runs a program, or takes something
// away, is always shown in full.
func (p *page) changes(plan *planner.Plan, t planner.Totals) {
	short := t.Changes() > manyChanges && !p.o.Detail
	shown, shortened, gap := 0, 0, false
	for i := range plan.Items {
		item := &plan.Items[i]
		if item.Check || item.Change.Action == resources.None {
			continue
		}
		if shown == 0 {
			p.heading("Changes" + p.sides(plan))
		}
		shown++
		blocked := item.Change.Action == resources.Blocked
		oneLine := blocked || (short && isSmall(&item.Change))
		if gap || (shown > 1 && !oneLine) {
			p.blank()
		}
		p.changeLine(item)
		gap = !oneLine
		switch {
		case !oneLine:
			p.changeBody(&item.Change)
		case !blocked:
			shortened++
		}
	}
	if shortened > 0 {
		if gap {
			p.blank()
		}
		p.line(2, "(%s on one line each; --detail shows what they write)", plural.Count(shortened, "change"))
	}
	if shown > 0 {
		p.blank()
	}
}

// sides says what stands on which side of the arrows of a plan that has any.
func (p *page) sides(plan *planner.Plan) string {
	for i := range plan.Items {
		c := &plan.Items[i].Change
		if c.Action == resources.None || c.Action == resources.Blocked || plan.Items[i].Check {
			continue
		}
		if slices.ContainsFunc(c.Fields, isArrow) || slices.ContainsFunc(c.Packages, func(c resources.PackageChange) bool { return c.Actual != "" && c.Desired != "" }) {
			return " (on this machine -> " + Escape(p.o.manifest()) + ")"
		}
	}
	return ""
}

// isArrow reports whether a field is printed with an arrow.
func isArrow(f resources.Field) bool { return f.Actual != "" && f.Desired != resources.Intact }

// isSmall reports whether a change does no more than make or write plain files,
// directories and links.
func isSmall(c *resources.Change) bool {
	if c.Action == resources.Delete || c.Action == resources.Replace || len(c.Packages) > 0 {
		return false
	}
	for _, s := range c.Steps {
		switch s.(type) {
		case resources.MakeDir, resources.WriteFile, resources.SetMode, resources.Link:
		default:
			return false
		}
	}
	return true
}

// sign returns what stands before a change, and its color.
func sign(a resources.Action) (string, color) {
	switch a {
	case resources.Create:
		return "+", green
	case resources.Update:
		return "~", yellow
	case resources.Replace:
		return "-/+", yellow
	case resources.Delete:
		return "-", red
	case resources.Blocked:
		return "!", red
	case resources.Defer:
		return "?", cyan
	}
	return " ", plain
}

func (p *page) changeLine(item *planner.Item) {
	text, c := sign(item.Change.Action)
	p.hang(2, c, text+" ", nameText(item)+": "+changeText(item)+causeText(item))
}

// nameText is the address of an item, and the one that it had before.
func nameText(item *planner.Item) string {
	name := item.Resource.Addr.String()
	if item.From.Kind != "" {
		name += " (was " + item.From.String() + ")"
	}
	return name
}

// causeText says who changed what is to be changed, the machine or the manifest, and
// marks what overwrites the work of somebody else. What comes is new in the manifest, and
// what goes has left it, unless it says otherwise.
func causeText(item *planner.Item) string { return causeWords(item) + conflictText(item) }

func causeWords(item *planner.Item) string {
	quiet := item.Change.Action == resources.Create || item.Change.Action == resources.Blocked || item.Orphan
	switch {
	case item.Drift && item.Pending:
		return " [drift, pending]"
	case item.Drift:
		return " [drift]"
	case item.Pending && !quiet:
		return " [pending]"
	}
	return ""
}

// changeText says in one phrase what a change is about.
func changeText(item *planner.Item) string {
	said, name := summaryOf(&item.Change), item.Resource.Spec.Owns().Name
	switch {
	case item.Change.Action == resources.Blocked:
		return "blocked: " + said
	case said == "":
		return name
	case name != item.Resource.Addr.Name && !strings.Contains(said, name):
		return name + " (" + said + ")"
	}
	return said
}

func (p *page) changeBody(c *resources.Change) {
	for _, f := range c.Fields {
		if !saidBySteps(c, f) {
			p.field(f)
		}
	}
	p.packages(c.Packages)
	for _, s := range c.Steps {
		p.step(c, s)
	}
	if need := needText(c.Need); need != "" {
		p.line(6, "%s", need)
	}
}

// saidBySteps reports whether the one step of a new file or directory says what a
// field does.
func saidBySteps(c *resources.Change, f resources.Field) bool {
	return c.Action == resources.Create && len(c.Steps) == 1 && (f.Path == "mode" || f.Path == "content")
}

func (p *page) field(f resources.Field) {
	switch {
	case f.Desired == resources.Intact:
		p.hang(6, plain, f.Path+": ", f.Actual)
	case f.Actual == "":
		p.hang(6, plain, f.Path+": ", f.Desired)
	case f.Desired == "":
		p.hang(6, plain, f.Path+": ", f.Actual+" -> nothing")
	default:
		p.hang(6, plain, f.Path+": ", f.Actual+" -> "+f.Desired)
	}
}

// packages prints distributions that come, go or change version.
func (p *page) packages(list []resources.PackageChange) {
	if len(list) == 0 {
		return
	}
	p.line(6, "packages: %s", packageCounts(list))
	for _, c := range list {
		p.packageChange(8, c)
	}
}

func (p *page) packageChange(indent int, c resources.PackageChange) {
	by := ""
	if c.Conda {
		by = " (conda)"
	}
	switch {
	case c.Actual == "":
		p.hang(indent, green, "+ ", c.Name+" "+c.Desired+by)
	case c.Desired == "":
		p.hang(indent, red, "- ", c.Name+" "+c.Actual+by)
	default:
		p.hang(indent, yellow, "~ ", c.Name+" "+c.Actual+" -> "+c.Desired+by)
	}
}

func packageCounts(list []resources.PackageChange) string {
	var come, change, leave int
	for _, c := range list {
		switch {
		case c.Actual == "":
			come++
		case c.Desired == "":
			leave++
		default:
			change++
		}
	}
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{come, "to add"}, {change, "to change"}, {leave, "to remove"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}

func needText(n resources.Need) string {
	var parts []string
	if n.Download > 0 {
		parts = append(parts, "downloads "+bytesize.Format(n.Download))
	}
	if n.Disk > 0 {
		parts = append(parts, "takes "+bytesize.Format(n.Disk))
	}
	return strings.Join(parts, ", ")
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

// planProblems prints what is blocked and what is warned of, with what to do.
func (p *page) planProblems(plan *planner.Plan) {
	for i := range plan.Items {
		if d := plan.Items[i].Change.Problem; d != nil {
			p.problem(0, withPlace(d, plan.Items[i].Resource))
			p.blank()
		}
	}
}

// withPlace fills in what a problem does not say of where it comes from.
func withPlace(d *diag.Problem, r *resources.Resource) *diag.Problem {
	full := *d
	if full.Addr == "" {
		full.Addr = r.Addr.String()
	}
	if !full.Pos.IsValid() {
		full.Pos = r.Pos
	}
	return &full
}

// destructive names again what is deleted or makes way.
func (p *page) destructive(plan *planner.Plan) {
	for i := range plan.Items {
		item := &plan.Items[i]
		name := item.Resource.Addr.String() + " (" + item.Resource.Spec.Owns().Name + ")"
		if item.Change.Summary != "" {
			name += ": " + item.Change.Summary
		}
		switch item.Change.Action {
		case resources.Delete:
			p.hang(0, red, "Deletes ", name)
		case resources.Replace:
			p.hang(0, yellow, "Replaces ", name)
		}
		if item.Conflict {
			p.hang(0, red, "Overwrites ", name+", "+conflictWords(item))
		}
	}
}

func (p *page) totals(plan *planner.Plan, t planner.Totals) {
	p.last(bold, "Plan: ", totalsText(plan, t)+".")
}

// totalsText counts what a plan does and what it takes.
func totalsText(plan *planner.Plan, t planner.Totals) string {
	text := fmt.Sprintf("%d to create, %d to update, %d to delete", t.Create, t.Update, t.Delete)
	for _, more := range []struct {
		n    int
		word string
	}{{t.Replace, "to replace"}, {t.Deferred, "decided during apply"}, {t.Blocked, "blocked"}, {t.Conflicts, "in conflict"}} {
		if more.n > 0 {
			text += fmt.Sprintf(", %d %s", more.n, more.word)
		}
	}
	if need := needText(planNeed(plan)); need != "" {
		text += "; " + need
	}
	return text
}

// planNeed adds up what all changes take.
func planNeed(plan *planner.Plan) resources.Need {
	var sum resources.Need
	for i := range plan.Items {
		if plan.Items[i].Change.Action == resources.Blocked {
			continue
		}
		sum.Download += plan.Items[i].Change.Need.Download
		sum.Disk += plan.Items[i].Change.Need.Disk
	}
	return sum
}

func (p *page) heading(text string) { p.raw(p.paint(bold, text) + "\n") }

func spaces(n int) string { return strings.Repeat(" ", n) }
