// Package resources is the contract between the engine and the kinds of resources.
//
// A kind is pure. Its Diff compares facts with the desired state and returns the steps
// that make them equal. Only probes read the machine, and only apply changes it.
package resources

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// An Addr is the address of a resource in a manifest: kind and name, "directory.data_raw".
type Addr struct{ Kind, Name string }

// String returns kind.name.
func (a Addr) String() string { return a.Kind + "." + a.Name }

// MarshalText returns kind.name.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses kind.name; the name may contain dots.
func (a *Addr) UnmarshalText(b []byte) error {
	kind, name, ok := strings.Cut(string(b), ".")
	if !ok || kind == "" || name == "" {
		return fmt.Errorf("address %q is not kind.name", b)
	}
	*a = Addr{kind, name}
	return nil
}

// Compare orders addresses by kind, then name.
func (a Addr) Compare(b Addr) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// A Resource is one entry of a manifest. The engine handles this envelope; a kind
// defines only the Spec.
type Resource struct {
	Addr      Addr
	Pos       diag.Pos // its position in the manifest
	DependsOn []Addr   // besides the dependencies that follow from Reads
	Protect   bool     // never delete or replace
	Spec      Spec
}

// A Spec is the desired state of one resource: a plain struct that the manifest fills in.
// Its methods are pure functions of the Spec and the facts.
type Spec interface {
	// Owns returns the key of the one object that this resource manages.
	Owns() facts.Key
	// Reads returns every key that Diff may read, Owns included.
	Reads() []facts.Key
	// Diff compares the desired state with the facts. Every key of Reads is known: the
	// planner blocks a resource with an unknown fact.
	Diff(v facts.View) Change
}

// A Requirement is a Spec that only checks. It has no steps, and its result comes first in
// the plan.
type Requirement interface {
	Spec
	Requirement()
}

// An UnknownDiffer is a requirement with its own result for an unknown fact, such as a
// warning, where others are blocked.
type UnknownDiffer interface {
	Requirement
	DiffUnknown(reason string) Change
}

// A Recreator is a Spec that can be recreated although it agrees. Recreate gets the facts
// that Diff gets; after its steps Diff must return the zero Change.
type Recreator interface {
	Spec
	Recreate(v facts.View) Change
}

// Recreate returns the change that recreates an object. It returns c if the Spec is no
// Recreator, or if c creates, deletes, blocks or defers.
func Recreate(s Spec, c Change, v facts.View) Change {
	r, ok := s.(Recreator)
	if !ok || c.Action != None && c.Action != Update && c.Action != Replace {
		return c
	}
	return r.Recreate(v)
}

// A Kind is one kind of resource. docs/kinds describes it.
type Kind struct {
	Name string
	New  func() Spec
}

// An Action is the kind of change of one resource.
type Action string

const (
	None    Action = ""         // agrees
	Create  Action = "create"   // absent
	Update  Action = "update"   // changed in place
	Replace Action = "replace"  // replaced by a new object
	Delete  Action = "delete"   // no longer in the manifest
	Blocked Action = "blocked"  // cannot be applied; Problem is why
	Defer   Action = "deferred" // decided during apply, once a fact is known
)

// A Change is the result of Diff. The zero value means no change.
type Change struct {
	Action   Action          `json:"action,omitempty"`
	Summary  string          `json:"summary,omitempty"`  // one phrase for people: "36.2 GB free, warns below 30 GB"
	Fields   []Field         `json:"fields,omitempty"`   // differences
	Packages []PackageChange `json:"packages,omitempty"` // environments only, by name
	Steps    []Step          `json:"-"`                  // in order; see MarshalSteps
	Predicts []facts.Fact    `json:"-"`                  // facts after the steps
	Need     Need            `json:"need,omitzero"`
	Shared   []SharedNeed    `json:"-"`                 // the parts of Need that the planner counts once for all changes
	Problem  *diag.Problem   `json:"problem,omitempty"` // why it is blocked, or a warning
}

// A Field is one difference. Actual is "" if the value is absent.
type Field struct {
	Path    string `json:"path"`
	Actual  string `json:"actual"`
	Desired string `json:"desired"`
}

// Intact is the Desired of a Field whose Actual describes damage.
const Intact = "intact"

// A PackageChange is an installed, removed or changed package.
type PackageChange struct {
	Name    string `json:"name"`
	Conda   bool   `json:"conda,omitempty"`   // a conda package, not a Python package
	Actual  string `json:"actual,omitempty"`  // version; "" if it is installed
	Desired string `json:"desired,omitempty"` // version; "" if it is removed
	Source  string `json:"source,omitempty"`  // from which it is built, as BuildSource.String; "" for a wheel
	// Requested is the request if it allows other versions too: "numpy>=1.26,<2". It is "" for a
	// pin and a dependency.
	Requested string `json:"requested,omitempty"`
}

// Need is the size of the downloads and of the written files, in bytes.
type Need struct {
	Download int64 `json:"download,omitempty"`
	Disk     int64 `json:"disk,omitempty"`
}

// A SharedNeed is the need of one file that is stored once, however many changes need it.
type SharedNeed struct {
	SHA256 string // of the archive, or the key of a build, in hexadecimal
	Need
}

// Block returns the change of a resource that cannot be applied.
func Block(p *diag.Problem) Change { return Change{Action: Blocked, Problem: p} }

// CheckResult returns the change of a requirement. It blocks if a problem is more than a
// warning. The first of the worst problems becomes Problem, and its Found lists the
// others.
func CheckResult(summary string, problems ...*diag.Problem) Change {
	c := Change{Summary: summary}
	if len(problems) == 0 {
		return c
	}
	worst := max(0, slices.IndexFunc(problems, func(p *diag.Problem) bool { return p.Severity != diag.Warn }))
	c.Problem = problems[worst]
	if c.Problem.Severity != diag.Warn {
		c.Action = Blocked
	}
	for i, p := range problems {
		if i == worst {
			continue
		}
		if c.Problem.Found != "" {
			c.Problem.Found += "\n"
		}
		c.Problem.Found += fmt.Sprintf("also %s: %s\n  %s", p.Code, p.Summary, p.Hint)
	}
	return c
}

// A Budgeter is a requirement with the expected use of a disk, from which the storage
// summary of the plan is made.
type Budgeter interface {
	Requirement
	StorageBudget() (disk facts.Key, items []Budget)
}

// A Budget is one expected use of a disk, in bytes. Low and High are equal if the manifest
// gives one figure.
type Budget struct {
	Item string `json:"item"`
	Low  int64  `json:"low"`
	High int64  `json:"high"`
}

// Digest identifies a desired state: equal specs have equal digests on every machine.
func Digest(s Spec) facts.SHA256 {
	body, err := json.Marshal(s)
	if err != nil { // specs are plain structs
		panic("encode a spec: " + err.Error())
	}
	return sha256.Sum256(body)
}
