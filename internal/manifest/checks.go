package manifest

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources/compat"
	"github.com/reconcile-ml/reconcile/pkg/resources/cuda"
	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
)

// requirements adds the requirements of an environment on the driver and the GPUs, and the
// compatibility of the locked packages with them. The environment does not depend on them:
// one that fails stops the run before its first change, and a warning stops nothing.
func (c *compiler) requirements(e *Environment, closure []lock.Dist) {
	// Without a requirement, a smoke test on a GPU is skipped if there is none.
	pos, severity := e.Pos, diag.Warn
	if e.GPU != nil {
		pos, severity = e.GPU.Pos, c.severity(e.GPU.Severity)
	}
	if e.CUDA != nil {
		pos, severity = e.CUDA.Pos, c.severity(e.CUDA.Severity)
		c.add("cuda", e.Name, pos, false, &cuda.Spec{Environment: e.Name, Minimum: e.CUDA.Minimum, Severity: severity})
	}
	if e.GPU != nil {
		c.add("gpu", e.Name, e.GPU.Pos, false, &gpu.Spec{
			Environment: e.Name, Count: e.GPU.Count, Memory: e.GPU.Memory, ByModel: e.GPU.ByModel,
			Compute: e.GPU.Compute, Severity: c.severity(e.GPU.Severity),
		})
	}
	packages := compat.Relevant(closure)
	if packages == nil || !e.RequiresGPU() {
		return
	}
	spec := &compat.Spec{
		Environment: e.Name, Python: e.Python, Packages: packages, Severity: severity,
		ByCommand: e.canAdd("torch", "bitsandbytes"),
		Bfloat16:  e.SmokeTest.QLoRA != nil && e.SmokeTest.QLoRA.ComputeDtype == "bfloat16",
	}
	for _, p := range e.Packages {
		if name := pep.Normalize(p.Name); lock.IsCUDALibrary(name) {
			spec.Pins = append(spec.Pins, name)
		}
	}
	for _, model := range c.m.ModelsFor(e) {
		spec.Models = append(spec.Models, model.Repo)
	}
	c.add("compat", e.Name, pos, false, spec)
}

// canAdd reports whether `reconcile add` can change the versions of packages: the manifest alone
// requests packages, and none of these more than once.
func (e *Environment) canAdd(names ...string) bool {
	for _, name := range names {
		n := 0
		for _, p := range e.Packages {
			if pep.Normalize(p.Name) == name {
				n++
			}
		}
		if n > 1 {
			return false
		}
	}
	return !e.IsForeign() && len(e.Files) == 0
}

// severity returns the severity of a requirement on this machine: that of the host, or
// else that of the environment.
func (c *compiler) severity(environment diag.Severity) diag.Severity {
	if c.host != nil && c.host.Severity != nil {
		return *c.host.Severity
	}
	return environment
}

// RequiresGPU reports whether the environment has a requirement on the driver or GPUs, or
// a smoke test that uses a GPU.
func (e *Environment) RequiresGPU() bool {
	return e.CUDA != nil || e.GPU != nil || e.SmokeTest.TestCUDA || e.SmokeTest.QLoRA != nil
}
