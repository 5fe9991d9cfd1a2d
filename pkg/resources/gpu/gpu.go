// Package gpu checks that there are enough NVIDIA GPUs, with enough memory. It changes
// nothing.
//
//  1. List what one program can use: whole GPUs, the slices of those that MIG divides,
//     restricted by CUDA_VISIBLE_DEVICES and by the slices that CUDA shows to one program.
//  2. Compare each with the requirements; the result may be unknown.
//  3. Enough of them must match. Unknown results are warnings.
package gpu

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "gpu".
var Kind = resources.Kind{Name: "gpu", New: func() resources.Spec { return &Spec{} }}

// Spec is the required GPUs.
type Spec struct {
	Environment string        `json:"environment"`
	Count       int64         `json:"count"`
	Memory      Memory        `json:"memory,omitzero"`
	ByModel     []Model       `json:"by_model,omitempty"`
	Compute     string        `json:"compute,omitempty"` // "8.0"
	Severity    diag.Severity `json:"severity,omitempty"`
}

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// Owns returns the key of this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("gpu." + s.Environment) }

// Reads returns the facts of the driver and of GPUs of other vendors.
func (s *Spec) Reads() []facts.Key { return []facts.Key{facts.NvidiaKey, facts.GPUKey} }

// Diff compares the GPUs that a program can use. The summary always lists them.
func (s *Spec) Diff(v facts.View) resources.Change {
	n := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
	if t := nvidia.DriverTroubleOn(facts.Get[facts.GPU](v, facts.GPUKey), n, ""); t != nil {
		return resources.CheckResult("no usable GPU", &diag.Problem{
			Code: "gpu." + t.Code, Severity: s.Severity, Summary: "no GPU is usable: " + t.Summary, Found: t.Found, Hint: t.Hint,
		})
	}
	visible := nvidia.VisibleUnits(n)
	problems := s.compare(visible).problems()
	if p := s.nodeProblem(n); p != nil {
		problems = append(problems, p)
	}
	return resources.CheckResult(summary(visible), problems...)
}
