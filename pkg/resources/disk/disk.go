// Package disk checks how much room there is for this user. It changes nothing.
package disk

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "disk".
var Kind = resources.Kind{Name: "disk", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A requirement: enough room on the file system that holds a path. Nothing is changed.

| field | meaning |
|---|---|
| ` + "`path`" + ` | any path; the file system is that of the nearest parent that exists |
| ` + "`warn_below`" + ` | bytes; less is a warning. 0 for no limit |
| ` + "`fail_below`" + ` | bytes; with less, apply refuses before it changes anything. 0 for no limit |
| ` + "`budget`" + ` | what will be stored there: item, low and high in bytes; printed with the plan |

Measured is what this user can have: without the part that is reserved for root.
`

// Spec is what a file system must offer. All sizes are bytes; a limit of 0 is no
// limit.
type Spec struct {
	Path      string   `json:"path"`
	WarnBelow int64    `json:"warn_below,omitempty"`
	FailBelow int64    `json:"fail_below,omitempty"`
	Budget    []Budget `json:"budget,omitempty"` // compared by the planner, not here
}

// Budget is one expected use of the disk.
type Budget = resources.Budget

// Requirement marks the kind as a check: it has no steps.
func (s *Spec) Requirement() {}

// StorageBudget makes the plan's storage summary from this disk.
func (s *Spec) StorageBudget() (facts.Key, []Budget) { return s.Owns(), s.Budget }

var _ resources.Budgeter = (*Spec)(nil)

// Owns is the file system below the path.
func (s *Spec) Owns() facts.Key { return facts.DiskKey(s.Path) }

// Reads is the file system alone.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff compares what is free with the limits. Its summary says both, whatever
// the result.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Disk](v, s.Owns())
	c := resources.Change{Summary: s.summary(actual)}
	switch {
	case actual.Free < s.FailBelow:
		c.Action = resources.Blocked
		c.Problem = s.problem(actual, "disk.too-small", s.FailBelow)
	case actual.ReadOnly:
		c.Problem = &diag.Problem{
			Code: "disk.read-only", Severity: diag.Warn,
			Summary: fmt.Sprintf("the file system of %q is mounted read-only", s.Path),
			Found:   fmt.Sprintf("%s on %s", actual.FileSystem, actual.Device),
			Hint:    "nothing can be applied there before it is mounted for writing",
		}
	case actual.Free < s.WarnBelow:
		c.Problem = s.problem(actual, "disk.low", s.WarnBelow)
		c.Problem.Severity = diag.Warn
	}
	return c
}

// summary is such as "212.3 GB free on . (warns below 30 GB, fails below 20 GB)".
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
	return &diag.Problem{
		Code:    code,
		Summary: fmt.Sprintf("%s free on the file system of %q, %s asked for", bytesize.Format(actual.Free), s.Path, bytesize.Format(limit)),
		Found:   fmt.Sprintf("%s free of %s", bytesize.Format(actual.Free), bytesize.Format(actual.Total)),
		Hint: fmt.Sprintf("free %s there (`reconcile gc` removes unused generations; `du -xh -d 2 %s | sort -h` shows what is large), or change the limit in the manifest",
			bytesize.Format(limit-actual.Free), resources.ShellQuote(s.Path)),
	}
}
