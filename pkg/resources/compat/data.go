package compat

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/nvidia"
)

// data is what is known of wheels beyond what their metadata says. Each entry of
// compat.json names where it is from. What is not there is not known, and nothing is
// said of it.
type data struct {
	Builds []struct {
		Torch string   `json:"torch"` // line: "2.1"
		CUDA  []string `json:"cuda"`  // that there are builds for, oldest first
	} `json:"builds"`
	Kernels []kernels `json:"kernels"`
	First   []struct {
		Compute string `json:"compute"` // from this compute capability on
		Torch   string `json:"torch"`   // the first line with kernels for it
		CUDA    string `json:"cuda"`    // and the CUDA of that build
	} `json:"first"`
	Bitsandbytes []struct {
		Version string   `json:"version"`
		CUDA    []string `json:"cuda"` // that its wheel has libraries for
	} `json:"bitsandbytes"`
	Models []modelNeed `json:"models"`
}

// kernels are the compute capabilities that a build of torch is compiled for.
type kernels struct {
	Torch   string   `json:"torch"` // line: "2.1"
	CUDA    string   `json:"cuda"`
	Compute []string `json:"compute"`
	PTX     bool     `json:"ptx,omitempty"` // the last one can be compiled further, for any newer GPU
}

// modelNeed is what loading a model needs.
type modelNeed struct {
	Repos     []string `json:"repos"` // how their names begin
	Package   string   `json:"package"`
	Minimum   string   `json:"minimum"`
	Otherwise string   `json:"otherwise"` // what happens with an older one
}

//go:embed compat.json
var compatJSON []byte

var known = sync.OnceValue(func() data {
	var doc struct {
		Format int `json:"format"`
		data
	}
	if err := json.Unmarshal(compatJSON, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("compat.json, which is part of this program: format %d: %v", doc.Format, err))
	}
	return doc.data
})

// line is the first two numbers of a version: "2.1" of "2.1.2+cu121".
func line(version string) string {
	parts := strings.SplitN(public(version), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// public is a version without what stands behind the plus.
func public(version string) string {
	version, _, _ = strings.Cut(version, "+")
	return version
}

// release is the numbers that a version begins with: "4.43.0" of "4.43.0rc1". A
// release candidate has what its release has.
func release(version string) string {
	if end := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		version = version[:end]
	}
	parts := strings.Split(strings.Trim(version, "."), ".")
	return strings.Join(parts[:min(3, len(parts))], ".")
}

// nearest returns the newest CUDA that there is a build of this torch for and that
// runs on a driver which offers one, "" if there is none or it is not known.
func nearest(torch, offered string) string {
	for _, b := range known().Builds {
		if b.Torch != line(torch) {
			continue
		}
		for _, cuda := range slices.Backward(b.CUDA) {
			if runs, _ := nvidia.Runs(offered, cuda); runs {
				return cuda
			}
		}
	}
	return ""
}

// kernelsOf returns what a torch is compiled for, false if that is not known.
func kernelsOf(torch, cuda string) (kernels, bool) {
	for _, k := range known().Kernels {
		if k.Torch == line(torch) && k.CUDA == cuda {
			return k, true
		}
	}
	return kernels{}, false
}

// runOn reports whether a GPU runs some of the kernels. A kernel runs on what has the
// same major version and no smaller minor one; PTX runs on all that is newer.
func (k kernels) runOn(compute string) bool {
	major, _, _ := strings.Cut(compute, ".")
	for i, c := range k.Compute {
		order, ok := nvidia.Compare(c, compute)
		m, _, _ := strings.Cut(c, ".")
		if ok && order <= 0 && (m == major || k.PTX && i == len(k.Compute)-1) {
			return true
		}
	}
	return false
}

// libraries returns the CUDA versions that a wheel of bitsandbytes has libraries for,
// false if that is not known.
func libraries(version string) ([]string, bool) {
	for _, b := range known().Bitsandbytes {
		if b.Version == version {
			return b.CUDA, true
		}
	}
	return nil, false
}

// withLibrary returns a bitsandbytes that has a library for a CUDA, the newest that is
// known; "" if none is.
func withLibrary(cuda string) string {
	for _, b := range slices.Backward(known().Bitsandbytes) {
		if slices.Contains(b.CUDA, cuda) {
			return b.Version
		}
	}
	return ""
}

// needs returns what loading a model needs.
func needs(repo string) (list []modelNeed) {
	for _, n := range known().Models {
		if slices.ContainsFunc(n.Repos, func(prefix string) bool { return strings.HasPrefix(repo, prefix) }) {
			list = append(list, n)
		}
	}
	return list
}
