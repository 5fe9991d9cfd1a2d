package locking

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// torchNote returns a note about a build of torch for a platform that does not fit the environment:
// one for the CPU where GPUs are required, or one for CUDA where none is. It is "" for others.
func torchNote(e *manifest.Environment, dists []lock.Dist, platform string) string {
	matches := func(vendors ...string) bool {
		return e.Match != nil && slices.ContainsFunc(vendors, func(v string) bool { return slices.Contains(e.Match.GPU, v) })
	}
	if e.RequiresGPU() || matches("nvidia") {
		return cpuNote(e, dists, platform)
	}
	if matches("amd", "intel") {
		return "" // neither build is for them
	}
	own := slices.ContainsFunc(dists, func(d lock.Dist) bool { return d.Name == "torch" && d.Index != "" }) // the user's choice
	text := session.CUDAText(e, dists)
	if text == "" || own {
		return ""
	}
	return fmt.Sprintf("%s for %s, and requires no GPU; if its machines have one, write gpu: {count: 1}; else %s", text, platform, session.CPUText(e, dists))
}

// cpuNote is torchNote for an environment that requires GPUs.
func cpuNote(e *manifest.Environment, dists []lock.Dist, platform string) string {
	version := lock.CPUTorch(dists, platform)
	if version == "" {
		return ""
	}
	var ways []string
	public, own := lock.CUDATorch(version, platform)
	if public.Torch != "" {
		way := fmt.Sprintf("request torch %s or later, which the public index has for CUDA %s on %s", public.Torch, public.CUDA, platform)
		if driver := cmp.Or(catalog.MajorDriver(public.CUDA), catalog.Driver(public.CUDA)); driver != "" {
			way += fmt.Sprintf(" (driver %s or newer)", driver)
		}
		ways = append(ways, way)
	}
	if own != "" {
		ways = append(ways, fmt.Sprintf("for %s, %s", own, session.FromPyTorch(e, dists, own)))
	}
	text := fmt.Sprintf("torch %s for %s is a build for the CPU, and environment %s is for GPUs", version, platform, e.Name)
	if len(ways) > 0 {
		text += ": " + strings.Join(ways, "; or, ")
	}
	return text
}
