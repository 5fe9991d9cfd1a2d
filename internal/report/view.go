package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// manyChanges is the number of changes above which text shortens the small ones.
const manyChanges = 20

// A planView is a plan in words. Text, Markdown and HTML render it and add no wording of
// their own. Every string in it is escaped by Escape.
type planView struct {
	Host, Environment, Platform, Root, Manifest string

	Nothing     bool   // nothing to do, and nothing blocked
	Line        string // the totals, or that there is nothing to do
	Where       string // " (environment local on mac1)"
	Counts      []countView
	Checks      []checkView
	Changes     []changeView
	Sides       string // meaning of the arrows, if there are any: " (on this machine -> manifest.yaml)"
	Destructive []destructionView
	Problems    []problemView
	Storage     *storageView
	Notes       []string
	MoreNotes   string // how to print the notes that are not in Notes
	Excluded    *excludedView
}

// A countView is one part of the totals. Always is set if text prints it when N is 0.
type countView struct {
	N      int
	Text   string // "to create"
	Action resources.Action
	Always bool
}

// A checkView is the result of one requirement.
type checkView struct {
	State      CheckState
	Addr, Text string
}

// A changeView is one change.
type changeView struct {
	Action resources.Action
	Sign   string
	Addr   string
	Text   string
	Pos    string // position in the manifest
	Short  bool   // text prints the first line only
	bodyView
}

// A bodyView is the details of a change.
type bodyView struct {
	Fields   []fieldView
	Packages []packageView
	Counts   string // of Packages
	Steps    []stepView
	Need     string
}

// A fieldView is one difference. Desired is "" if Actual is the whole text.
type fieldView struct{ Path, Actual, Desired, Text string }

// A packageView is a package that is added, removed or changes its version.
type packageView struct{ Sign, Verb, Name, Actual, Desired, Text string }

// A stepView is one step: a command, or texts.
type stepView struct {
	Words []string // of the command, quoted for a shell
	Texts []string
	Notes []string // how the command runs
	Diff  []lineView
	Aside string // why there is no diff
}

// Command returns the command on one line.
func (s stepView) Command() string { return strings.Join(s.Words, " ") }

// A destructionView is something that the plan deletes, replaces or overwrites.
type destructionView struct{ Verb, Name string }

// A problemView is one problem.
type problemView struct {
	Warning     bool
	Headline    string
	Source      string
	Found, Hint []string // lines
}

// An excludedView is the resources that the selection excluded.
type excludedView struct {
	Label, Text string
	Resources   []changeView
	More        string
}

// viewPlan returns a plan in words. With o.Verbose it has all checks and notes, and with
// o.Detail the details of every change.
func viewPlan(plan *planner.Plan, o Options) planView {
	t := plan.Totals()
	v := planView{
		Host: Escape(plan.Host), Environment: Escape(plan.Environment), Platform: Escape(plan.Platform), Root: Escape(plan.Root),
		Manifest: Escape(o.manifest()), Nothing: t.Changes() == 0 && t.Blocked == 0, Where: Escape(where(plan)),
		Counts: countViews(t), Storage: viewStorage(plan.Storage), Excluded: viewExcluded(plan.Excluded),
	}
	short := t.Changes() > manyChanges && !o.Detail
	for i := range plan.Items {
		item := &plan.Items[i]
		c := &item.Change
		switch {
		case item.Check:
			v.Checks = append(v.Checks, checkView{checkState(c), Escape(item.Resource.Addr.String()), Escape(summaryOf(c))})
		case c.Action != resources.None:
			v.Changes = append(v.Changes, viewChange(item, short, o))
			if v.Sides == "" && hasArrow(c) {
				v.Sides = " (on this machine -> " + v.Manifest + ")"
			}
		}
		v.Destructive = append(v.Destructive, viewDestruction(item)...)
		if c.Problem != nil {
			v.Problems = append(v.Problems, viewProblem(withPlace(c.Problem, item.Resource)))
		}
	}
	v.Line = totalsText(plan, v.Counts)
	if v.Nothing {
		v.Line = nothing(plan) + ": " + Escape(agreeText(plan, o))
		if !o.Verbose {
			v.Checks = nil
			if v.Storage != nil && v.Storage.State != Fail {
				v.Storage = nil
			}
		}
	}
	v.Notes = escapeAll(plan.Notices)
	if o.Verbose || createsEnvironment(plan) {
		v.Notes = escapeAll(plan.AllNotes())
	} else if n := len(plan.Notes); n > 0 {
		v.MoreNotes = fmt.Sprintf("-v shows %s.", plural.Count(n, "note"))
	}
	return v
}

