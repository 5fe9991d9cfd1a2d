// Package planner compares the resources of a manifest with the facts of a machine. It
// is pure: equal inputs give equal plans, byte for byte.
//
//  1. Index the resources by the key that they own; two owners of one key are an error.
//  2. Sort them: a reader of a key comes after its owner, a path after its parent
//     directory, and a resource after those that depends_on names.
//  3. Diff them in that order, against the facts and the predictions of earlier changes.
//     A resource with an unknown fact is blocked, unless it is a resources.UnknownDiffer.
//  4. A resource that the state records and the manifest no longer defines is deleted if
//     reconcile created it and it is unchanged; else it is kept and reported.
package planner

import (
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Plan lists every check and every change in an order in which they can be applied.
// Resources that need no change are only counted.
type Plan struct {
	Environment string // the selected one; of several the default
	// Environments are the selected ones if there are several, in the order of the manifest.
	Environments []string
	// Named reports that the command line selected the environments.
	Named     bool
	Root      string // the project directory, absolute
	Host      string // host name
	Platform  string
	Items     []Item
	Unchanged int // resources that need no change
	// Excluded summarizes the resources that the plan does not cover; nil if it covers all.
	Excluded     *Excluded
	Storage      *Storage
	FileSystems  []FileSystem
	StateChanges StateChanges
	Notes        []string // printed with -v: environments for other machines, for example
	Notices      []string // always printed: the mirror that packages come from, for example
}

// AllNotes returns the notes followed by the notices.
func (p *Plan) AllNotes() []string { return slices.Concat(p.Notes, p.Notices) }

// An Item is a resource that is checked or changed.
type Item struct {
	Resource *resources.Resource
	Change   resources.Change
	Check    bool  // a requirement: shown first, has no steps
	After    []int // indices of the items that must be applied before, ascending
	// Drift reports that the object changed since the last apply, Pending that the manifest
	// did. Both may be true.
	Drift, Pending bool
	// Orphan reports that the manifest no longer defines this resource. It is deleted, or
	// Change.Problem is why it is kept.
	Orphan bool
	From   resources.Addr // the previous address of a moved resource
	// Conflict reports that the change would overwrite a file or link that was edited
	// since the last apply, or that was adopted with another content.
	Conflict bool
	// Recreate reports that the selection replaces the resource even if it agrees.
	Recreate bool
}

// StateChanges is what apply writes to the state besides the results of its items.
type StateChanges struct {
	Forget  []state.Entry // removed: gone, or recorded under another address now
	Entries []state.Entry // written
}

// IsEmpty reports whether there is nothing to write.
func (s StateChanges) IsEmpty() bool { return len(s.Forget)+len(s.Entries) == 0 }

// Storage is the storage summary of a plan: the manifest's budget, and the space that the
// plan needs on the same file system.
type Storage struct {
	Path     string             `json:"path"`
	Free     int64              `json:"free"`     // bytes now
	Download int64              `json:"download"` // bytes that apply downloads
	Disk     int64              `json:"disk"`     // bytes that apply writes to this file system
	Budget   []resources.Budget `json:"budget"`
}

// Totals counts the changes of a plan by action.
type Totals struct {
	Create   int `json:"create"`
	Update   int `json:"update"`
	Replace  int `json:"replace"`
	Delete   int `json:"delete"`
	Blocked  int `json:"blocked"`
	Deferred int `json:"deferred"`
	Warnings int `json:"warnings"`
	// Conflicts are also counted as Update or Replace.
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

// Changes returns the number of resources that the plan would change.
func (t Totals) Changes() int { return t.Create + t.Update + t.Replace + t.Delete + t.Deferred }
