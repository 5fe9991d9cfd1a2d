package manifest

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources/compat"
	"github.com/reconcile-ml/reconcile/pkg/resources/cuda"
	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
)

// requirements adds what an environment asks of the machine's GPUs: its driver, the
// GPUs themselves, and that what is locked for this platform fits them. The
// environment does not depend on them: one that fails stops the whole run before the
// first change, and one that only warns stops nothing.
func (c *compiler) requirements(e *Environment, closure []lock.Dist) {
	if e.CUDA != nil {
		c.add("cuda", e.Name, e.CUDA.Pos, false, &cuda.Spec{Environment: e.Name, Minimum: e.CUDA.Minimum, Severity: c.severity(e.CUDA.Severity)})
	}
	if e.GPU != nil {
		c.add("gpu", e.Name, e.GPU.Pos, false, &gpu.Spec{
			Environment: e.Name, Count: e.GPU.Count, Memory: e.GPU.Memory, ByModel: e.GPU.ByModel,
			Compute: e.GPU.Compute, Severity: c.severity(e.GPU.Severity),
		})
	}
	packages := compat.Relevant(closure)
	if packages == nil || !e.WantsGPU() {
		return
	}
	spec := &compat.Spec{
		Environment: e.Name, Packages: packages,
		Bfloat16: e.QLoRA != nil && e.QLoRA.ComputeDtype == "bfloat16",
	}
	for _, model := range c.m.ModelsFor(e) {
		spec.Models = append(spec.Models, model.Repo)
	}
	// A proof alone asks for no GPU: without one it is skipped.
	pos := e.Pos
	spec.Severity = diag.Warn
	if e.CUDA != nil {
		pos, spec.Severity = e.CUDA.Pos, c.severity(e.CUDA.Severity)
	} else if e.GPU != nil {
		pos, spec.Severity = e.GPU.Pos, c.severity(e.GPU.Severity)
	}
	c.add("compat", e.Name, pos, false, spec)
}

// severity is that of a requirement on this machine: what its host's section says
// goes before what the environment says.
func (c *compiler) severity(asked diag.Severity) diag.Severity {
	if c.host != nil && c.host.Severity != nil {
		return *c.host.Severity
	}
	return asked
}

// WantsGPU reports whether the environment asks something of the driver: a
// requirement, or a proof on a GPU.
func (e *Environment) WantsGPU() bool {
	return e.CUDA != nil || e.GPU != nil || e.TestCUDA || e.QLoRA != nil
}
