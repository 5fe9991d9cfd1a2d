// Package state remembers what apply did on one machine: a journal of one JSON
// line an event, and the lock that keeps two applies apart.
//
//  1. The first line names the format version and the lineage, a random name
//     that the file keeps for life.
//  2. Before steps that create something an intent is written, with what will
//     stand there; afterwards done or failed, for each item. Every line is on
//     disk before the next step starts.
//  3. Each line carries its number, the lineage, and a checksum over itself and
//     the checksum before it. A last line that a crash cut short is tolerated,
//     kept and said; any other damage is an error, never an empty state.
//  4. At the end the journal is rewritten to what it says, if that is much
//     shorter; the one before is kept as state.jsonl.prev.
//
// Losing all of it loses memory only: what exists is always looked up on the
// machine. Directories here are 0700 and files 0600.
package state

import (
	"maps"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Version is the format version of the journals that this program writes.
const Version = 1

// Ownership says how a thing came to be managed.
type Ownership string

const (
	Created  Ownership = "created"  // we made it; prune may remove it
	Adopted  Ownership = "adopted"  // it was there, and we changed it or were told to take it over
	Observed Ownership = "observed" // it was there as it should be
)

// An Entry is what is remembered of one managed resource.
type Entry struct {
	Addr      resources.Addr   `json:"addr"`
	Key       facts.Key        `json:"key"`
	Ownership Ownership        `json:"ownership"`
	Action    resources.Action `json:"action,omitempty"`  // the last one
	Spec      facts.SHA256     `json:"spec,omitzero"`     // digest of what was asked for then; see resources.Digest
	Left      Left             `json:"left,omitzero"`     // what it was when we were done with it
	Kept      facts.SHA256     `json:"kept,omitzero"`     // content that the last action replaced, below kept/
	Protect   bool             `json:"protect,omitempty"` // the manifest said so: never pruned, even when the line is gone
	Time      string           `json:"time,omitempty"`    // RFC 3339, for people; decides nothing
}

// Left is what stood at a path when we were done with it.
type Left = resources.Left

// An Intent is an item whose steps were about to be run.
type Intent struct {
	Addr   resources.Addr   `json:"addr"`
	Key    facts.Key        `json:"key"`
	Action resources.Action `json:"action"`
	// Spec, Protect and From are what its Entry will say: the digest of what is asked
	// for, whether it is protected, and the address that it had before, if it moved.
	Spec    facts.SHA256   `json:"spec,omitzero"`
	Protect bool           `json:"protect,omitempty"`
	From    resources.Addr `json:"from,omitzero"`
	// Makes is what will stand once the steps are done, as far as it can be known
	// before. Known tells whether that is all, so that finding it proves the
	// steps done.
	Makes []Left `json:"makes,omitempty"`
	Known bool   `json:"known,omitempty"`
}

// A Switch is a generation that became the visible one.
type Switch struct {
	Environment string `json:"environment"`
	From        string `json:"from,omitempty"` // name of the generation; "" for the first
	To          string `json:"to"`
	Time        string `json:"time,omitempty"` // RFC 3339, for people
}

// State is what a journal says. The zero value remembers nothing.
type State struct {
	Lineage string // "" where there is no journal yet
	Serial  uint64 // number of the last line
	// Torn says what of the last line a crash cut off, "" for nothing. The event
	// in it is unknown: the machine has to be looked at, as always.
	Torn string

	entries      map[resources.Addr]Entry
	switches     []Switch
	pending      map[resources.Addr]Intent
	appliedPlans []AppliedPlan // oldest first
}

// Entries returns what is remembered, by address. The map is the caller's.
func (s *State) Entries() map[resources.Addr]Entry {
	return maps.Clone(s.entries)
}

// Len returns how many resources are remembered.
func (s *State) Len() int { return len(s.entries) }

// Sorted returns what is remembered, by address.
func (s *State) Sorted() []Entry {
	return slices.SortedFunc(maps.Values(s.entries), func(a, b Entry) int { return a.Addr.Compare(b.Addr) })
}

// Entry returns what is remembered of one resource.
func (s *State) Entry(a resources.Addr) (Entry, bool) {
	e, ok := s.entries[a]
	return e, ok
}

// Switches returns the switches of an environment, oldest first.
func (s *State) Switches(env string) []Switch {
	var list []Switch
	for _, sw := range s.switches {
		if sw.Environment == env {
			list = append(list, sw)
		}
	}
	return list
}

// Pending returns the items that were begun and neither done nor failed, by
// address: what an apply that was killed had in hand.
func (s *State) Pending() []Intent {
	return slices.SortedFunc(maps.Values(s.pending), func(a, b Intent) int { return a.Addr.Compare(b.Addr) })
}

// fold adds one event.
func (s *State) fold(l *line) {
	for _, in := range l.Intents {
		s.pending[in.Addr] = in
	}
	if len(s.entries) == 0 && len(l.Done) > 0 {
		s.entries = make(map[resources.Addr]Entry, len(l.Done)) // most of it comes in one line
	}
	for _, e := range l.Done {
		delete(s.pending, e.Addr)
		if e.Action == resources.Delete {
			// The address may have another thing by now, at another place.
			if s.entries[e.Addr].Key == e.Key {
				delete(s.entries, e.Addr)
			}
			continue
		}
		s.entries[e.Addr] = e
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
