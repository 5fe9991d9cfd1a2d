package lock

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// buildsWithTorch are packages whose build imports torch without declaring it, by their setup.py.
// https://docs.astral.sh/uv/concepts/projects/config/#build-isolation
var buildsWithTorch = []string{
	"apex", "auto-gptq", "autoawq-kernels", "causal-conv1d", "cut-cross-entropy", "deepspeed", "detectron2", "exllamav2", "flash-attn", "fused-ssim", "grouped-gemm", "gsplat",
	"mamba-ssm", "mmcv", "natten", "nerfacc", "pytorch3d", "quant-cuda", "ring-flash-attn", "sageattention", "spas-sage-attn", "tinycudann", "torch-cluster", "torch-scatter",
	"torch-sparse", "torch-spline-conv", "torchsparse", "transformer-engine", "transformer-engine-torch", "unfoldnd", "vllm", "warpctc-pytorch", "xformers",
}

// fits reports whether a package was locked by the rule.
func (b BuildRule) fits(p Package) bool {
	with := b.With
	if with == nil {
		with = DefaultWith(p.Name)
	}
	return slices.Equal(with, p.Build.With)
}

// DefaultWith returns the packages of the environment that the build of a package imports without
// declaring them, by its normalised name; none for most.
func DefaultWith(name string) []string {
	if slices.Contains(buildsWithTorch, name) {
		return []string{"torch"}
	}
	return nil
}

// IsEditable reports whether the modules of a dist remain in a directory of the project.
func (d Dist) IsEditable() bool { return d.Build != nil && d.Build.Directory != "" }

// Key returns the name of the result of a build in a store: a digest of its source, its
// requirements, the packages of With in the closure, the Python minor version and the platform.
// more are texts that determine it besides. d has a Build.
func (d Dist) Key(python, platform string, closure []Dist, more ...string) facts.SHA256 {
	var b strings.Builder
	fmt.Fprintf(&b, "build 1\n%q %q %q %q\n%s", d.Name, d.Version, python, platform, d.Build.Identity())
	for _, w := range closure {
		if slices.Contains(d.Build.With, w.Name) {
			fmt.Fprintf(&b, "with %s\n", w.Entry())
		}
	}
	for _, text := range more {
		fmt.Fprintf(&b, "%q\n", text)
	}
	return sha256.Sum256([]byte(b.String()))
}

// checkWith returns the problems of packages that are built with packages which are not locked.
func (l *Lock) checkWith() error {
	var problems diag.List
	for _, p := range l.Packages {
		if p.Build == nil {
			continue
		}
		for _, name := range p.Build.With {
			if slices.ContainsFunc(l.Packages, func(q Package) bool { return q.Name == name && q.Name != p.Name }) {
				continue
			}
			problems.Add(&diag.Problem{
				Code: "lock.source", Pos: diag.Pos{File: l.Path}, Summary: fmt.Sprintf("the build of %s imports %s, which is not among the locked packages", p.Name, name),
				Hint: fmt.Sprintf("add %s to `packages` of the environment; a build cannot use a package that conda installs. If the build does not need it: build: [{name: %s, with: []}]", name, p.Name),
			})
		}
	}
	return problems.Err()
}

// withDependencies adds the locked dependencies of the packages in With to it, since an import
// needs them too. If the lock does not have dependencies, it adds all packages that have wheels.
func withDependencies(dists []Dist, packages []Package) {
	dependencies, known := map[string][]string{}, false
	for _, p := range packages {
		dependencies[p.Name] = append(dependencies[p.Name], p.Dependencies...)
		known = known || len(p.Dependencies) > 0
	}
	for i := range dists {
		d := &dists[i]
		if d.Build == nil || len(d.Build.With) == 0 {
			continue
		}
		all := map[string]bool{}
		for _, other := range dists {
			all[other.Name] = !known && other.Build == nil
		}
		for queue := slices.Clone(d.Build.With); len(queue) > 0; queue = queue[1:] {
			if name := queue[0]; !all[name] {
				all[name] = true
				queue = append(queue, dependencies[name]...)
			}
		}
		with := []string{}
		for _, other := range dists {
			if all[other.Name] && other.Name != d.Name {
				with = append(with, other.Name)
			}
		}
		d.Build.With = with
	}
}
