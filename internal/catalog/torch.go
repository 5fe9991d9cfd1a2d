package catalog

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A TorchBuild is the wheels of one release of torch for one platform on the public index.
type TorchBuild struct {
	Torch    string   `json:"torch"`            // "2.10.0"
	Platform string   `json:"platform"`         // "linux-x86_64", as in locks
	Python   []string `json:"python"`           // minor versions with a wheel, ascending
	System   string   `json:"system,omitempty"` // the oldest glibc or macOS of the wheels
	CUDA     string   `json:"cuda,omitempty"`   // that it is built for, "" for the CPU
	Kernels
	Source string `json:"source"` // the wheel that was read
}

//go:embed torch.json
var torchJSON []byte

var torchBuilds = sync.OnceValue(func() []TorchBuild {
	return decode[struct{ Builds []TorchBuild }]("torch.json", torchJSON).Builds
})

// TorchBuilds returns the builds of torch on the public index, by platform and ascending
// version. The caller must not change them.
func TorchBuilds() []TorchBuild { return torchBuilds() }

// A TorchMachine is what decides which builds of torch use its GPUs.
type TorchMachine struct {
	Platform string
	Python   string   // minor version, "" for any
	System   string   // version of glibc, "" if unknown
	CUDA     string   // newest version that the driver supports, "" for any
	Compute  []string // compute capabilities of the GPUs
	Full     bool     // only builds that the driver supports without limits
}

// runs reports whether a machine has the driver and the GPUs for a build.
func (m TorchMachine) runs(cuda string, k Kernels) bool {
	driver, full := Runs(m.CUDA, cuda)
	return cuda != "" && (m.CUDA == "" || driver && (full || !m.Full)) && k.runOnAll(m.Compute, cuda)
}

// NewestTorch returns the newest build on the public index that uses the GPUs of a machine.
func NewestTorch(m TorchMachine) (TorchBuild, bool) {
	for _, b := range slices.Backward(TorchBuilds()) {
		older, ok := Compare(m.System, b.System)
		if b.Platform == m.Platform && m.runs(b.CUDA, b.Kernels) && (m.Python == "" || slices.Contains(b.Python, m.Python)) && (!ok || older >= 0) {
			return b, true
		}
	}
	return TorchBuild{}, false
}

// NewestPyTorch returns the newest build in PyTorch's own index that uses the GPUs of a machine,
// with the newest CUDA that its driver supports.
func NewestPyTorch(m TorchMachine) (PyTorchBuild, bool) {
	for _, b := range slices.Backward(PyTorchBuilds()) {
		if b.Platform == m.Platform && m.runs(b.CUDA, b.Kernels) && (m.Python == "" || hasPython(b.Torch, m.Python)) {
			return b, true
		}
	}
	return PyTorchBuild{}, false
}

// hasPython reports whether a minor version of torch has wheels for a Python. Those of PyTorch's
// own index are built for the Pythons of the public one.
func hasPython(torch, python string) bool {
	return slices.ContainsFunc(TorchBuilds(), func(b TorchBuild) bool {
		return strings.HasPrefix(b.Torch, torch+".") && slices.Contains(b.Python, python)
	})
}

// TorchKernels returns the kernels of a torch for a CUDA version on a platform. version has a
// local part, such as +cu126, if the wheel is not from the public index. If this release is not
// in the tables, it returns false and the nearest one that is: the newest of those before it,
// else the oldest, and "" if there is none.
func TorchKernels(version, cuda, platform string) (k Kernels, nearest string, ok bool) {
	public, local, isLocal := strings.Cut(version, "+")
	consider := func(torch string, found Kernels) {
		order, valid := Compare(torch, public)
		if valid && (order <= 0 || nearest == "") {
			k, nearest, ok = found, torch, order == 0
		}
	}
	if !isLocal {
		for _, b := range TorchBuilds() {
			if b.Platform == platform && b.CUDA == cuda {
				consider(b.Torch, b.Kernels)
			}
		}
		return k, nearest, ok
	}
	public = pep.MajorMinor(public)
	for _, b := range PyTorchBuilds() {
		if b.Platform == platform && b.CUDA == cuda && BuildName(cuda) == local {
			consider(b.Torch, b.Kernels)
		}
	}
	return k, nearest, ok
}
