package catalog

import (
	_ "embed"
	"sync"
)

// A TorchBuild is the wheels of one release of torch for one platform on the public index.
type TorchBuild struct {
	Torch    string   `json:"torch"`             // "2.10.0"
	Platform string   `json:"platform"`          // "linux-x86_64", as in locks
	Python   []string `json:"python"`            // minor versions with a wheel, ascending
	System   string   `json:"system,omitempty"`  // the oldest glibc or macOS of the wheels
	CUDA     string   `json:"cuda,omitempty"`    // that it is built for, "" for the CPU
	Compute  []string `json:"compute,omitempty"` // compute capabilities of its kernels, ascending
	PTX      bool     `json:"ptx,omitempty"`     // the last of them can be compiled for any newer GPU
	Source   string   `json:"source"`            // the wheel that was read
}

//go:embed torch.json
var torchJSON []byte

var torchBuilds = sync.OnceValue(func() []TorchBuild {
	return decode[struct{ Builds []TorchBuild }]("torch.json", torchJSON).Builds
})

// TorchBuilds returns the builds of torch on the public index, by platform and ascending
// version. The caller must not change them.
func TorchBuilds() []TorchBuild { return torchBuilds() }
