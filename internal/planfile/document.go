// Package planfile keeps a plan in a file, to be looked at now and carried out later.
//
//  1. New takes down what a plan does, item by item as a digest, and all that it was
//     made from: the bytes of the manifest and what that reads, the machine, user and
//     project, the memory of earlier applies, the facts that its resources read, and
//     the programs that it runs.
//  2. Encode and Decode are exact inverses: a text that Encode would not have written,
//     were it by one byte, is refused.
//  3. Whoever wants to carry the plan out makes it anew, takes that down in the same
//     way, and compares the two. Nothing in a file is ever carried out itself, so that a
//     file can do nothing that its manifest would not.
//
// The package is pure. A document holds no content of files and no steps, only digests
// of them and what the plan shows to people, so there is no secret in it.
package planfile

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Document is a plan as it was saved. Equal plans, made from the same, give equal
// documents, byte for byte. Its fields stand in the order of their names, as written.
type Document struct {
	Environment string                  `json:"environment,omitempty"` // the selected one
	Facts       map[facts.Key]Fact      `json:"facts"`                 // what its items read
	Inputs      map[string]facts.SHA256 `json:"inputs"`                // manifest, lock and templates by their path in the project
	Items       []Item                  `json:"items"`                 // in the order of the plan
	Machine     Machine                 `json:"machine"`
	Manifest    string                  `json:"manifest"`           // its path in the project
	Program     string                  `json:"program"`            // version of reconcile
	Root        string                  `json:"root"`               // the project, absolute
	Selected    string                  `json:"selected,omitempty"` // the environment that the command line named
	Selection   Selection               `json:"selection,omitzero"` // the part of the manifest that it is for
	State       State                   `json:"state"`
	Tools       map[string]Tool         `json:"tools,omitempty"` // programs that the steps run, by absolute path
}

// A Fact is what was known of a key: enough to see that it changed, and to say how.
type Fact struct {
	SHA256 facts.SHA256 `json:"sha256"` // of the fact as JSON
	Text   string       `json:"text"`   // for people
}

// An Item is a check, a change or a warning of the plan.
type Item struct {
	Action   resources.Action `json:"action,omitempty"`
	Addr     resources.Addr   `json:"addr"`
	Check    bool             `json:"check,omitempty"`
	Digest   facts.SHA256     `json:"digest"`            // of its change; see digest
	Orphan   bool             `json:"orphan,omitempty"`  // the manifest no longer asks for it
	Problem  string           `json:"problem,omitempty"` // code of what it warns of
	Reads    []facts.Key      `json:"reads,omitempty"`   // its own key first
	Severity diag.Severity    `json:"severity,omitempty"`
	Summary  string           `json:"summary,omitempty"` // for people
}

// A Machine is where, and for whom, a plan was made.
type Machine struct {
	Host string `json:"host"` // its name, for people
	Part string `json:"part"` // the part of .reconcile that belongs to it, which identifies it
	UID  int    `json:"uid"`
	User string `json:"user,omitempty"` // name of UID, for people
}

// Selection is the part of the manifest that a plan is for, by the patterns of the
// command line, and what it makes anew though it agrees.
type Selection struct {
	Exclude []string `json:"exclude,omitempty"`
	Replace []string `json:"replace,omitempty"`
	Target  []string `json:"target,omitempty"`
}

// State says which memory of earlier applies a plan was made from.
type State struct {
	Lineage string `json:"lineage,omitempty"` // "" where there was none
	Serial  uint64 `json:"serial"`            // 0 where there was none
}

// A Tool is the identity of a program that a plan runs.
type Tool struct {
	Absent  bool         `json:"absent,omitempty"` // the plan makes it first
	SHA256  facts.SHA256 `json:"sha256,omitzero"`
	Version string       `json:"version,omitempty"` // "" where no fact tells it
}
