// Package state stores what apply did on one machine, in a journal with one JSON
// line per event, and holds the lock that excludes a second apply.
//
//  1. The first line has the format version and the lineage, a random ID that the
//     file keeps for life.
//  2. Before steps that create something an intent is written, with the expected
//     result; afterwards done or failed, for each item. Every line is durable
//     before the next step starts.
//  3. Each line has its serial number, the lineage, and a checksum over itself and
//     the checksum of the line before. A partial last line is tolerated, kept and
//     reported; any other damage is an error, never an empty state.
//  4. At the end of a run the journal is compacted if that makes it much shorter;
//     the previous one is kept as state.jsonl.prev.
//
// A lost journal loses history only: plans always read the machine. Directories
// have mode 0700, files 0600.
package state

import (
	"maps"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Version is the format version of the journals that this program writes.
const Version = 1

// Ownership is how a resource came to be managed.
type Ownership string

const (
	Created  Ownership = "created"  // apply created it; prune may remove it
	Adopted  Ownership = "adopted"  // it existed, and apply changed it or adopted it
	Observed Ownership = "observed" // it existed and was as desired
)

// An Entry is one managed resource as recorded.
type Entry struct {
	Addr      resources.Addr   `json:"addr"`
	Key       facts.Key        `json:"key"`
	Ownership Ownership        `json:"ownership"`
	Action    resources.Action `json:"action,omitempty"`  // the last one
	Spec      facts.SHA256     `json:"spec,omitzero"`     // resources.Digest of the resource at that time
	Left      Left             `json:"left,omitzero"`     // the result of that action
	Kept      facts.SHA256     `json:"kept,omitzero"`     // digest of the content that the action replaced, a file below kept/
	Protect   bool             `json:"protect,omitempty"` // of the manifest at that time: never pruned, even without the resource
	Time      string           `json:"time,omitempty"`    // RFC 3339, informative only
}

// Left is the result of an action at a path.
type Left = resources.Left

// An Intent is an item whose steps are about to run.
type Intent struct {
	Addr   resources.Addr   `json:"addr"`
	Key    facts.Key        `json:"key"`
	Action resources.Action `json:"action"`
	// Spec and Protect are those of the later Entry. From is the previous address of
	// a moved resource.
	Spec    facts.SHA256   `json:"spec,omitzero"`
	Protect bool           `json:"protect,omitempty"`
	From    resources.Addr `json:"from,omitzero"`
	// Makes is the expected result, as far as it is known in advance. Known reports
	// whether it is complete, so that finding it shows that the steps are done.
	Makes []Left `json:"makes,omitempty"`
	Known bool   `json:"known,omitempty"`
}

// A Switch is a generation that became the active one.
type Switch struct {
	Environment string `json:"environment"`
	From        string `json:"from,omitempty"` // name of the generation; "" for the first
	To          string `json:"to"`
	Time        string `json:"time,omitempty"` // RFC 3339, informative only
}

// State is the content of a journal. The zero value is empty.
type State struct {
	Lineage string // "" without a journal
	Serial  uint64 // of the last line
	Torn    string // describes a partial last line, whose event is unknown; "" for none

	entries      map[resources.Addr]Entry
	switches     []Switch
	pending      map[resources.Addr]Intent
	appliedPlans []AppliedPlan // oldest first
}

// Entries returns a copy of the recorded resources by address.
func (s *State) Entries() map[resources.Addr]Entry { return maps.Clone(s.entries) }

// Len returns the number of recorded resources.
func (s *State) Len() int { return len(s.entries) }

// Sorted returns the recorded resources sorted by address.
func (s *State) Sorted() []Entry {
	return slices.SortedFunc(maps.Values(s.entries), func(a, b Entry) int { return a.Addr.Compare(b.Addr) })
}

// Entry returns the entry of one resource.
func (s *State) Entry(a resources.Addr) (Entry, bool) {
	e, ok := s.entries[a]
	return e, ok
}

// Switches returns the switches of an environment, oldest first.
func (s *State) Switches(env string) []Switch {
	return slices.DeleteFunc(slices.Clone(s.switches), func(sw Switch) bool { return sw.Environment != env })
}

// Pending returns the items, sorted by address, that were started and neither done
// nor failed: those of a killed apply.
func (s *State) Pending() []Intent {
	return slices.SortedFunc(maps.Values(s.pending), func(a, b Intent) int { return a.Addr.Compare(b.Addr) })
}

// fold adds one event.
func (s *State) fold(l *line) {
	for _, in := range l.Intents {
		s.pending[in.Addr] = in
	}
	if len(s.entries) == 0 && len(l.Done) > 0 {
		s.entries = make(map[resources.Addr]Entry, len(l.Done)) // most entries are in one line
	}
	for _, e := range l.Done {
		delete(s.pending, e.Addr)
		if e.Action != resources.Delete {
			s.entries[e.Addr] = e
		} else if s.entries[e.Addr].Key == e.Key { // the address may own another path by now
			delete(s.entries, e.Addr)
		}
	}
	for _, f := range l.Failed {
		delete(s.pending, f.Addr)
	}
	for _, a := range l.Forgotten {
		delete(s.entries, a)
		delete(s.pending, a)
	}
	s.switches = append(s.switches, l.Switched...)
	s.appliedPlans = append(s.appliedPlans, l.AppliedPlans...)
}
