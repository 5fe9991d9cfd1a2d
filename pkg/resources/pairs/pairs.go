// Package pairs reports locked packages that break each other although their metadata allows
// them, and packages that are missing although no metadata names them. It changes nothing, and
// reads the lock alone: every machine has the same result.
//
// The table of pairs is in internal/catalog, with sources. Versions that it does not list are
// not compared.
package pairs

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "pairs".
var Kind = resources.Kind{Name: "pairs", New: func() resources.Spec { return &Spec{} }}

// Spec is the part of a lock that is compared.
type Spec struct {
	Environment string            `json:"environment"`
	Packages    []catalog.Release `json:"packages"` // those of catalog.Compared, by name
	Exchanges   []Exchange        `json:"exchanges,omitempty"`
	// ByCommand states that `reconcile add` can change the packages: the manifest alone requests
	// them.
	ByCommand bool          `json:"by_command,omitempty"`
	Severity  diag.Severity `json:"severity,omitempty"`
}

// An Exchange is a package whose files another environment of the manifest reads or writes, with
// versions that conflict.
type Exchange struct {
	Package     string `json:"package"`
	Version     string `json:"version"`
	Environment string `json:"environment"` // the other one
	Other       string `json:"other"`       // its version
	Reads       bool   `json:"reads"`       // this environment reads what the other one writes; else the reverse
}

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// Owns returns the key of this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("pairs." + s.Environment) }

// Reads returns nothing: no machine matters.
func (s *Spec) Reads() []facts.Key { return nil }

// Diff reports the known conflicts.
func (s *Spec) Diff(facts.View) resources.Change {
	problems := s.Problems()
	var compared []string
	for _, r := range s.Packages {
		compared = append(compared, r.Name+" "+r.Version)
	}
	for _, x := range s.Exchanges {
		compared = append(compared, fmt.Sprintf("files of %s of environment %s", x.Package, x.Environment))
	}
	count := "no known conflict"
	if len(problems) > 0 {
		count = plural.Count(len(problems), "known conflict")
	}
	return resources.CheckResult(count+" among "+strings.Join(compared, ", "), problems...)
}

// Problems returns the known conflicts, first those within the environment.
func (s *Spec) Problems() (list []*diag.Problem) {
	for _, c := range catalog.Pairs(s.Packages) {
		p := &diag.Problem{Code: "pairs.breaks", Severity: s.Severity, Summary: fmt.Sprintf("%s: %s", c, c.Consequence), Hint: c.Resolution() + s.command(c.Remedies[0])}
		if c.Other.Version == "" {
			p.Code = "pairs.missing"
		}
		if !c.Fails {
			p.Severity = diag.Warn
		}
		list = append(list, p)
	}
	for _, x := range s.Exchanges {
		if p := s.exchange(x); p != nil {
			list = append(list, p)
		}
	}
	return list
}

// exchange reports an environment that cannot read the files of another one. The remedy is the
// same version in both.
func (s *Spec) exchange(x Exchange) *diag.Problem {
	reader, writer := catalog.Release{Name: x.Package, Version: x.Version}, catalog.Release{Name: x.Package, Version: x.Other}
	here, there := s.Environment, x.Environment
	if !x.Reads {
		reader, writer, here, there = writer, reader, there, here
	}
	c, ok := catalog.Exchange(reader, writer)
	if !ok {
		return nil
	}
	p := &diag.Problem{
		Code: "pairs.differs", Severity: diag.Warn,
		Summary: fmt.Sprintf("%s %s of environment %s cannot read all files that %s %s of environment %s writes", x.Package, reader.Version, here, x.Package, writer.Version, there),
		Found:   c.Consequence,
		Hint:    "pin the same version in both, or exchange files of another format, such as JSONL",
	}
	if s.ByCommand {
		p.Hint += fmt.Sprintf(": `reconcile add %s==%s --env %s`", x.Package, x.Other, s.Environment)
	}
	return p
}

// command returns the command for a remedy.
func (s *Spec) command(r catalog.Remedy) string {
	switch {
	case !s.ByCommand:
		return ", and lock again"
	case r.Version == "":
		return fmt.Sprintf(": `reconcile add %s --env %s`", r.Package, s.Environment)
	}
	return fmt.Sprintf(": `reconcile add %s==%s --env %s`", r.Package, r.Version, s.Environment)
}