// AllNotes returns the excluded resources and the notes, a text each.
func (v *planView) AllNotes() []string {
	var list []string
	if x := v.Excluded; x != nil {
		list = append(list, x.Label+x.Text)
		for _, r := range x.Resources {
			list = append(list, "Excluded: "+r.Addr+": "+r.Text)
		}
		if x.More != "" {
			list = append(list, "Excluded: "+x.More)
		}
	}
	return append(list, v.Notes...)
}

func countViews(t planner.Totals) []countView {
	return []countView{
		{t.Create, "to create", resources.Create, true},
		{t.Update, "to update", resources.Update, true},
		{t.Delete, "to delete", resources.Delete, true},
		{t.Replace, "to replace", resources.Replace, false},
		{t.Deferred, "decided during apply", resources.Defer, false},
		{t.Blocked, "blocked", resources.Blocked, false},
		{t.Conflicts, "in conflict", resources.Delete, false},
	}
}

// totalsText is the counts and the download and disk need of a plan.
func totalsText(plan *planner.Plan, counts []countView) string {
	var parts []string
	for _, c := range counts {
		if c.N > 0 || c.Always {
			parts = append(parts, fmt.Sprintf("%d %s", c.N, c.Text))
		}
	}
	text := strings.Join(parts, ", ")
	if need := needText(planNeed(plan)); need != "" {
		text += "; " + need
	}
	return text
}

// planNeed returns the sum of the needs of all changes.
func planNeed(plan *planner.Plan) resources.Need {
	var sum resources.Need
	for i := range plan.Items {
		if c := &plan.Items[i].Change; c.Action != resources.Blocked {
			sum.Download += c.Need.Download
			sum.Disk += c.Need.Disk
		}
	}
	return sum
}

func nothing(plan *planner.Plan) string {
	if plan.Excluded == nil || plan.Excluded.Total == 0 {
		return "Nothing to do"
	}
	return "Nothing to do in the selected part"
}

// agreeText counts the resources without a difference.
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

// createsEnvironment reports whether a plan creates an environment.
func createsEnvironment(plan *planner.Plan) bool {
	return slices.ContainsFunc(plan.Items, func(i planner.Item) bool {
		return isEnvironment(i.Resource.Addr.Kind) && i.Change.Action == resources.Create
	})
}

func isEnvironment(kind string) bool { return kind == "venv" || kind == "conda" }

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

func checkState(c *resources.Change) CheckState {
	switch {
	case c.Action == resources.Blocked:
		return Fail
	case c.Problem != nil:
		return Warn
	}
	return OK
}

// summaryOf returns the summary of a change, or of its problem.
func summaryOf(c *resources.Change) string {
	if c.Summary == "" && c.Problem != nil {
		return c.Problem.Summary
	}
	return c.Summary
}

// hasArrow reports whether a change has a field or package with both an actual and a
// desired value.
func hasArrow(c *resources.Change) bool {
	if c.Action == resources.Blocked {
		return false
	}
	return slices.ContainsFunc(c.Fields, func(f resources.Field) bool { return f.Actual != "" && f.Desired != resources.Intact }) ||
		slices.ContainsFunc(c.Packages, func(p resources.PackageChange) bool { return p.Actual != "" && p.Desired != "" })
}

// isSmall reports whether a change only creates or writes files, directories and links.
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

