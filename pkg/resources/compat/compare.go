package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
)

// cuda compares the CUDA of torch with that of the driver.
func (c *comparison) cuda() []*diag.Problem {
	if c.built == "" {
		return []*diag.Problem{c.cpuBuild()}
	}
	trouble := nvidia.DriverTrouble(c.n, catalog.Driver(c.built))
	if trouble == nil {
		trouble = nvidia.CUDATrouble(c.n)
	}
	if trouble != nil {
		return []*diag.Problem{{
			Code: "compat.no-cuda", Severity: diag.Warn,
			Summary: fmt.Sprintf("torch %s is built for CUDA %s and would silently run on the CPU: %s", c.torch, c.built, trouble.Summary),
			Hint:    trouble.Hint,
		}}
	}
	if c.n.CUDA == "" {
		return []*diag.Problem{{
			Code: "compat.unknown", Severity: diag.Warn,
			Summary: fmt.Sprintf("it is unknown whether torch %s runs on %s: the driver does not report its CUDA", c.torch, c.driver()),
			Found:   c.n.CUDAReason,
			Hint:    fmt.Sprintf("compare the first lines of `nvidia-smi`: torch is built for CUDA %s", c.built),
		}}
	}
	switch runs, full := catalog.Runs(c.n.CUDA, c.built); {
	case !runs:
		return []*diag.Problem{c.onCPU()}
	case !full:
		return []*diag.Problem{{
			Code: "compat.limits", Severity: diag.Warn,
			Summary: fmt.Sprintf("torch %s is built for CUDA %s and runs with limits: %s supports CUDA %s", c.torch, c.built, c.driver(), c.n.CUDA),
			Found:   "code that is compiled at run time for the newer CUDA may fail to load",
			Hint:    c.update(catalog.Driver(c.built)) + ", which has no such limits",
		}}
	}
	return nil
}

// onCPU reports that torch would find no GPU, with the nearest set of versions that works.
func (c *comparison) onCPU() *diag.Problem {
	hint := c.update(catalog.MajorDriver(c.built))
	if cuda := nearest(c.torch, c.n.CUDA); cuda != "" {
		set := fmt.Sprintf("torch %s+cu%s", public(c.torch), strings.ReplaceAll(cuda, ".", ""))
		if cudas, ok := libraries(c.spec.version("bitsandbytes")); ok && !slices.Contains(cudas, cuda) && withLibrary(cuda) != "" {
			set += " with bitsandbytes " + withLibrary(cuda)
		}
		hint += fmt.Sprintf("; or pin %s, which runs on driver %s or newer: that build of torch is in PyTorch's own package index", set, catalog.MajorDriver(cuda))
	}
	return &diag.Problem{
		Code: "compat.on-cpu", Severity: c.spec.Severity,
		Summary: fmt.Sprintf("torch %s is built for CUDA %s and would silently run on the CPU: %s supports CUDA %s", c.torch, c.built, c.driver(), c.n.CUDA),
		Found:   "torch.cuda.is_available() would be False",
		Hint:    hint,
	}
}

// update returns the hint for a newer driver; least is its oldest version, "" if unknown.
func (c *comparison) update(least string) string {
	hint := "update the driver"
	if c.host.Container != "" && c.host.Container != "wsl" {
		hint += " of the host that runs this container"
	}
	if least != "" {
		return hint + fmt.Sprintf(" to %s or newer", least)
	}
	return hint + " to one that supports CUDA " + c.built
}

func (c *comparison) cpuBuild() *diag.Problem {
	hint := fmt.Sprintf("pin a CUDA build: the public index has one of torch %s for Linux on x86_64", public(c.torch))
	if _, local, ok := strings.Cut(c.torch, "+"); ok {
		hint = fmt.Sprintf("pin torch %s, without +%s", public(c.torch), local)
	} else if c.host.Platform != "" && c.host.Platform != "linux-x86_64" {
		hint = fmt.Sprintf("use a machine with Linux on x86_64: the public index has no CUDA build of torch for %s", c.host.Platform)
	}
	return &diag.Problem{
		Code: "compat.cpu-build", Severity: diag.Warn,
		Summary: fmt.Sprintf("torch %s is a CPU build, and the manifest requires GPUs", c.torch),
		Found:   "its version names no CUDA, and no CUDA runtime is locked",
		Hint:    hint,
	}
}

