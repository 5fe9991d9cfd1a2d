package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
	Host, Platform, Root, Manifest string
	Environments                   []string

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
		Host: Escape(plan.Host), Environments: escapeAll(environmentsOf(plan)), Platform: Escape(plan.Platform), Root: Escape(plan.Root),
		Manifest: Escape(o.manifest()), Nothing: t.Changes() == 0 && t.Blocked == 0, Where: Escape(where(plan)),
		Counts: countViews(t), Storage: viewStorage(plan), Excluded: viewExcluded(plan.Excluded),
	}
	short := t.Changes() > manyChanges && !o.Detail
	for i := range plan.Items {
		item := &plan.Items[i]
		c := &item.Change
		switch {
		case item.Check && checkState(c) == OK && len(item.Resource.Spec.Reads()) == 0 && !o.Verbose:
			// It passes on every machine.
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
	need := needText(planNeed(plan))
	if unknown := unknownDownloads(plan); unknown > 0 {
		if need != "" {
			need += ", and "
		}
		need += "downloads " + plural.Count(unknown, "archive") + " of unknown size"
	}
	if need != "" {
		text += "; " + need
	}
	return text
}

// unknownDownloads counts the archives that a plan fetches and whose size is unknown.
func unknownDownloads(plan *planner.Plan) int {
	n := 0
	for i := range plan.Items {
		if c := &plan.Items[i].Change; c.Action != resources.Blocked {
			for _, s := range c.Steps {
				if f, ok := s.(resources.Fetch); ok && f.Size == 0 {
					n++
				}
			}
		}
	}
	return n
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

// environmentsOf returns the environments that a plan is for.
func environmentsOf(plan *planner.Plan) []string {
	if len(plan.Environments) == 0 && plan.Environment != "" {
		return []string{plan.Environment}
	}
	return plan.Environments
}

// where returns the environments and the host of a plan, " (environment local on mac1)".
func where(plan *planner.Plan) string {
	text := ""
	switch names := environmentsOf(plan); len(names) {
	case 0:
	case 1:
		text = "environment " + names[0]
	default:
		text = "environments " + strings.Join(names, ", ")
	}
	if plan.Host != "" {
		text = strings.TrimPrefix(text+" on "+plan.Host, " ")
	}
	if text == "" {
		return ""
	}
	return " (" + text + ")"
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
