// Package resources is the contract between the engine and the kinds: what a
// resource is, what a kind must answer, and the steps it may ask for.
//
// A kind is pure. It sees facts, says how they differ from what the manifest
// asks for, and names the steps that would make them equal. It never looks at
// the machine and never changes it: probes look, apply acts.
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

// An Addr names one resource of a manifest: kind and name, "directory.data_raw".
type Addr struct{ Kind, Name string }

// String returns kind.name.
func (a Addr) String() string { return a.Kind + "." + a.Name }

// MarshalText writes kind.name.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads kind.name; the name may hold dots.
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

// A Resource is one thing that the manifest asks for. The engine handles this
// envelope; a kind writes only the Spec.
type Resource struct {
	Addr      Addr
	Pos       diag.Pos // the line of the manifest that asks for it
	DependsOn []Addr   // beyond what Reads implies
	Protect   bool     // never delete or replace
	Spec      Spec
}

// A Spec is the desired state of one resource: a plain struct that the manifest
// fills in. Its methods are pure: no clock, environment, disk or network. Same
// input, same answer.
type Spec interface {
	// Owns is the one thing on the machine that this resource manages.
	Owns() facts.Key
	// Reads is all that Diff may look at, Owns included.
	Reads() []facts.Key
	// Diff compares desired with actual. Every key of Reads is known when it is
	// called: the planner blocks a resource whose facts could not be seen.
	Diff(v facts.View) Change
}

// A Requirement is a Spec that only checks: it has no steps, and its result is
// shown before anything else in the plan.
type Requirement interface {
	Spec
	Requirement()
}

// An Unseer is a requirement that has an answer of its own where what it reads could
// not be looked at: a warning, say, where others are blocked.
type UnknownDiffer interface {
	Requirement
	DiffUnknown(reason string) Change
}

// A Kind registers one sort of resource.
type Kind struct {
	Name string
	Doc  string // Markdown; docs/kinds is generated from it
	New  func() Spec
	// Codes explains the codes of problems that the kind alone reports; nil for none.
	Codes func() diag.Explanations
}

// An Action is the planner's verb for one resource.
type Action string

const (
	None    Action = ""         // agrees already
	Create  Action = "create"   // was not there
	Update  Action = "update"   // is there and is changed
	Replace Action = "replace"  // is there and makes way for a new one
	Delete  Action = "delete"   // is there and is no longer asked for
	Blocked Action = "blocked"  // cannot be done; Problem says why
	Defer   Action = "deferred" // decided during apply, because a fact is only known then
)

// A Change is the answer of Diff. The zero value means nothing is to be done.
type Change struct {
	Action   Action          `json:"action,omitempty"`
	Summary  string          `json:"summary,omitempty"`  // one phrase for people: "36.2 GB free, warns below 30 GB"
	Fields   []Field         `json:"fields,omitempty"`   // what differs
	Packages []PackageChange `json:"packages,omitempty"` // environments only, by name
	Steps    []Step          `json:"-"`                  // how to get there, in order; see MarshalSteps
	Predicts []facts.Fact    `json:"-"`                  // what will be known once the steps are done
	Need     Need            `json:"need,omitzero"`
	Problem  *diag.Problem   `json:"problem,omitempty"` // why it is blocked, or (severity warn) what to look at
}

// A Field is one difference. Actual is "" for what is absent.
type Field struct {
	Path    string `json:"path"`
	Actual  string `json:"actual"`
	Desired string `json:"desired"`
}

// Intact is the Desired of a Field that tells of damage; its Actual says it all.
const Intact = "intact"

// A PackageChange is one distribution that comes, goes or changes version.
type PackageChange struct {
	Name    string `json:"name"`
	Conda   bool   `json:"conda,omitempty"`   // a package of conda, not a distribution of Python
	Actual  string `json:"actual,omitempty"`  // version; "" if it comes
	Desired string `json:"desired,omitempty"` // version; "" if it goes
}

// Need is what the steps will take, in bytes.
type Need struct {
	Download int64 `json:"download,omitempty"`
	Disk     int64 `json:"disk,omitempty"`
}

// Block returns the change of a resource that cannot be done.
func Block(p *diag.Problem) Change { return Change{Action: Blocked, Problem: p} }

// Judge returns the change of a requirement: with no problems it is met; one that is
// more than a warning blocks. The worst is the change's Problem, the first of them
// where several are, and what it found lists the others.
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

// A Budgeter is a requirement that knows how a disk is meant to be used; the
// plan's storage summary is made from it.
type Budgeter interface {
	Requirement
	StorageBudget() (disk facts.Key, items []Budget)
}

// A Budget is one expected use of a disk, in bytes. Low and High are equal where
// the manifest gives one figure.
type Budget struct {
	Item string `json:"item"`
	Low  int64  `json:"low"`
	High int64  `json:"high"`
}

// Digest identifies what a Spec asks for: equal specs have equal digests, on every
// machine and in every run.
func Digest(s Spec) facts.SHA256 {
	body, err := json.Marshal(s)
	if err != nil { // specs are plain structs
		panic("encode a spec: " + err.Error())
	}
	return sha256.Sum256(body)
}
