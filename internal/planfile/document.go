// Package planfile stores a plan in a file, to review it now and apply it later.
//
//  1. New records a digest of each item of a plan, and everything that the plan was made
//     from: the manifest and its inputs, the machine, user and project, the state, the
//     facts that its resources read, and the programs that it runs.
//  2. Encode and Decode are exact inverses: Decode refuses a text that differs from the
//     output of Encode in any byte.
//  3. To apply the plan, the caller plans again, records that plan in the same way, and
//     compares the two. Nothing in a file is executed, so a file cannot do more than its
//     manifest.
//
// The package is pure. A document contains digests and descriptions, but no steps and no
// content of files, so it contains no secrets.
package planfile

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Document is a saved plan. Equal plans with equal inputs give equal documents, byte for
// byte. Fields are in the order of their JSON names.
type Document struct {
	All          bool                    `json:"all,omitempty"`          // the command line selected all environments that match
	Environment  string                  `json:"environment,omitempty"`  // the selected one; of several the default
	Environments []string                `json:"environments,omitempty"` // the selected ones, if there are several
	Facts        map[facts.Key]Fact      `json:"facts"`                  // that its items read
	Inputs       map[string]facts.SHA256 `json:"inputs"`                 // manifest, lock and templates by their path in the project
	Items        []Item                  `json:"items"`                  // in the order of the plan
	Machine      Machine                 `json:"machine"`
	Manifest     string                  `json:"manifest"`           // its path in the project
	Program      string                  `json:"program"`            // version of reconcile
	Root         string                  `json:"root"`               // the project, absolute
	Selected     string                  `json:"selected,omitempty"` // the environments that the command line named, with commas between them
	Selection    Selection               `json:"selection,omitzero"` // the part of the manifest that it is for
	State        State                   `json:"state"`
	Tools        map[string]Tool         `json:"tools,omitempty"` // programs that the steps run, by absolute path
}

// A Fact is enough of a fact to detect and describe a change.
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
	Orphan   bool             `json:"orphan,omitempty"`  // no longer in the manifest
	Problem  string           `json:"problem,omitempty"` // code of its warning
	Reads    []facts.Key      `json:"reads,omitempty"`   // its own key first
	Severity diag.Severity    `json:"severity,omitempty"`
	Summary  string           `json:"summary,omitempty"` // for people
}

// A Machine is the machine and the user that a plan was made on.
type Machine struct {
	Host string `json:"host"` // its name
	Part string `json:"part"` // the state directory of the project, absolute
	UID  int    `json:"uid"`
	User string `json:"user,omitempty"` // name of UID, for people
}

// Selection is the part of the manifest that a plan is for, by the patterns of the
// command line.
type Selection struct {
	Exclude []string `json:"exclude,omitempty"`
	Replace []string `json:"replace,omitempty"`
	Target  []string `json:"target,omitempty"`
}

// State identifies the state that a plan was made from.
type State struct {
	Lineage string `json:"lineage,omitempty"` // "" for none
	Serial  uint64 `json:"serial"`            // 0 for none
}

// A Tool identifies a program that a plan runs.
type Tool struct {
	Absent  bool         `json:"absent,omitempty"` // the plan installs it first
	SHA256  facts.SHA256 `json:"sha256,omitzero"`
	Version string       `json:"version,omitempty"` // "" if no fact has it
}
