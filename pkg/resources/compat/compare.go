package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
)

// noCUDA reports a torch without CUDA in an environment that requires GPUs.
func (c *comparison) noCUDA() *diag.Problem {
	hints := c.ways()
	switch {
	case len(hints) == 0 && len(c.compute()) > 0:
		hints = []string{"use another machine: no known build of torch uses the GPUs of this one"}
	case len(hints) == 0:
		hints = []string{"pin a torch that is built for CUDA"}
	}
	found := "its version names no CUDA, and no CUDA runtime is locked"
	if _, local, ok := strings.Cut(c.torch, "+"); ok {
		found = "the local part of its version is +" + local
	}
	return &diag.Problem{
		Code: "compat.cpu-build", Severity: c.spec.Severity,
		Summary: fmt.Sprintf("torch %s is built for %s, and the manifest requires NVIDIA GPUs", c.torch, c.spec.target()),
		Found:   found,
		Hint:    join(hints...),
	}
}

// cuda compares the CUDA of torch with that of the driver.
func (c *comparison) cuda() []*diag.Problem {
	trouble := nvidia.DriverTroubleOn(c.gpu, c.n, catalog.Driver(c.built))
	if trouble == nil {
		trouble = nvidia.CUDATrouble(c.n)
	}
	if trouble != nil {
		return []*diag.Problem{{
			Code: "compat.no-cuda", Severity: diag.Warn,
			Summary: fmt.Sprintf("%s is built for CUDA %s and %s: %s", c.spec.subject(), c.built, c.effect(), trouble.Summary),
			Hint:    trouble.Hint,
		}}
	}
	if c.n.CUDA == "" {
		return []*diag.Problem{{
			Code: "compat.unknown", Severity: diag.Warn,
			Summary: fmt.Sprintf("it is unknown whether %s runs on %s: the driver does not report its CUDA", c.spec.subject(), c.driver()),
			Found:   c.n.CUDAReason,
			Hint:    fmt.Sprintf("compare the first lines of `nvidia-smi`: %s is built for CUDA %s", c.spec.subject(), c.built),
		}}
	}
	switch runs, full := catalog.Runs(c.n.CUDA, c.built); {
	case !runs:
		var ways []string
		if c.lacksKernels() {
			ways = c.ways() // a newer driver alone does not help
		}
		if len(ways) == 0 {
			ways = append([]string{c.update(catalog.MajorDriver(c.built))}, c.pins(c.remedies(c.machine()))...)
		}
		p := &diag.Problem{
			Code: "compat.on-cpu", Severity: c.spec.Severity,
			Summary: fmt.Sprintf("%s is built for CUDA %s and %s: %s supports CUDA %s", c.spec.subject(), c.built, c.effect(), c.driver(), c.n.CUDA),
			Hint:    join(ways...),
		}
		if c.torch != "" {
			p.Found = "torch.cuda.is_available() would be False"
		}
		return []*diag.Problem{p}
	case !full:
		return []*diag.Problem{{
			Code: "compat.limits", Severity: diag.Warn,
			Summary: fmt.Sprintf("%s is built for CUDA %s and runs with limits: %s supports CUDA %s", c.spec.subject(), c.built, c.driver(), c.n.CUDA),
			Found:   "code that is compiled at run time for the newer CUDA may fail to load",
			Hint:    c.withoutLimits(),
		}}
	}
	return nil
}

// effect returns the consequence of a driver that does not support the CUDA.
func (c *comparison) effect() string {
	if c.torch == "" {
		return "would find no GPU"
	}
	return "would silently run on the CPU"
}

// kernels compares the GPUs with the kernels of torch. It fails if torch runs on none of
// them.
func (c *comparison) kernels() []*diag.Problem {
	if len(c.units) == 0 || c.torch == "" {
		return nil
	}
	compiled, nearest, ok := catalog.TorchKernels(c.torch, c.built, c.host.Platform)
	if !ok {
		return []*diag.Problem{c.unknownKernels(compiled, nearest)}
	}
	without, unknown := c.split(compiled)
	var problems []*diag.Problem
	if len(without) > 0 {
		p := &diag.Problem{
			Code: "compat.no-kernels", Severity: c.spec.Severity,
			Summary: fmt.Sprintf("torch %s is not compiled for %s", c.torch, strings.Join(slices.Compact(without), ", ")),
			Found:   fmt.Sprintf("kernels for %s only: programs fail with \"no kernel image is available for execution on the device\"", compiled),
		}
		first := "use another GPU"
		if len(without) < len(c.units) {
			p.Severity, first = diag.Warn, "name the supported GPUs in CUDA_VISIBLE_DEVICES" // they work
		}
		p.Hint = join(append(c.ways(), first)...)
		problems = append(problems, p)
	}
	if len(unknown) > 0 {
		problems = append(problems, &diag.Problem{
			Code: "compat.unknown", Severity: diag.Warn,
			Summary: fmt.Sprintf("it is unknown whether torch %s has kernels for %s: the driver does not report the compute capability", c.torch, strings.Join(slices.Compact(unknown), ", ")),
			Hint:    fmt.Sprintf("an old driver does not report it. Find it in NVIDIA's list of GPUs: torch has kernels for %s", compiled),
		})
	}
	return problems
}

