package generation

import (
	"fmt"
	"io"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// SmokeTest is what a generation must show before it becomes visible. A kind embeds it
// in its Spec.
type SmokeTest struct {
	Imports []string `json:"imports"` // modules that must import
	// What is proved on a GPU as well, where the machine has one.
	TestCUDA bool             `json:"prove_cuda,omitempty"`
	QLoRA    *resources.QLoRA `json:"qlora,omitempty"`
}

func (p SmokeTest) onGPU() bool { return p.TestCUDA || p.QLoRA != nil }

// SmokeTestReads are the facts that decide how it is proved.
func (p SmokeTest) SmokeTestReads() []facts.Key {
	if p.onGPU() {
		return []facts.Key{facts.NvidiaKey}
	}
	return nil
}

// step is the proof of a generation, on the GPU that the driver shows; false where
// nothing is to be proved.
func (p SmokeTest) step(v facts.View, generation string) (resources.SmokeTest, bool) {
	s := resources.SmokeTest{Generation: generation, Imports: p.Imports, CUDA: p.TestCUDA, QLoRA: p.QLoRA}
	if p.onGPU() {
		driver := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
		s.GPU, s.Driver = driver.State == facts.DriverOK && len(driver.Devices) > 0, driver.CUDA
	}
	return s, len(p.Imports) > 0 || p.onGPU()
}

// WriteDigest writes what decides whether a generation was proved so.
func (p SmokeTest) WriteDigest(w io.Writer) {
	for _, module := range slices.Sorted(slices.Values(p.Imports)) {
		fmt.Fprintf(w, "import %q\n", module)
	}
	if p.TestCUDA {
		fmt.Fprint(w, "prove cuda\n")
	}
	if q := p.QLoRA; q != nil {
		fmt.Fprintf(w, "prove qlora %q %t %q\n", q.QuantType, q.DoubleQuant, q.ComputeDtype)
	}
}