// kernels compares the GPUs with the kernels of torch. It fails if torch runs on none of
// them.
func (c *comparison) kernels() []*diag.Problem {
	compiled, ok := kernelsOf(c.torch, c.built)
	if !ok {
		return nil // the summary contains that
	}
	var without, unknown []string
	newest, usable := "", 0
	for _, u := range c.units {
		if u.Problem != "" {
			continue
		}
		usable++
		switch {
		case u.Compute == "":
			unknown = append(unknown, u.Name)
		case !compiled.runOn(u.Compute):
			without = append(without, fmt.Sprintf("%s (compute capability %s)", u.Name, u.Compute))
			if order, ok := catalog.Compare(u.Compute, newest); !ok || order > 0 {
				newest = u.Compute
			}
		}
	}
	var problems []*diag.Problem
	if len(without) > 0 {
		p := &diag.Problem{
			Code: "compat.no-kernels", Severity: c.spec.Severity,
			Summary: fmt.Sprintf("torch %s is not compiled for %s", c.torch, strings.Join(slices.Compact(without), ", ")),
			Found:   fmt.Sprintf("kernels for %s only: programs fail with \"no kernel image is available for execution on the device\"", strings.Join(compiled.Compute, ", ")),
			Hint:    "use another GPU, or " + compiledFor(newest),
		}
		if len(without) < usable {
			p.Severity = diag.Warn // the others work
			p.Hint = "name the supported GPUs in CUDA_VISIBLE_DEVICES, or " + compiledFor(newest)
		}
		problems = append(problems, p)
	}
	if len(unknown) > 0 {
		problems = append(problems, &diag.Problem{
			Code: "compat.unknown", Severity: diag.Warn,
			Summary: fmt.Sprintf("it is unknown whether torch %s has kernels for %s: the driver does not report the compute capability", c.torch, strings.Join(slices.Compact(unknown), ", ")),
			Hint:    "an old driver does not report it. Find it in NVIDIA's list of GPUs: torch has kernels for " + strings.Join(compiled.Compute, ", "),
		})
	}
	return problems
}

// compiledFor returns the hint for a torch with kernels for a compute capability.
func compiledFor(compute string) string {
	for _, f := range known().First {
		if order, ok := catalog.Compare(compute, f.Compute); ok && order >= 0 {
			return fmt.Sprintf("pin torch %s or later, built for CUDA %s or later", f.Torch, f.CUDA)
		}
	}
	return "pin a torch that is compiled for it"
}

// bitsandbytes compares its libraries with the CUDA of torch: it loads the one with that
// version in its name.
func (c *comparison) bitsandbytes() []*diag.Problem {
	version := c.spec.version("bitsandbytes")
	cudas, ok := libraries(version)
	if !ok || c.built == "" || slices.Contains(cudas, c.built) {
		return nil
	}
	hint := "pin a bitsandbytes that has it"
	if v := withLibrary(c.built); v != "" {
		hint = fmt.Sprintf("pin bitsandbytes %s, which has it", v)
	}
	return []*diag.Problem{{
		Code: "compat.bitsandbytes", Severity: c.spec.Severity,
		Summary: fmt.Sprintf("bitsandbytes %s has no library for CUDA %s, which torch %s is built for", version, c.built, c.torch),
		Found:   fmt.Sprintf("libraries for CUDA %s; libbitsandbytes_cuda%s.so is missing", strings.Join(cudas, ", "), strings.ReplaceAll(c.built, ".", "")),
		Hint:    hint,
	}}
}

// models compares transformers and tokenizers with the models of the manifest.
func (c *comparison) models() (problems []*diag.Problem) {
	for _, repo := range c.spec.Models {
		for _, need := range needs(repo) {
			have := c.spec.version(need.Package)
			if order, ok := catalog.Compare(release(have), need.Minimum); !ok || order >= 0 {
				continue
			}
			problems = append(problems, &diag.Problem{
				Code: "compat.model", Severity: diag.Warn,
				Summary: fmt.Sprintf("%s %s does not support %s, which needs %s or later", need.Package, have, repo, need.Minimum),
				Found:   need.Otherwise,
				Hint:    fmt.Sprintf("pin %s %s or later and lock again, or remove the model from the manifest", need.Package, need.Minimum),
			})
		}
	}
	return problems
}

// bfloat16 reports the GPUs without it.
func (c *comparison) bfloat16() []*diag.Problem {
	if !c.spec.Bfloat16 {
		return nil
	}
	var without []string
	for _, u := range c.units {
		if order, ok := catalog.Compare(u.Compute, "8.0"); ok && order < 0 && u.Problem == "" {
			without = append(without, fmt.Sprintf("%s (compute capability %s)", u.Name, u.Compute))
		}
	}
	if len(without) == 0 {
		return nil
	}
	return []*diag.Problem{{
		Code: "compat.bfloat16", Severity: diag.Warn,
		Summary: fmt.Sprintf("%s has no bfloat16, which the QLoRA smoke test needs", strings.Join(slices.Compact(without), ", ")),
		Found:   "bfloat16 needs compute capability 8.0 (Ampere) or later; older GPUs emulate it slowly",
		Hint:    "use a newer GPU, or write `compute_dtype: float16`",
	}}
}