// split returns the GPUs that kernels do not run on, and those of unknown compute capability.
func (c *comparison) split(compiled catalog.Kernels) (without, unknown []string) {
	for _, u := range c.units {
		switch {
		case u.Compute == "":
			unknown = append(unknown, u.Name)
		case !compiled.RunOn(u.Compute, c.built):
			without = append(without, describe(u))
		}
	}
	return without, unknown
}

// lacksKernels reports whether torch has no kernels for any of the GPUs.
func (c *comparison) lacksKernels() bool {
	compiled, _, ok := catalog.TorchKernels(c.torch, c.built, c.host.Platform)
	without, _ := c.split(compiled)
	return ok && len(c.units) > 0 && len(without) == len(c.units)
}

// unknownKernels reports a torch that is not in the tables, with the nearest one that is.
func (c *comparison) unknownKernels(k catalog.Kernels, nearest string) *diag.Problem {
	found := fmt.Sprintf("this release of reconcile has no data about torch for CUDA %s on %s", c.built, c.host.Platform)
	if nearest != "" {
		found = fmt.Sprintf("the nearest known release is torch %s for CUDA %s, with kernels for %s", nearest, c.built, k)
	}
	return &diag.Problem{
		Code: "compat.unknown", Severity: diag.Warn,
		Summary: fmt.Sprintf("it is unknown whether torch %s for CUDA %s has kernels for compute capability %s", c.torch, c.built, strings.Join(c.compute(), " and ")),
		Found:   found,
		Hint:    "the smoke test of `reconcile apply` runs it on the GPU if the manifest has `smoke_test: {cuda: true}`; a newer reconcile may have the data",
	}
}

// describe returns "NVIDIA H100 (compute capability 9.0)".
func describe(u nvidia.Unit) string {
	return fmt.Sprintf("%s (compute capability %s)", u.Name, u.Compute)
}

// bitsandbytes compares its libraries with the CUDA of torch.
func (c *comparison) bitsandbytes() []*diag.Problem {
	version := c.spec.version("bitsandbytes")
	if version == "" {
		return nil
	}
	b, ok := c.wheel(version)
	if ok && b.Library(c.built) != "" {
		return nil
	}
	hint := "pin a torch for another CUDA: no known bitsandbytes has this library"
	if newest := c.withLibrary(c.built); newest != "" {
		hint = fmt.Sprintf("pin bitsandbytes %s, which has it%s", newest, c.command("bitsandbytes=="+newest))
	}
	if !ok {
		return []*diag.Problem{{
			Code: "compat.unknown", Severity: diag.Warn,
			Summary: fmt.Sprintf("it is unknown whether bitsandbytes %s has a library for CUDA %s on %s", version, c.built, c.host.Platform),
			Hint:    strings.Replace(hint, "which has it", "which has one", 1),
		}}
	}
	return []*diag.Problem{{
		Code: "compat.bitsandbytes", Severity: c.spec.Severity,
		Summary: fmt.Sprintf("bitsandbytes %s has no library for CUDA %s, which torch %s is built for", version, c.built, c.torch),
		Found:   fmt.Sprintf("libraries for CUDA %s; %s is missing", strings.Join(b.CUDA, ", "), catalog.LibraryFile(c.built)),
		Hint:    hint,
	}}
}

// release returns up to three leading numbers of a version: "4.43.0" for "4.43.0rc1". A
// release candidate supports what its release supports.
func release(version string) string {
	if end := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		version = version[:end]
	}
	parts := strings.Split(strings.Trim(version, "."), ".")
	return strings.Join(parts[:min(3, len(parts))], ".")
}

// models compares transformers and tokenizers with the models of the manifest.
func (c *comparison) models() (problems []*diag.Problem) {
	for _, repo := range c.spec.Models {
		for _, need := range catalog.Needs(repo) {
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
		if order, ok := catalog.Compare(u.Compute, "8.0"); ok && order < 0 {
			without = append(without, describe(u))
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
