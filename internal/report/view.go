package report

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// planView is a plan in the words that Markdown and HTML share. Every text in it is
// escaped as Escape does, line by line, and needs no more than what its language
// asks for.
type planView struct {
	Host, Environment, Platform, Root string

	Manifest    string
	Nothing     bool   // nothing to do, and nothing blocked
	Line        string // the totals, or that there is nothing to do
	Totals      planner.Totals
	Checks      []checkView
	Changes     []changeView
	Destructive []destructionView
	Problems    []problemView
	Storage     *storageView
	Notes       []string
}

// checkView is a requirement and how it stands.
type checkView struct {
	State      CheckState
	Addr, Text string
}

// changeView is one change.
type changeView struct {
	Action   resources.Action
	Sign     string
	Addr     string
	Text     string
	Fields   []fieldView
	Packages []packageView
	Counts   string // of the packages
	Steps    []stepView
	Need     string
	Pos      string // the line of the manifest
}

// fieldView is one difference; Desired is empty where Actual says it all.
type fieldView struct{ Path, Actual, Desired string }

// packageView is a package that comes, goes or changes version.
type packageView struct{ Sign, Verb, Name, Actual, Desired string }

// stepView is one step: a command to type, or words.
type stepView struct {
	Command string   // what will run, as a shell reads it
	Texts   []string // in words, for all else
	Notes   []string // how it runs, or what is kept
	Diff    []lineView
	Hidden  string // why there is no difference to see
}

// lineView is one line of a difference.
type lineView struct {
	Kind string // "file", "hunk", "same", "added", "gone", "note"
	Text string
}

// destructionView is what a plan takes away.
type destructionView struct{ Verb, Name string }

// problemView is one problem.
type problemView struct {
	Warning        bool
	Headline, Code string
	Source         string
	Found, Hint    []string // lines
}

// storageView is what a disk is meant for beside what is free on it.
type storageView struct {
	Path     string
	Rows     [][2]string
	Verdict  string
	State    CheckState
	Free     int64 // bytes now
	Takes    int64 // bytes that the plan takes
	Low      int64 // bytes of the budget at least
	High     int64 // bytes of the budget at most
	Budgeted bool
}

// viewPlan puts a plan into words.
func viewPlan(plan *planner.Plan, o Options) planView {
	t := plan.Totals()
	v := planView{
		Host: Escape(plan.Host), Environment: Escape(plan.Environment), Platform: Escape(plan.Platform), Root: Escape(plan.Root),
		Manifest: Escape(o.manifest()), Totals: t, Nothing: t.Changes() == 0 && t.Blocked == 0,
		Storage: viewStorage(plan.Storage), Notes: escapeAll(slices.Concat(leftOutTexts(plan.Excluded), plan.AllNotes())),
	}
	v.Line = totalsText(plan, t)
	if v.Nothing {
		v.Line = nothing(plan) + ": " + Escape(agreeText(plan, o))
	}
	for i := range plan.Items {
		item := &plan.Items[i]
		if item.Check {
			state, _ := checkState(&item.Change)
			v.Checks = append(v.Checks, checkView{state, Escape(item.Resource.Addr.String()), Escape(summaryOf(&item.Change))})
		} else if item.Change.Action != resources.None {
			v.Changes = append(v.Changes, viewChange(item, o))
		}
		name := Escape(item.Resource.Addr.String() + " (" + item.Resource.Spec.Owns().Name + ")")
		switch item.Change.Action {
		case resources.Delete:
			v.Destructive = append(v.Destructive, destructionView{"Deletes", name})
		case resources.Replace:
			v.Destructive = append(v.Destructive, destructionView{"Replaces", name})
		}
		if item.Conflict {
			v.Destructive = append(v.Destructive, destructionView{"Overwrites", name + ", " + conflictWords(item)})
		}
		if item.Change.Problem != nil {
			v.Problems = append(v.Problems, viewProblem(withPlace(item.Change.Problem, item.Resource)))
		}
	}
	return v
}