// sign returns the sign of an action and its color.
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

func viewChange(item *planner.Item, short bool, o Options) changeView {
	c := &item.Change
	mark, _ := sign(c.Action)
	v := changeView{
		Action: c.Action, Sign: mark, Addr: Escape(addrText(item)), Text: Escape(changeText(item) + causeText(item)),
		Pos: Escape(item.Resource.Pos.String()), Short: short && isSmall(c),
	}
	if !v.Short {
		v.bodyView = viewBody(c, o)
	}
	v.Short = v.Short || c.Action == resources.Blocked
	return v
}

// addrText is the address of an item and its previous address.
func addrText(item *planner.Item) string {
	name := item.Resource.Addr.String()
	if item.From.Kind != "" {
		name += " (was " + item.From.String() + ")"
	}
	return name
}

// changeText is the summary of a change with the path that it changes.
func changeText(item *planner.Item) string {
	summary, name := summaryOf(&item.Change), item.Resource.Spec.Owns().Name
	switch {
	case item.Change.Action == resources.Blocked:
		return "blocked: " + summary
	case summary == "":
		return name
	case name != item.Resource.Addr.Name && !strings.Contains(summary, name):
		return name + " (" + summary + ")"
	}
	return summary
}

// causeText marks drift, a pending edit of the manifest, and a conflict. A resource that
// is created or deleted is pending anyway, and not marked so.
func causeText(item *planner.Item) string {
	text := ""
	implied := item.Change.Action == resources.Create || item.Change.Action == resources.Blocked || item.Orphan
	switch {
	case item.Drift && item.Pending:
		text = " [drift, pending]"
	case item.Drift:
		text = " [drift]"
	case item.Pending && !implied:
		text = " [pending]"
	}
	if item.Conflict {
		text += " conflict"
	}
	return text
}

func viewBody(c *resources.Change, o Options) bodyView {
	v := bodyView{Need: needText(c.Need), Counts: packageCounts(c.Packages)}
	for _, f := range c.Fields {
		// The one step of a new file or directory shows these.
		if c.Action == resources.Create && len(c.Steps) == 1 && (f.Path == "mode" || f.Path == "content") {
			continue
		}
		v.Fields = append(v.Fields, viewField(f))
	}
	for _, p := range c.Packages {
		v.Packages = append(v.Packages, viewPackage(p))
	}
	for _, s := range c.Steps {
		v.Steps = append(v.Steps, viewStep(c, s, o))
	}
	return v
}

func viewField(f resources.Field) fieldView {
	v := fieldView{Path: Escape(f.Path), Actual: Escape(cmp.Or(f.Actual, "nothing")), Desired: Escape(cmp.Or(f.Desired, "nothing"))}
	switch {
	case f.Desired == resources.Intact:
		v.Text, v.Desired = v.Actual, ""
	case f.Actual == "":
		v.Text = v.Desired
	default:
		v.Text = v.Actual + " -> " + v.Desired
	}
	return v
}

func viewPackage(c resources.PackageChange) packageView {
	v := packageView{Sign: "~", Verb: "change", Name: Escape(c.Name), Actual: Escape(c.Actual), Desired: Escape(c.Desired)}
	version := v.Actual + " -> " + v.Desired
	switch {
	case c.Actual == "":
		v.Sign, v.Verb, version = "+", "add", v.Desired
	case c.Desired == "":
		v.Sign, v.Verb, version = "-", "remove", v.Actual
	}
	by := ""
	if c.Conda {
		by = " (conda)"
	}
	v.Text = v.Name + " " + version + by
	v.Name += by
	return v
}

func packageCounts(list []resources.PackageChange) string {
	var added, changed, removed int
	for _, c := range list {
		switch {
		case c.Actual == "":
			added++
		case c.Desired == "":
			removed++
		default:
			changed++
		}
	}
	return countTexts(count{added, "to add"}, count{changed, "to change"}, count{removed, "to remove"})
}

