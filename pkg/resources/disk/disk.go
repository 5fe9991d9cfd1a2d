// Package disk checks the free space of a file system. It changes nothing.
package disk

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "disk".
var Kind = resources.Kind{Name: "disk", New: func() resources.Spec { return &Spec{} }}

// Spec is the required free space of a file system. Sizes are bytes; a limit of 0 is no
// limit.
type Spec struct {
	Path      string   `json:"path"`
	WarnBelow int64    `json:"warn_below,omitempty"`
	FailBelow int64    `json:"fail_below,omitempty"`
	Budget    []Budget `json:"budget,omitempty"` // compared by the planner, not here
}

// Budget is one expected use of the disk.
type Budget = resources.Budget

var _ resources.Budgeter = (*Spec)(nil)

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// StorageBudget returns the disk and the budget of the plan's storage summary.
func (s *Spec) StorageBudget() (facts.Key, []Budget) { return s.Owns(), s.Budget }

// Owns returns the key of the file system of the path.
func (s *Spec) Owns() facts.Key { return facts.DiskKey(s.Path) }

// Reads returns the file system.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff compares the free space with the limits. The summary always contains both.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Disk](v, s.Owns())
	summary := s.summary(actual)
	switch {
	case actual.Free < s.FailBelow:
		return resources.CheckResult(summary, s.problem(actual, "disk.too-small", s.FailBelow))
	case actual.ReadOnly:
		return resources.CheckResult(summary, &diag.Problem{
			Code: "disk.read-only", Severity: diag.Warn,
			Summary: fmt.Sprintf("the file system of %q is mounted read-only", s.Path),
			Found:   fmt.Sprintf("%s on %s", actual.FileSystem, cmp.Or(actual.MountPoint, actual.Device)),
			Hint:    "mount it for writing; nothing can be applied to it before",
		})
	case actual.Free < s.WarnBelow:
		p := s.problem(actual, "disk.low", s.WarnBelow)
		p.Severity = diag.Warn
		return resources.CheckResult(summary, p)
	}
	return resources.CheckResult(summary)
}

// summary returns, for example, "212.3 GB free on . (warns below 30 GB, fails below 20 GB)".
func (s *Spec) summary(actual facts.Disk) string {
	var limits []string
	if s.WarnBelow > 0 {
		limits = append(limits, "warns below "+bytesize.Format(s.WarnBelow))
	}
	if s.FailBelow > 0 {
		limits = append(limits, "fails below "+bytesize.Format(s.FailBelow))
	}
	text := fmt.Sprintf("%s free on %s", bytesize.Format(actual.Free), s.Path)
	if len(limits) > 0 {
		text += " (" + strings.Join(limits, ", ") + ")"
	}
	return text
}

func (s *Spec) problem(actual facts.Disk, code string, limit int64) *diag.Problem {
	found := fmt.Sprintf("%s free of %s", bytesize.Format(actual.Free), bytesize.Format(actual.Total))
	if actual.Quota > 0 {
		found += ", your quota is " + bytesize.Format(actual.Quota)
	}
	if actual.MountPoint != "" {
		found += fmt.Sprintf("; mounted at %s (%s)", actual.MountPoint, actual.FileSystem)
	}
	return &diag.Problem{
		Code:    code,
		Summary: fmt.Sprintf("%s free on the file system of %q, %s required", bytesize.Format(actual.Free), s.Path, bytesize.Format(limit)),
		Found:   found,
		Hint: fmt.Sprintf("free %s there (`reconcile gc` removes unused generations; `du -xh -d 2 %s | sort -h` lists large directories), or change the limit in the manifest",
			bytesize.Format(limit-actual.Free), resources.ShellQuote(s.Path)),
	}
}