func viewChange(item *planner.Item, o Options) changeView {
	c := &item.Change
	mark, _ := sign(c.Action)
	v := changeView{
		Action: c.Action, Sign: mark, Addr: Escape(nameText(item)), Text: Escape(changeText(item) + causeText(item)),
		Need: needText(c.Need), Pos: Escape(item.Resource.Pos.String()), Counts: packageCounts(c.Packages),
	}
	for _, f := range c.Fields {
		switch {
		case saidBySteps(c, f):
		case f.Desired == resources.Intact:
			v.Fields = append(v.Fields, fieldView{Escape(f.Path), Escape(f.Actual), ""})
		case f.Desired == "":
			v.Fields = append(v.Fields, fieldView{Escape(f.Path), Escape(f.Actual), "nothing"})
		case f.Actual == "":
			v.Fields = append(v.Fields, fieldView{Escape(f.Path), "nothing", Escape(f.Desired)})
		default:
			v.Fields = append(v.Fields, fieldView{Escape(f.Path), Escape(f.Actual), Escape(f.Desired)})
		}
	}
	for _, p := range c.Packages {
		v.Packages = append(v.Packages, viewPackage(p))
	}
	for _, s := range c.Steps {
		v.Steps = append(v.Steps, viewStep(c, s, o))
	}
	return v
}

func viewPackage(c resources.PackageChange) packageView {
	v := packageView{"~", "change", Escape(c.Name), Escape(c.Actual), Escape(c.Desired)}
	switch {
	case c.Actual == "":
		v.Sign, v.Verb = "+", "add"
	case c.Desired == "":
		v.Sign, v.Verb = "-", "remove"
	}
	if c.Conda {
		v.Name += " (conda)"
	}
	return v
}

func viewStep(c *resources.Change, s resources.Step, o Options) stepView {
	switch s := s.(type) {
	case resources.Run:
		return stepView{Command: strings.Join(quoteWords(commandWords(s)), " "), Notes: escapeAll(commandNotes(s))}
	case resources.SmokeTest:
		return stepView{Texts: escapeAll(proofTexts(s))}
	case resources.WriteFile:
		v := stepView{Texts: []string{Escape(stepText(s) + keptText(s))}}
		if isOurs(s.Path) {
			return v
		}
		d := o.difference(s, wasMode(c))
		v.Hidden = Escape(d.why)
		for _, l := range d.lines {
			v.Diff = append(v.Diff, lineView{lineKind[l.mark], l.shown()})
		}
		return v
	}
	return stepView{Texts: []string{Escape(stepText(s))}}
}

// lineKind names the marks of a difference.
var lineKind = map[string]string{
	markFrom: "file", markTo: "file", markHunk: "hunk", markSame: "same", markAdded: "added", markGone: "gone", markNote: "note",
}

func viewProblem(d *diag.Problem) problemView {
	return problemView{
		Warning: d.Severity == diag.Warn, Headline: Escape(headline(d)), Code: Escape(d.Code), Source: escapeCode(d.Source),
		Found: escapeLines(d.Found), Hint: escapeLines(d.Hint),
	}
}

func viewStorage(s *planner.Storage) *storageView {
	if s == nil {
		return nil
	}
	v := &storageView{Path: Escape(s.Path), Free: s.Free, Takes: s.Disk, Budgeted: len(s.Budget) > 0, State: OK}
	for _, b := range s.Budget {
		v.Low, v.High = addSize(v.Low, b.Low), addSize(v.High, b.High)
		v.Rows = append(v.Rows, [2]string{Escape(b.Item), sizeRange(b.Low, b.High)})
	}
	after := s.Free - s.Disk
	if v.Budgeted {
		v.Rows = append(v.Rows, [2]string{"total", sizeRange(v.Low, v.High)})
		v.Verdict, _ = enough(after, v.Low, v.High)
		switch {
		case after < v.Low:
			v.State = Fail
		case after < v.High:
			v.State = Warn
		}
	}
	v.Rows = append(v.Rows, [2]string{"free now", bytesize.Format(s.Free)}, [2]string{"free after apply", bytesize.Format(after)})
	return v
}

func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Escape(s)
	}
	return out
}

// escapeLines escapes a text line by line; of nothing there are no lines.
func escapeLines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return escapeAll(strings.Split(text, "\n"))
}
