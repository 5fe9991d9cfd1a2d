// Package compat compares the locked packages with the machine, for example whether torch
// runs on its GPUs or silently on the CPU. It changes nothing.
//
//  1. Read from the lock which CUDA torch was built for: from its version, or from the
//     locked CUDA runtime. Without torch, the runtime of another framework is compared.
//  2. Compare that with the driver, the compute capabilities of the GPUs, and the libraries
//     of bitsandbytes.
//  3. Compare the models of the manifest with transformers and tokenizers.
//
// Properties of wheels that are not in their metadata are in package catalog, with sources. A
// release that is not there is reported as unknown.
package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "compat".
var Kind = resources.Kind{Name: "compat", New: func() resources.Spec { return &Spec{} }}

// Spec is the part of a lock that is compared.
type Spec struct {
	Environment string    `json:"environment"`
	Python      string    `json:"python,omitempty"` // minor version
	Packages    []Package `json:"packages"`         // by name; see Relevant
	Models      []string  `json:"models,omitempty"`
	// ByCommand states that `reconcile add` can change torch and bitsandbytes: the manifest alone
	// requests them, each once.
	ByCommand bool `json:"by_command,omitempty"`
	// Pins are the requested packages that torch requires in one version, which is another one for
	// another torch.
	Pins     []string      `json:"pins,omitempty"`
	Bfloat16 bool          `json:"bfloat16,omitempty"`
	Severity diag.Severity `json:"severity,omitempty"`
}

// A Package is one locked package.
type Package struct {
	Name    string `json:"name"` // normalised
	Version string `json:"version"`
}

// runtimes are the packages of the CUDA runtime.
var runtimes = []string{"nvidia-cuda-runtime", "nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12"}

// Relevant returns the compared packages of a closure, by name; nil if it has neither torch nor
// a CUDA runtime. A change of another package does not change the Spec.
func Relevant(closure []lock.Dist) []Package {
	var list []Package
	usesGPU := false
	for _, d := range closure {
		isRuntime := slices.Contains(runtimes, d.Name)
		if isRuntime || slices.Contains([]string{"torch", "bitsandbytes", "transformers", "tokenizers"}, d.Name) {
			list = append(list, Package{d.Name, d.Version})
			usesGPU = usesGPU || isRuntime || d.Name == "torch"
		}
	}
	if !usesGPU {
		return nil
	}
	slices.SortFunc(list, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// Owns returns the key of this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("compat." + s.Environment) }

// Reads returns the facts of the driver, of GPUs of other vendors, and of the host.
func (s *Spec) Reads() []facts.Key {
	return []facts.Key{facts.NvidiaKey, facts.GPUKey, facts.HostKey}
}

// version returns the locked version of a package, "" if it is not locked.
func (s *Spec) version(name string) string {
	for _, p := range s.Packages {
		if p.Name == name {
			return p.Version
		}
	}
	return ""
}

// subject returns "torch 2.1.2", or without torch the CUDA runtime of another framework, such as
// JAX: "nvidia-cuda-runtime-cu12 12.9.79".
func (s *Spec) subject() string {
	for _, name := range append([]string{"torch"}, runtimes...) {
		if v := s.version(name); v != "" {
			return name + " " + v
		}
	}
	return ""
}

// built returns the CUDA that torch was built for, "" if it was built for something else.
func (s *Spec) built() string {
	_, local, _ := strings.Cut(s.version("torch"), "+")
	if local != "" {
		cuda, _ := catalog.BuildCUDA(local) // none of +cpu, +rocm6.4
		return cuda
	}
	for _, name := range runtimes {
		if v := s.version(name); v != "" {
			return pep.MajorMinor(v)
		}
	}
	return ""
}

// target returns "CUDA 12.8", "ROCm 6.4", "the CPU": the target of this torch.
func (s *Spec) target() string {
	if cuda := s.built(); cuda != "" {
		return "CUDA " + cuda
	}
	_, local, _ := strings.Cut(s.version("torch"), "+")
	if version, ok := strings.CutPrefix(local, "rocm"); ok {
		return "ROCm " + version
	}
	if local == "xpu" {
		return "GPUs of Intel"
	}
	return "the CPU"
}

// Diff compares the locked packages with the machine. The summary always contains both.
func (s *Spec) Diff(v facts.View) resources.Change {
	c := newComparison(s, facts.Get[facts.Nvidia](v, facts.NvidiaKey), facts.Get[facts.Host](v, facts.HostKey))
	c.gpu = facts.Get[facts.GPU](v, facts.GPUKey)
	return resources.CheckResult(c.summary(), c.problems()...)
}

// A comparison is one Diff.
type comparison struct {
	spec         *Spec
	torch, built string // versions of torch and of the CUDA it was built for
	n            facts.Nvidia
	gpu          facts.GPU
	host         facts.Host
	units        []nvidia.Unit // that a program can use
}

func newComparison(s *Spec, n facts.Nvidia, host facts.Host) *comparison {
	c := &comparison{spec: s, torch: s.version("torch"), built: s.built(), n: n, host: host}
	if n.State == facts.DriverOK {
		c.units = slices.DeleteFunc(nvidia.VisibleUnits(n).Units, func(u nvidia.Unit) bool { return u.Problem != "" })
	}
	// Versions that cannot be compared are unknown: recorded facts may have any.
	if !isVersion(n.CUDA) {
		c.n.CUDA = ""
	}
	for i := range c.units {
		if !isVersion(c.units[i].Compute) {
			c.units[i].Compute = ""
		}
	}
	return c
}

// isVersion reports whether catalog.Compare compares a text.
func isVersion(text string) bool {
	_, ok := catalog.Compare(text, text)
	return ok
}

func (c *comparison) problems() []*diag.Problem {
	if c.built == "" {
		return append([]*diag.Problem{c.noCUDA()}, c.models()...)
	}
	return slices.Concat(c.cuda(), c.kernels(), c.bfloat16(), c.bitsandbytes(), c.models())
}

// compute returns the compute capabilities of the GPUs.
func (c *comparison) compute() []string { return nvidia.Compute(c.units) }

// summary returns, for example, "torch 2.1.2 for CUDA 12.1, driver 550.54.15 with CUDA 12.4,
// compute capability 9.0, bitsandbytes 0.43.3".
func (c *comparison) summary() string {
	parts := []string{fmt.Sprintf("%s for %s", c.spec.subject(), c.spec.target())}
	if c.built == "" {
		return parts[0]
	}
	if c.n.State == facts.DriverOK {
		parts = append(parts, c.driver()+" with CUDA "+cmp.Or(c.n.CUDA, "unknown"))
	} else {
		parts = append(parts, "no working driver")
	}
	if compute := c.compute(); len(compute) > 0 {
		parts = append(parts, "compute capability "+strings.Join(compute, " and "))
	}
	if b := c.spec.version("bitsandbytes"); b != "" {
		parts = append(parts, "bitsandbytes "+b)
	}
	if c.torch == "" {
		parts = append(parts, "kernels not checked: only those of torch are known")
	}
	return strings.Join(parts, ", ")
}

func (c *comparison) driver() string {
	return "driver " + cmp.Or(c.n.Driver, c.n.Kernel, "of unknown version")
}

// machine returns what a build of torch must fit.
func (c *comparison) machine() catalog.TorchMachine {
	m := catalog.TorchMachine{Platform: c.host.Platform, Python: c.spec.Python, CUDA: c.n.CUDA, Compute: c.compute()}
	if c.host.Libc.Name == "glibc" {
		m.System = c.host.Libc.Version
	}
	return m
}
