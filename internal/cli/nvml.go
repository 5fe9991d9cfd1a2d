package cli

import (
	"os"

	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// nvmlHelper returns the program that probes may start to ask NVIDIA's library: this
// one, as main begins with it. "" means that this build cannot, and nvidia-smi is
// asked.
func nvmlHelper() string {
	if !probes.HasNVML {
		return ""
	}
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	return exe
}
