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

// Circumstances are what a plan was made from, beside its resources and facts.
type PlanInputs struct {
	Inputs    map[string]facts.SHA256
	Machine   Machine
	Manifest  string
	Program   string
	Selected  string
	Selection Selection
	State     State
	// Identify returns the digest of a program, or false if it is not there. It is asked
	// for programs that no step pins.
	Identify func(path string) (facts.SHA256, bool)
}

// New takes down a plan that was made from facts f.
func New(p *planner.Plan, f *facts.Facts, c PlanInputs) *Document {
	d := &Document{
		Environment: p.Environment, Facts: map[facts.Key]Fact{}, Inputs: c.Inputs, Items: []Item{}, Machine: c.Machine,
		Manifest: c.Manifest, Program: c.Program, Root: strings.ToValidUTF8(p.Root, "\uFFFD"), Selected: c.Selected, Selection: c.Selection, State: c.State,
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
			if _, known := d.Facts[k]; !known {
				d.Facts[k] = take(f, k)
			}
		}
		d.programs(it, f, c.Identify)
	}
	return d
}

// reads are the keys that a resource looks at, its own first. A check that manages
// nothing has no key that could be looked at.
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

// take takes down what is known of a key.
func take(f *facts.Facts, k facts.Key) Fact {
	fact, reason, ok := f.Lookup(k)
	if !ok {
		return Fact{SHA256: sha256.Sum256([]byte(reason)), Text: "not known: " + reason}
	}
	return Fact{SHA256: sha256.Sum256(encoded(fact)), Text: Describe(fact)}
}

// digest identifies what an item does and shows: its action, the fields and packages
// that differ, its steps, and what it warns of. What changes from one look to the next,
// such as the bytes that are free, is not part of it. Of a check it is nothing else than
// whether it warns.
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
		Summary  string // of what goes as a whole, which says how much that is
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

// encoded is the JSON of a plain struct.
func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("encode a part of a plan: " + err.Error())
	}
	return text
}
