// Package cuda checks that the NVIDIA driver supports a CUDA that is new enough. It installs
// nothing: the driver belongs to the machine, and wheels contain the rest of CUDA.
package cuda

import (
	"cmp"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "cuda".
var Kind = resources.Kind{Name: "cuda", New: func() resources.Spec { return &Spec{} }}

// Spec is the CUDA that the driver must support.
type Spec struct {
	Environment string        `json:"environment"`
	Minimum     string        `json:"minimum"` // "12.1"
	Severity    diag.Severity `json:"severity,omitempty"`
}

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// Owns returns the key of this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("cuda." + s.Environment) }

// Reads returns the facts of the driver and of GPUs of other vendors.
func (s *Spec) Reads() []facts.Key { return []facts.Key{facts.NvidiaKey, facts.GPUKey} }

// Diff compares the CUDA of the driver with the minimum. The summary always contains both.
func (s *Spec) Diff(v facts.View) resources.Change {
	n, gpu := facts.Get[facts.Nvidia](v, facts.NvidiaKey), facts.Get[facts.GPU](v, facts.GPUKey)
	if t := cmp.Or(nvidia.DriverTroubleOn(gpu, n, catalog.Driver(s.Minimum)), nvidia.CUDATrouble(n)); t != nil {
		summary := map[string]string{
			"no-driver": "no NVIDIA driver",
			"no-nvidia": "no NVIDIA GPU",
			"broken":    "the driver does not work",
			"unusable":  "CUDA is not usable",
		}[t.Code]
		return resources.CheckResult(fmt.Sprintf("%s (at least CUDA %s)", summary, s.Minimum),
			&diag.Problem{Code: "cuda." + t.Code, Severity: s.Severity, Summary: t.Summary, Found: t.Found, Hint: t.Hint})
	}
	summary := fmt.Sprintf("CUDA %s by %s (at least %s)", cmp.Or(n.CUDA, "unknown"), driver(n), s.Minimum)
	switch order, ok := catalog.Compare(n.CUDA, s.Minimum); {
	case !ok:
		return resources.CheckResult(summary, s.unknown(n))
	case order < 0:
		return resources.CheckResult(summary, s.tooOld(n))
	}
	return resources.Change{Summary: summary}
}

func driver(n facts.Nvidia) string {
	return "driver " + cmp.Or(n.Driver, n.Kernel, "of unknown version")
}

func (s *Spec) unknown(n facts.Nvidia) *diag.Problem {
	found := n.CUDAReason
	if least := catalog.Driver(s.Minimum); least != "" {
		if order, ok := catalog.Compare(cmp.Or(n.Driver, n.Kernel), least); ok {
			if found != "" {
				found += "\n"
			}
			age := "not older"
			if order < 0 {
				age = "older"
			}
			found += fmt.Sprintf("%s is %s than %s, the first with CUDA %s", driver(n), age, least, s.Minimum)
		}
	}
	return &diag.Problem{
		Code: "cuda.unknown", Severity: diag.Warn,
		Summary: fmt.Sprintf("the CUDA of %s is unknown, at least %s is required", driver(n), s.Minimum),
		Found:   found,
		Hint:    "read the first lines of `nvidia-smi`, which contain the version of CUDA",
	}
}

func (s *Spec) tooOld(n facts.Nvidia) *diag.Problem {
	versions := "one that supports CUDA " + s.Minimum
	if least := catalog.Driver(s.Minimum); least != "" {
		versions = nvidia.NewerDriver(n, least)
	}
	hint := fmt.Sprintf("update the driver to %s; reconcile never installs drivers. On a rented machine select an image with a newer one", versions)
	if versions == "" {
		hint = fmt.Sprintf("use a machine with a newer GPU: drivers with CUDA %s do not support this one", s.Minimum)
	}
	effect := fmt.Sprintf("programs built for CUDA %s find no GPU", s.Minimum)
	if runs, _ := catalog.Runs(n.CUDA, s.Minimum); runs {
		effect = fmt.Sprintf("programs built for CUDA %s run with limits", s.Minimum)
		hint += fmt.Sprintf(". With `minimum: %q` this driver is accepted", n.CUDA)
	}
	return &diag.Problem{
		Code: "cuda.too-old", Severity: s.Severity,
		Summary: fmt.Sprintf("%s is too old: it supports CUDA %s, and at least %s is required", driver(n), n.CUDA, s.Minimum),
		Found:   fmt.Sprintf("%s: %s", driver(n), effect),
		Hint:    hint,
	}
}