// A count is a number of things and a word for them.
type count struct {
	n    int
	word string
}

// countTexts joins the counts above zero: "1 to add, 2 to remove".
func countTexts(counts ...count) string {
	var parts []string
	for _, c := range counts {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
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

// viewDestruction returns what an item deletes or replaces, and a conflict.
func viewDestruction(item *planner.Item) []destructionView {
	verb := map[resources.Action]string{resources.Delete: "Deletes", resources.Replace: "Replaces"}[item.Change.Action]
	if verb == "" && !item.Conflict {
		return nil
	}
	name := item.Resource.Addr.String() + " (" + item.Resource.Spec.Owns().Name + ")"
	if item.Change.Summary != "" {
		name += ": " + item.Change.Summary
	}
	name = Escape(name)
	var list []destructionView
	if verb != "" {
		list = append(list, destructionView{verb, name})
	}
	if item.Conflict && item.Drift {
		list = append(list, destructionView{"Overwrites", name + ", changed on this machine since reconcile wrote it"})
	} else if item.Conflict {
		list = append(list, destructionView{"Overwrites", name + ", adopted with this content"})
	}
	return list
}

// withPlace returns a problem with the address and position of its resource, unless it
// has its own.
func withPlace(d *diag.Problem, r *resources.Resource) *diag.Problem {
	full := *d
	full.Addr = cmp.Or(full.Addr, r.Addr.String())
	if !full.Pos.IsValid() {
		full.Pos = r.Pos
	}
	return &full
}

func viewProblem(d *diag.Problem) problemView {
	return problemView{
		Warning: d.Severity == diag.Warn, Headline: Escape(headline(d)), Source: escapeCode(d.Source),
		Found: escapeLines(d.Found), Hint: escapeLines(d.Hint),
	}
}

// headline is the first line of a problem: position, resource, summary, code.
func headline(d *diag.Problem) string {
	text := d.Summary
	if d.Addr != "" {
		text = d.Addr + ": " + text
	}
	if place := d.Pos.String(); place != "" {
		text = place + ": " + text
	}
	if d.Code != "" && d.Code != "internal" {
		text += " (" + d.Code + ")"
	}
	return text
}

// maxExcluded is the number of excluded resources that are listed.
const maxExcluded = 20

// viewExcluded returns the excluded resources, nil for none.
func viewExcluded(x *planner.Excluded) *excludedView {
	if x == nil {
		return nil
	}
	v := &excludedView{Label: "Excluded: ", Text: excludedText(x)}
	if x.Flags != "" {
		v.Label = "Excluded by " + Escape(x.Flags) + ": "
	}
	for i, r := range x.Resources {
		if i == maxExcluded {
			v.More = fmt.Sprintf("and %d more; --json lists them", len(x.Resources)-maxExcluded)
			break
		}
		mark, _ := sign(r.Action)
		v.Resources = append(v.Resources, changeView{Action: r.Action, Sign: mark, Addr: Escape(r.Addr.String()), Text: Escape(r.Why)})
	}
	return v
}

func excludedText(x *planner.Excluded) string {
	text := plural.Count(x.Total, "resource")
	switch {
	case x.Total == 0:
		return "nothing"
	case x.Differ == 0 && x.Total == 1:
		return text + ", which agrees"
	case x.Differ == 0:
		return text + ", which agree"
	case x.Total == 1:
		return text + ", which differs"
	case x.Differ == 1:
		return text + "; 1 of them differs"
	}
	return text + fmt.Sprintf("; %d of them differ", x.Differ)
}

// Differing is the subject of a sentence: "2 resources that differ are".
func Differing(x *planner.Excluded) string {
	if x.Differ == 1 {
		return "1 resource that differs is"
	}
	return fmt.Sprintf("%d resources that differ are", x.Differ)
}

func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Escape(s)
	}
	return out
}

// escapeLines returns the escaped lines of a text, none for an empty text.
func escapeLines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return escapeAll(strings.Split(text, "\n"))
}
