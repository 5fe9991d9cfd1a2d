// Package planner compares what a manifest asks for with what is known of a
// machine. It is pure: equal inputs give equal plans, byte for byte.
//
//  1. Index the resources by the key they own; two owners of one key are an error.
//  2. Order them: a reader of a key comes after its owner, a path after the
//     directory that holds it, and what depends_on says.
//  3. Walk in that order. A resource whose facts could not be seen is blocked, unless it
//     has an answer to that (resources.UnknownDiffer); else its Diff answers, and what it predicts
//     is what later ones see.
//  4. What is remembered and no longer asked for is deleted if we made it and it is
//     as we left it; else it stays and is named.
package planner

import (
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Plan is every check and every change, in an order in which they can be
// done. Resources that agree already are counted and left out.
type Plan struct {
	Environment string // the selected one
	Root        string // the project, absolute
	Host        string // host name
	Platform    string
	Items       []Item
	Unchanged   int // resources that agree
	// LeftOut is what a selection leaves out; nil where everything is selected.
	Excluded     *Excluded
	Storage      *Storage
	StateChanges StateChanges
	Notes        []string // what else a reader should know: environments for other machines, what is not acted on
	Notices      []string // notes about this plan on this machine, which are always shown: a mirror that it downloads from
}

// AllNotes returns the notes, the news last.
func (p *Plan) AllNotes() []string { return slices.Concat(p.Notes, p.Notices) }

// An Item is a resource that is checked or changed.
type Item struct {
	Resource *resources.Resource
	Change   resources.Change
	Check    bool  // a requirement: shown first, has no steps
	After    []int // indices of the items that must be done before, ascending
	// Drift says that the machine is not as an earlier apply left it, Pending that the
	// manifest asks for something else than then. Both may hold.
	Drift, Pending bool
	// Orphan says that the manifest no longer has this resource. It is deleted, or its
	// Problem says why it stays.
	Orphan bool
	From   resources.Addr // the address that the resource had before, if it moved
	// Conflict says that a file or link was changed on the machine since it was written,
	// or was adopted as it stood, and that this change would overwrite it.
	Conflict bool
	// Renew says that it is made anew though it may agree: the selection asks for that.
	Recreate bool
}

// Memory is what apply writes into the state beside what it does: nothing of it
// changes anything else.
type StateChanges struct {
	Forget  []state.Entry // as they are remembered: gone, or known by another address now
	Entries []state.Entry // what is remembered from now on
}

// IsEmpty reports whether there is nothing to write.
func (m StateChanges) IsEmpty() bool { return len(m.Forget)+len(m.Entries) == 0 }

// Storage compares the manifest's budget with what will be free after apply.
type Storage struct {
	Path     string             `json:"path"`
	Free     int64              `json:"free"`     // bytes now
	Download int64              `json:"download"` // bytes that the plan fetches
	Disk     int64              `json:"disk"`     // bytes that the plan takes
	Budget   []resources.Budget `json:"budget"`
}

// Totals counts the changes of a plan by what they do.
type Totals struct {
	Create   int `json:"create"`
	Update   int `json:"update"`
	Replace  int `json:"replace"`
	Delete   int `json:"delete"`
	Blocked  int `json:"blocked"`
	Deferred int `json:"deferred"`
	Warnings int `json:"warnings"`
	// Conflicts are among those to update and to replace.
	Conflicts int `json:"conflicts,omitempty"`
}

// Totals counts the plan's changes.
func (p *Plan) Totals() Totals {
	var t Totals
	for i := range p.Items {
		c := &p.Items[i].Change
		if c.Problem != nil && c.Problem.Severity == diag.Warn {
			t.Warnings++
		}
		if p.Items[i].Conflict {
			t.Conflicts++
		}
		switch c.Action {
		case resources.Create:
			t.Create++
		case resources.Update:
			t.Update++
		case resources.Replace:
			t.Replace++
		case resources.Delete:
			t.Delete++
		case resources.Blocked:
			t.Blocked++
		case resources.Defer:
			t.Deferred++
		}
	}
	return t
}

// Changes returns how many resources the plan would change.
func (t Totals) Changes() int { return t.Create + t.Update + t.Replace + t.Delete + t.Deferred }
