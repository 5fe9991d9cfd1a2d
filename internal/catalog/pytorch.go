package catalog

import (
	_ "embed"
	"strings"
	"sync"
)

// A PyTorchBuild is a release of torch for a CUDA version and a platform. It is in the
// folder of that CUDA version in PyTorch's own index, such as cu126; one build of each
// release is in the public index as well.
type PyTorchBuild struct {
	Torch    string `json:"torch"` // major and minor version: "2.9"
	CUDA     string `json:"cuda"`
	Platform string `json:"platform"` // linux-x86_64 or linux-aarch64
	Kernels
	Source string `json:"source"`
}

//go:embed pytorch.json
var pytorchJSON []byte

var pytorchBuilds = sync.OnceValue(func() []PyTorchBuild {
	return decode[struct{ Builds []PyTorchBuild }]("pytorch.json", pytorchJSON).Builds
})

// PyTorchBuilds returns the builds of torch for CUDA in PyTorch's own index whose kernels
// are known: the newest torch last, and CUDA ascending within one version of torch. The
// caller must not change them.
func PyTorchBuilds() []PyTorchBuild { return pytorchBuilds() }

// BuildName returns the name of the builds of torch for a CUDA version, such as "cu126" for "12.6". It
// is their local version, and their folder in PyTorch's own index.
func BuildName(cuda string) string { return "cu" + strings.ReplaceAll(cuda, ".", "") }

// BuildCUDA returns the CUDA version of the name of a build: "12.6" for "cu126". It returns false for
// other builds, such as "cpu".
func BuildCUDA(name string) (cuda string, ok bool) {
	digits, ok := strings.CutPrefix(name, "cu")
	if !ok || len(digits) < 2 || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	last := len(digits) - 1
	return digits[:last] + "." + digits[last:], true
}
