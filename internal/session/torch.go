package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// CUDAText returns the size of the CUDA libraries of torch among the packages of an environment,
// "" if it has none.
func CUDAText(e *manifest.Environment, dists []lock.Dist) string {
	var download, disk int64
	torch := false
	for i := range dists {
		torch = torch || dists[i].Name == "torch"
		if lock.IsCUDALibrary(dists[i].Name) {
			download, disk = download+dists[i].Download(), disk+dists[i].Disk()
		}
	}
	if !torch || disk == 0 {
		return ""
	}
	return fmt.Sprintf("environment %s has the CUDA libraries of torch (downloads %s, takes %s)", e.Name, bytesize.Format(download), bytesize.Format(disk))
}

// CPUText returns how an environment gets a smaller build of torch, for CPUs.
func CPUText(e *manifest.Environment, dists []lock.Dist) string {
	return "the build for CPUs is smaller: " + FromPyTorch(e, dists, "cpu")
}

// FromPyTorch returns the changes of a manifest by which an environment gets the locked torch, and
// what is released with it, as another build from PyTorch's own index.
func FromPyTorch(e *manifest.Environment, dists []lock.Dist, build string) string {
	sources := e.Sources()
	index := lock.PyTorchIndex{Build: build}
	for _, x := range sources.Indexes {
		index.Declared = append(index.Declared, lock.Index{Name: x.Name, URL: x.URL})
	}
	var items []lock.PyTorchItem
	for _, d := range dists {
		if d.Name != "torch" && d.Name != "torchaudio" && d.Name != "torchvision" {
			continue
		}
		public, _, _ := strings.Cut(d.Version, "+")
		item := lock.PyTorchItem{Name: d.Name, Specifier: "==" + public}
		if i := slices.IndexFunc(sources.Packages, func(r lock.Requirement) bool { return pep.Normalize(r.Name) == d.Name }); i >= 0 && sources.Packages[i].Pin() == "" {
			item.Specifier = sources.Packages[i].Specifier
		}
		items = append(items, item)
	}
	return index.Sentence(items...)
}
