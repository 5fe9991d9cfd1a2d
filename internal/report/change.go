package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

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
	if c.Source != "" {
		v.Text += ", built from " + Escape(c.Source)
	}
	if c.Requested != "" {
		v.Text += " (" + Escape(c.Requested) + ")"
	}
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
