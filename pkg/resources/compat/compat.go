// Package compat compares the locked packages with the machine, for example whether torch
// runs on its GPUs or silently on the CPU. It changes nothing.
//
//  1. Read from the lock which CUDA torch was built for: from its version, or from the
//     locked CUDA runtime.
//  2. Compare that with the driver, the compute capabilities of the GPUs, and the libraries
//     of bitsandbytes.
//  3. Compare the models of the manifest with transformers and tokenizers.
//
// Properties of wheels that are not in their metadata are in compat.json, with sources.
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
var Kind = resources.Kind{Name: "compat", New: func() resources.Spec { return &Spec{} }}

// Spec is the part of a lock that is compared.
type Spec struct {
	Environment string        `json:"environment"`
	Packages    []Package     `json:"packages"` // by name; see Relevant
	Models      []string      `json:"models,omitempty"`
	Bfloat16    bool          `json:"bfloat16,omitempty"`
	Severity    diag.Severity `json:"severity,omitempty"`
}

// A Package is one locked package.
type Package struct {
	Name    string `json:"name"` // normalised
	Version string `json:"version"`
}

// runtimes are the packages of the CUDA runtime.
var runtimes = []string{"nvidia-cuda-runtime", "nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12"}

// Relevant returns the compared packages of a closure, by name; nil if it has no torch. A
// change of another package does not change the Spec.
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

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// Owns returns the key of this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("compat." + s.Environment) }

// Reads returns the facts of the driver and the host.
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

// built returns the CUDA that torch was built for, "" for a CPU build.
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
			return minor(v)
		}
	}
	return ""
}

// Diff compares the locked packages with the machine. The summary always contains both.
func (s *Spec) Diff(v facts.View) resources.Change {
	c := comparison{
		spec: s, torch: s.version("torch"), built: s.built(),
		n: facts.Get[facts.Nvidia](v, facts.NvidiaKey), host: facts.Get[facts.Host](v, facts.HostKey),
	}
	problems := slices.Concat(c.cuda(), c.bitsandbytes(), c.models())
	if c.n.State == facts.DriverOK && c.built != "" {
		c.units = nvidia.VisibleUnits(c.n).Units
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
	units        []nvidia.Unit
}

// summary returns, for example, "torch 2.1.2 for CUDA 12.1, driver 550.54.15 with CUDA 12.4,
// compute capability 9.0, bitsandbytes 0.43.3".
func (c *comparison) summary() string {
	if c.built == "" {
		return fmt.Sprintf("torch %s for the CPU", c.torch)
	}
	parts := []string{fmt.Sprintf("torch %s for CUDA %s", c.torch, c.built)}
	if c.n.State == facts.DriverOK {
		parts = append(parts, c.driver()+" with CUDA "+cmp.Or(c.n.CUDA, "unknown"))
	} else {
		parts = append(parts, "no working driver")
	}
	var capabilities []string
	for _, u := range c.units {
		if u.Compute != "" && !slices.Contains(capabilities, u.Compute) {
			capabilities = append(capabilities, u.Compute)
		}
	}
	if len(capabilities) > 0 {
		text := "compute capability " + strings.Join(capabilities, " and ")
		if _, ok := kernelsOf(c.torch, c.built); !ok {
			text += " (unknown whether torch has kernels for it)"
		}
		parts = append(parts, text)
	}
	if b := c.spec.version("bitsandbytes"); b != "" {
		text := "bitsandbytes " + b
		if _, ok := libraries(b); !ok {
			text += " (its libraries are unknown)"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (c *comparison) driver() string {
	return "driver " + cmp.Or(c.n.Driver, c.n.Kernel, "of unknown version")
}
