package compat

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/catalog"
)

// data is the content of compat.json: properties of wheels that are not in their metadata,
// each with its source. Versions that are not listed are not checked.
type data struct {
	Builds []struct {
		Torch string   `json:"torch"` // major and minor version: "2.1"
		CUDA  []string `json:"cuda"`  // of its builds, oldest first
	} `json:"builds"`
	Kernels []kernels `json:"kernels"`
	First   []struct {
		Compute string `json:"compute"` // minimum
		Torch   string `json:"torch"`   // the first version with kernels for it
		CUDA    string `json:"cuda"`    // of that build
	} `json:"first"`
	Bitsandbytes []struct {
		Version string   `json:"version"`
		CUDA    []string `json:"cuda"` // of its libraries
	} `json:"bitsandbytes"`
	Models []modelNeed `json:"models"`
}

// kernels are the compute capabilities that a build of torch is compiled for.
type kernels struct {
	Torch   string   `json:"torch"` // major and minor version: "2.1"
	CUDA    string   `json:"cuda"`
	Compute []string `json:"compute"`
	PTX     bool     `json:"ptx,omitempty"` // the last one can be compiled for any newer GPU
}

// modelNeed is the package version that a model needs.
type modelNeed struct {
	Repos     []string `json:"repos"` // prefixes of their names
	Package   string   `json:"package"`
	Minimum   string   `json:"minimum"`
	Otherwise string   `json:"otherwise"` // effect of an older version
}

//go:embed compat.json
var compatJSON []byte

var known = sync.OnceValue(func() data {
	var doc struct {
		Format int `json:"format"`
		data
	}
	if err := json.Unmarshal(compatJSON, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("compat.json, embedded in this program: format %d: %v", doc.Format, err))
	}
	return doc.data
})

// minor returns the major and minor version: "2.1" for "2.1.2+cu121".
func minor(version string) string {
	parts := strings.SplitN(public(version), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// public returns a version without its local part.
func public(version string) string {
	version, _, _ = strings.Cut(version, "+")
	return version
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

// nearest returns the newest CUDA with a build of this torch that runs on a driver, "" if
// there is none or it is unknown.
func nearest(torch, driverCUDA string) string {
	for _, b := range known().Builds {
		if b.Torch != minor(torch) {
			continue
		}
		for _, cuda := range slices.Backward(b.CUDA) {
			if runs, _ := catalog.Runs(driverCUDA, cuda); runs {
				return cuda
			}
		}
	}
	return ""
}

// kernelsOf returns the kernels of a torch build, false if they are unknown.
func kernelsOf(torch, cuda string) (kernels, bool) {
	for _, k := range known().Kernels {
		if k.Torch == minor(torch) && k.CUDA == cuda {
			return k, true
		}
	}
	return kernels{}, false
}

// runOn reports whether a GPU runs one of the kernels. A kernel runs on the same major
// version with the same or a newer minor one; PTX runs on everything newer.
func (k kernels) runOn(compute string) bool {
	major, _, _ := strings.Cut(compute, ".")
	for i, c := range k.Compute {
		order, ok := catalog.Compare(c, compute)
		m, _, _ := strings.Cut(c, ".")
		if ok && order <= 0 && (m == major || k.PTX && i == len(k.Compute)-1) {
			return true
		}
	}
	return false
}

// libraries returns the CUDA versions of the libraries in a wheel of bitsandbytes, false if
// they are unknown.
func libraries(version string) ([]string, bool) {
	for _, b := range known().Bitsandbytes {
		if b.Version == version {
			return b.CUDA, true
		}
	}
	return nil, false
}

// withLibrary returns the newest bitsandbytes with a library for a CUDA, "" if unknown.
func withLibrary(cuda string) string {
	for _, b := range slices.Backward(known().Bitsandbytes) {
		if slices.Contains(b.CUDA, cuda) {
			return b.Version
		}
	}
	return ""
}

// needs returns the package versions that a model needs.
func needs(repo string) (list []modelNeed) {
	for _, n := range known().Models {
		if slices.ContainsFunc(n.Repos, func(prefix string) bool { return strings.HasPrefix(repo, prefix) }) {
			list = append(list, n)
		}
	}
	return list
}
