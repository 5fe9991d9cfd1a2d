// Package gpu checks that there are enough NVIDIA GPUs, with enough memory. It
// changes nothing.
//
//  1. What one program will see is listed: whole GPUs, the slices of those that MIG
//     cuts, of them what CUDA_VISIBLE_DEVICES leaves, and of slices what CUDA shows
//     to one program.
//  2. Each is as asked for, not as asked for, or not known to be.
//  3. Enough of them must be as asked for. What is not known is a warning.
package gpu

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "gpu".
var Kind = resources.Kind{Name: "gpu", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A requirement: enough NVIDIA GPUs, each with enough memory. Nothing is changed.

| field | meaning |
|---|---|
| ` + "`environment`" + ` | the environment that asks for it |
| ` + "`count`" + ` | how many GPUs there must be at least |
| ` + "`memory`" + ` | what each must have, in ` + "`bytes`" + `; ` + "`exact`" + ` where the manifest says GiB |
| ` + "`by_model`" + ` | memory for GPUs of a model, in place of ` + "`memory`" + `: words of its name, in any case. The longest that fits decides |
| ` + "`compute`" + ` | the least compute capability, such as 8.0, which bfloat16 needs |
| ` + "`severity`" + ` | ` + "`warn`" + ` for a warning; else apply refuses before it changes anything |

A size in GB is what a GPU is sold as, and is met by 95 % of it: 24GB by the 24564 MiB of an RTX 4090,
80GB by the 81559 MiB of an H100. A size in GiB is met by that and no less.

Counted is what one program will see of what ` + "`CUDA_VISIBLE_DEVICES`" + ` leaves. Of a GPU that MIG cuts, the
whole is never seen. Before driver 570 CUDA shows a program one slice, the first, and no whole GPU
beside it; since then one slice of each GPU instance, and whole GPUs too. Memory that the driver does
not tell is a warning, whatever the severity.
`

// Spec is what GPUs there must be.
type Spec struct {
	Environment string        `json:"environment"`
	Count       int64         `json:"count"`
	Memory      Memory        `json:"memory,omitzero"`
	ByModel     []Model       `json:"by_model,omitempty"`
	Compute     string        `json:"compute,omitempty"` // "8.0"
	Severity    diag.Severity `json:"severity,omitempty"`
}

// Requirement marks the kind as a check: it has no steps.
func (s *Spec) Requirement() {}

// Owns is this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("gpu." + s.Environment) }

// Reads is what the driver says.
func (s *Spec) Reads() []facts.Key { return []facts.Key{facts.NvidiaKey} }

// Diff judges what a program will see. Its summary lists that, whatever the result.
func (s *Spec) Diff(v facts.View) resources.Change {
	n := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
	if t := nvidia.DriverTrouble(n, ""); t != nil {
		return resources.CheckResult("none can be seen", &diag.Problem{
			Code: "gpu." + t.Code, Severity: s.Severity, Summary: "no GPU can be seen: " + t.Summary, Found: t.Found, Hint: t.Hint,
		})
	}
	seen := nvidia.VisibleUnits(n)
	j := s.judge(seen)
	problems := j.problems()
	if p := s.nodes(n); p != nil {
		problems = append(problems, p)
	}
	return resources.CheckResult(summary(seen), problems...)
}
