package planfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// PlanInputs are the inputs of a plan besides its resources and facts.
type PlanInputs struct {
	All       bool
	Inputs    map[string]facts.SHA256
	Machine   Machine
	Manifest  string
	Program   string
	Selected  string
	Selection Selection
	State     State
	// Identify returns the digest of a program that no step pins, or false if it does not
	// exist.
	Identify func(path string) (facts.SHA256, bool)
}

// New records a plan that was made from facts f.
func New(p *planner.Plan, f *facts.Facts, in PlanInputs) *Document {
	d := &Document{
		All: in.All, Environment: p.Environment, Environments: p.Environments, Facts: map[facts.Key]Fact{}, Inputs: in.Inputs, Items: []Item{}, Machine: in.Machine,
		Manifest: in.Manifest, Program: in.Program, Root: strings.ToValidUTF8(p.Root, "\uFFFD"), Selected: in.Selected, Selection: in.Selection, State: in.State,
		Tools: map[string]Tool{},
	}
	if d.Inputs == nil {
		d.Inputs = map[string]facts.SHA256{}
	}
	for i := range p.Items {
		it := &p.Items[i]
		item := Item{
			Action: it.Change.Action, Addr: it.Resource.Addr, Check: it.Check, Digest: digest(it), Orphan: it.Orphan,
			Reads: reads(it.Resource.Spec), Summary: it.Change.Summary,
		}
		if problem := it.Change.Problem; problem != nil {
			item.Problem, item.Severity = problem.Code, problem.Severity
			item.Summary = cmp.Or(item.Summary, problem.Summary)
		}
		d.Items = append(d.Items, item)
		for _, k := range item.Reads {
			fact, reason, ok := f.Lookup(k)
			if ok {
				d.Facts[k] = Fact{SHA256: sha256.Sum256(encoded(fact)), Text: Describe(fact)}
			} else {
				d.Facts[k] = Fact{SHA256: sha256.Sum256([]byte(reason)), Text: "unknown: " + reason}
			}
		}
		d.addTools(it, f, in.Identify)
	}
	return d
}

// reads returns the keys that a resource reads, its own first. That of a check is omitted:
// it is the key of no fact.
func reads(s resources.Spec) []facts.Key {
	own := s.Owns()
	list := []facts.Key{own}
	for _, k := range s.Reads() {
		if k != own {
			list = append(list, k)
		}
	}
	return slices.DeleteFunc(list, func(k facts.Key) bool { return k.Kind == facts.KindCheck })
}

// digest identifies an item by its action, fields, packages, steps and warning. Values that
// change with every probe, such as free space, are not part of it. A check is identified by
// its warning alone.
func digest(it *planner.Item) facts.SHA256 {
	c := &it.Change
	steps, err := resources.MarshalSteps(c.Steps)
	if err != nil {
		panic("encode steps: " + err.Error()) // they are plain structs
	}
	shown := struct {
		Action   resources.Action
		Fields   []resources.Field
		Packages []resources.PackageChange
		Steps    json.RawMessage
		Problem  string
		Severity diag.Severity
		Summary  string // of the removal of a tree, which contains its size
	}{Action: c.Action, Fields: c.Fields, Packages: c.Packages, Steps: steps}
	if c.Problem != nil {
		shown.Problem, shown.Severity = c.Problem.Code, c.Problem.Severity
	}
	for _, s := range c.Steps {
		if tree, ok := s.(resources.Remove); ok && tree.Type == "" {
			shown.Summary = c.Summary
		}
	}
	return sha256.Sum256(encoded(shown))
}

// encoded returns the JSON of a plain struct.
func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("encode a part of a plan: " + err.Error())
	}
	return text
}

// addTools records the programs that the steps of an item run, and those among the facts
// that the steps pass to them, such as the interpreter that uv creates an environment with.
func (d *Document) addTools(it *planner.Item, f *facts.Facts, identify func(string) (facts.SHA256, bool)) {
	versions := versions(it.Resource.Spec.Reads(), f)
	// A program that a step pins is compared just before it starts.
	add := func(path string, pinned facts.SHA256) {
		t := Tool{SHA256: pinned, Version: versions[path]}
		if saved, known := d.Tools[path]; known && (t.SHA256.IsZero() || !saved.SHA256.IsZero()) {
			return
		}
		if pinned.IsZero() && identify != nil {
			if sum, ok := identify(path); ok {
				t.SHA256 = sum
			} else {
				t.Absent = true
			}
		}
		d.Tools[path] = t
	}
	for _, s := range it.Change.Steps {
		run, ok := s.(resources.Run)
		if !ok {
			continue
		}
		add(run.Program, run.SHA256)
		for _, arg := range run.Args {
			path := arg[strings.IndexByte(arg, '=')+1:]
			if _, known := versions[path]; known {
				add(path, facts.SHA256{})
			}
		}
	}
}

// versions returns the versions of the programs among the facts, by path.
func versions(keys []facts.Key, f *facts.Facts) map[string]string {
	list := map[string]string{}
	for _, k := range keys {
		fact, _, _ := f.Lookup(k)
		switch fact := fact.(type) {
		case facts.Tool:
			if fact.Path != "" {
				list[fact.Path] = fact.Version
			}
		case facts.Pythons:
			for _, i := range fact.Found {
				list[i.Path] = i.Version
			}
		}
	}
	return list
}
