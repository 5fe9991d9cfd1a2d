package editing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// AddOptions state how packages are added.
type AddOptions struct {
	Exact bool   // pin the locked version, even if the environment is not exact
	Index string // name of the index that the packages must come from, "" for the default ones
	Why   string // "" for none
	Build bool   // the packages may be built from source
}

// Add returns a Draft that adds packages, given as requirements by PEP 508. A package that
// the manifest requests already gets the new version, and the index of o.
func (e *Environment) Add(requests []string, o AddOptions) (*Draft, error) {
	if err := e.checkLock("add", requests); err != nil {
		return nil, err
	}
	d := e.draft()
	var problems diag.List
	for _, text := range requests {
		problems.AddErr(d.add(text, o))
	}
	d.update()
	return d, problems.Err()
}

func (d *Draft) add(text string, o AddOptions) error {
	r, err := pep.ParseRequirement(text)
	if err != nil {
		p := &diag.Problem{Code: "edit.request", Summary: fmt.Sprintf("%q is not a requirement by PEP 508", text), Hint: `write a name, such as numpy, or a range in quotes: "numpy>=1.26,<2"`}
		if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "git+") || strings.Contains(text, "://") {
			p.Hint = fmt.Sprintf("write the name of the package before it: \"NAME @ %s\"", text)
		}
		return p
	}
	request := lock.Requirement{
		Name: r.Name, Extras: r.Extras, Specifier: pep.Specifier(r.Clauses), Marker: r.Marker, URL: r.URL, Index: o.Index, Why: o.Why, Pos: d.of.Pos,
	}
	if request.URL != "" {
		if problem, hint := lock.CheckURL(request.URL); problem != "" {
			return &diag.Problem{Code: "edit.request", Summary: fmt.Sprintf("%s cannot be added: %s", r.Name, problem), Hint: hint}
		}
	}
	if request.Marker != "" && (o.Index != "" || o.Why != "") {
		return &diag.Problem{
			Code: "edit.request", Summary: fmt.Sprintf("%s has a marker, which an item with an index or a reason cannot have", r.Name),
			Hint: "write the item by hand, with `platforms` instead of the marker",
		}
	}
	if slices.ContainsFunc(d.ops, func(o op) bool { return pep.Normalize(o.request.Name) == pep.Normalize(r.Name) }) {
		return &diag.Problem{Code: "edit.request", Summary: fmt.Sprintf("%s is given twice", r.Name), Hint: "give it once, with all bounds of its version"}
	}
	if o.Build && !d.of.MayBuild(pep.Normalize(r.Name)) {
		d.build = append(d.build, pep.Normalize(r.Name))
	}
	change := op{at: -1, request: request}
	if at := d.of.find(r.Name); len(at) > 0 {
		if change, err = d.again(at, request); err != nil {
			return err
		}
		if change.at < 0 {
			return nil
		}
	} else if declared, ok := d.of.declaredIn(r.Name); ok {
		return d.of.fromFile(declared)
	}
	change.pin = change.request.URL == "" && change.request.Pin() == "" && (o.Exact || d.of.Exact)
	change.open = !change.pin && change.request.URL == "" && change.request.Specifier == ""
	d.ops = append(d.ops, change)
	return nil
}

// again returns the change of a package that the manifest requests already, whose at is -1
// for none.
func (d *Draft) again(at []int, request lock.Requirement) (op, error) {
	before := d.of.Packages[at[0]]
	after := before
	if request.Specifier != "" {
		after.Specifier = request.Specifier
	}
	if request.Index != "" && before.URL == "" && before.Marker == "" {
		after.Index = request.Index
	}
	extras := slices.ContainsFunc(request.Extras, func(e string) bool { return !slices.Contains(before.Extras, e) })
	differs := extras || request.URL != before.URL && request.URL != "" || request.Marker != before.Marker && request.Marker != "" ||
		request.Index != "" && request.Index != after.Index || request.Why != "" && request.Why != before.Why || before.URL != "" && request.Specifier != ""
	switch {
	case len(at) > 1:
		return op{}, &diag.Problem{
			Code: "edit.request", Pos: before.Pos, Summary: fmt.Sprintf("the manifest requests %s more than once", before.Name), Hint: "edit the items by hand, then `reconcile lock`",
		}
	case differs:
		return op{}, &diag.Problem{
			Code: "edit.request", Pos: before.Pos, Summary: fmt.Sprintf("the manifest requests %s already, and only its version and its index can be changed by a command", before.Name),
			Found: before.String(), Hint: "edit the item by hand, then `reconcile lock`",
		}
	case after.Specifier == before.Specifier && after.Index == before.Index:
		d.Notes = append(d.Notes, fmt.Sprintf("%s is requested already (%s): %s", before.Name, before.Pos, before.String()))
		return op{at: -1}, nil
	}
	return op{at: at[0], request: after}, nil
}
