package catalog

import (
	"slices"
	"strings"
	"testing"
)

// TestPyTorchBuilds checks the table: it is in order, each build is there once, its CUDA
// has a driver, and its compute capabilities ascend.
func TestPyTorchBuilds(t *testing.T) {
	builds := PyTorchBuilds()
	for i, b := range builds {
		if Driver(b.CUDA) == "" || MajorDriver(b.CUDA) == "" {
			t.Errorf("torch %s is built for CUDA %s, whose driver is not in drivers.json", b.Torch, b.CUDA)
		}
		if b.Platform != "linux-x86_64" && b.Platform != "linux-aarch64" {
			t.Errorf("torch %s for CUDA %s has platform %q", b.Torch, b.CUDA, b.Platform)
		}
		for j := range b.Compute {
			if j == 0 {
				continue
			}
			if order, ok := Compare(b.Compute[j-1], b.Compute[j]); !ok || order >= 0 {
				t.Errorf("torch %s for CUDA %s on %s: kernels do not ascend: %v", b.Torch, b.CUDA, b.Platform, b.Compute)
			}
		}
		if len(b.Compute) == 0 {
			t.Errorf("torch %s for CUDA %s on %s has no kernels", b.Torch, b.CUDA, b.Platform)
		}
		if i == 0 {
			continue
		}
		previous := builds[i-1]
		torch, ok := Compare(previous.Torch, b.Torch)
		cuda, ok2 := Compare(previous.CUDA, b.CUDA)
		if !ok || !ok2 || torch > 0 || torch == 0 && cuda > 0 || torch == 0 && cuda == 0 && previous.Platform <= b.Platform {
			t.Errorf("torch %s for CUDA %s on %s is not before torch %s for CUDA %s on %s",
				previous.Torch, previous.CUDA, previous.Platform, b.Torch, b.CUDA, b.Platform)
		}
	}
}

// TestPyTorchBuildsAgree compares the table with the wheels on the public index: each
// release of torch for CUDA there is one of the builds in PyTorch's own index.
func TestPyTorchBuildsAgree(t *testing.T) {
	for _, wheel := range TorchBuilds() {
		if wheel.CUDA == "" {
			continue
		}
		i := slices.IndexFunc(PyTorchBuilds(), func(b PyTorchBuild) bool {
			return strings.HasPrefix(wheel.Torch, b.Torch+".") && b.CUDA == wheel.CUDA && b.Platform == wheel.Platform
		})
		if i < 0 {
			t.Errorf("torch %s for CUDA %s on %s is not in pytorch.json", wheel.Torch, wheel.CUDA, wheel.Platform)
			continue
		}
		if b := PyTorchBuilds()[i]; !slices.Equal(b.Compute, wheel.Compute) || b.PTX != wheel.PTX {
			t.Errorf("torch %s for CUDA %s on %s has kernels for %v, PTX %v; pytorch.json has %v, %v",
				wheel.Torch, wheel.CUDA, wheel.Platform, wheel.Compute, wheel.PTX, b.Compute, b.PTX)
		}
	}
}

// TestBuildNames checks that the name of each build in the table leads back to its CUDA, and that
// other names have none.
func TestBuildNames(t *testing.T) {
	for _, b := range PyTorchBuilds() {
		if cuda, ok := BuildCUDA(BuildName(b.CUDA)); !ok || cuda != b.CUDA {
			t.Errorf("%s is the build for CUDA %q, want %s", BuildName(b.CUDA), cuda, b.CUDA)
		}
	}
	for _, name := range []string{"", "cpu", "cu", "cu1", "xpu", "rocm6.4", "cu121.post1", "cuda"} {
		if cuda, ok := BuildCUDA(name); ok {
			t.Errorf("%q is a build for CUDA %s", name, cuda)
		}
	}
}
