package catalog

import (
	_ "embed"
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
