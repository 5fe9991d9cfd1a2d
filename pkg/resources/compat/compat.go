// Package compat compares the locked packages with the machine: whether torch will
// run on its GPUs or, without a word, on the CPU. It changes nothing.
//
//  1. Which CUDA torch was built for is read from the lock: its own version, or the
//     CUDA runtime that is locked with it.
//  2. That is compared with the driver, the compute capabilities of the GPUs, and the
//     libraries of bitsandbytes.
//  3. The models of the manifest are compared with transformers and tokenizers.
//
// What the metadata of wheels does not say is in compat.json, with its sources.
package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "compat".
var Kind = resources.Kind{Name: "compat", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A requirement: the locked packages fit this machine and each other. Nothing is changed.

| field | meaning |
|---|---|
| ` + "`environment`" + ` | the environment that is locked |
| ` + "`packages`" + ` | what of its closure is compared: torch, the CUDA runtime, bitsandbytes, transformers, tokenizers |
| ` + "`models`" + ` | the models of the manifest, by repository |
| ` + "`bfloat16`" + ` | the environment computes in bfloat16 |
| ` + "`severity`" + ` | ` + "`warn`" + ` for a warning; else apply refuses before it changes anything |

A torch that is built for a newer major version of CUDA than the driver offers finds no GPU and runs on
the CPU, without a word; within a major version it runs with limits. A GPU that torch has no kernels for
stops with "no kernel image is available". bitsandbytes needs its own library for the CUDA of torch.

What compat.json does not know is not judged. Where the driver does not answer, the kinds ` + "`cuda`" + `
and ` + "`gpu`" + ` decide, and this one only warns. So it does of what the machine cannot mend: a build for the
CPU, and packages that are too old for a model.
`

// Spec is what is locked, as far as it matters here.
type Spec struct {
	Environment string        `json:"environment"`
	Packages    []Package     `json:"packages"` // by name; see Relevant
	Models      []string      `json:"models,omitempty"`
	Bfloat16    bool          `json:"bfloat16,omitempty"`
	Severity    diag.Severity `json:"severity,omitempty"`
}

// A Package is one that is locked.
type Package struct {
	Name    string `json:"name"` // normalised
	Version string `json:"version"`
}

// runtimes are the packages that hold the CUDA runtime.
var runtimes = []string{"nvidia-cuda-runtime", "nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12"}

// Relevant returns what of a closure is compared, by name; nil if it has no torch. A
// change of anything else does not change the Spec.
func Relevant(closure []lock.Dist) []Package {
	var list []Package
	torch := false
	for _, d := range closure {
		if slices.Contains(runtimes, d.Name) || slices.Contains([]string{"torch", "bitsandbytes", "transformers", "tokenizers"}, d.Name) {
			list = append(list, Package{d.Name, d.Version})
			torch = torch || d.Name == "torch"
		}
	}
	if !torch {
		return nil
	}
	slices.SortFunc(list, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Requirement marks the kind as a check: it has no steps.
func (s *Spec) Requirement() {}

// Owns is this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("compat." + s.Environment) }

// Reads is what the driver says, and where.
func (s *Spec) Reads() []facts.Key { return []facts.Key{facts.NvidiaKey, facts.HostKey} }

// version returns the locked version of a package, "" if it is not locked.
func (s *Spec) version(name string) string {
	for _, p := range s.Packages {
		if p.Name == name {
			return p.Version
		}
	}
	return ""
}

// built returns the CUDA that torch was built for, "" for a build for the CPU.
func (s *Spec) built() string {
	_, local, _ := strings.Cut(s.version("torch"), "+")
	if digits, ok := strings.CutPrefix(local, "cu"); ok && len(digits) >= 3 {
		last := len(digits) - 1
		return digits[:last] + "." + digits[last:]
	}
	if local != "" {
		return "" // +cpu, +rocm
	}
	for _, name := range runtimes {
		if v := s.version(name); v != "" {
			return line(v)
		}
	}
	return ""
}

// Diff compares what is locked with the machine. Its summary says both, whatever the
// result.
func (s *Spec) Diff(v facts.View) resources.Change {
	c := comparison{
		spec: s, torch: s.version("torch"), built: s.built(),
		n: facts.Get[facts.Nvidia](v, facts.NvidiaKey), host: facts.Get[facts.Host](v, facts.HostKey),
	}
	problems := slices.Concat(c.cuda(), c.bitsandbytes(), c.models())
	if c.n.State == facts.DriverOK && c.built != "" {
		c.seen = nvidia.VisibleUnits(c.n).Units
		problems = slices.Concat(problems, c.kernels(), c.bfloat16())
	}
	return resources.CheckResult(c.summary(), problems...)
}

// A comparison is one Diff.
type comparison struct {
	spec         *Spec
	torch, built string // versions of torch and of the CUDA it was built for
	n            facts.Nvidia
	host         facts.Host
	seen         []nvidia.Unit
}

// summary is such as "torch 2.1.2 for CUDA 12.1, driver 550.54.15 with CUDA 12.4,
// compute capability 9.0, bitsandbytes 0.43.3".
func (c *comparison) summary() string {
	if c.built == "" {
		return fmt.Sprintf("torch %s for the CPU", c.torch)
	}
	parts := []string{fmt.Sprintf("torch %s for CUDA %s", c.torch, c.built)}
	if c.n.State == facts.DriverOK {
		parts = append(parts, c.driver()+" with CUDA "+cmp.Or(c.n.CUDA, "not known"))
	} else {
		parts = append(parts, "no driver that answers")
	}
	var capabilities []string
	for _, u := range c.seen {
		if u.Compute != "" && !slices.Contains(capabilities, u.Compute) {
			capabilities = append(capabilities, u.Compute)
		}
	}
	if len(capabilities) > 0 {
		text := "compute capability " + strings.Join(capabilities, " and ")
		if _, ok := kernelsOf(c.torch, c.built); !ok {
			text += " (whether torch has kernels for it is not known)"
		}
		parts = append(parts, text)
	}
	if b := c.spec.version("bitsandbytes"); b != "" {
		text := "bitsandbytes " + b
		if _, ok := libraries(b); !ok {
			text += " (its libraries are not known)"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (c *comparison) driver() string {
	return "driver " + cmp.Or(c.n.Driver, c.n.Kernel, "of unknown version")
}
