package generation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// SmokeTest is the test of a generation before it becomes active. A kind embeds it in its
// Spec.
type SmokeTest struct {
	Imports []string `json:"imports"` // modules that must import
	// TestCUDA and QLoRA are tested if the machine has a GPU.
	TestCUDA bool             `json:"prove_cuda,omitempty"`
	QLoRA    *resources.QLoRA `json:"qlora,omitempty"`
	TestMPS  bool             `json:"prove_mps,omitempty"` // tested on a Mac with Apple silicon
}

func (p SmokeTest) onGPU() bool { return p.TestCUDA || p.QLoRA != nil }

// step returns the smoke test of a generation, on the GPU that the driver reports; false
// if there is nothing to test.
func (p SmokeTest) step(v facts.View, generation string) (resources.SmokeTest, bool) {
	s := resources.SmokeTest{Generation: generation, Imports: p.Imports, CUDA: p.TestCUDA, QLoRA: p.QLoRA, MPS: p.TestMPS}
	if p.onGPU() {
		driver := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
		s.GPU, s.Driver = driver.State == facts.DriverOK && len(driver.Devices) > 0, driver.CUDA
	}
	s.Apple = p.TestMPS && facts.Get[facts.Host](v, facts.HostKey).HasAppleGPU()
	return s, p.Needed()
}

// Needed reports whether there is anything to test.
func (p SmokeTest) Needed() bool { return len(p.Imports) > 0 || p.onGPU() || p.TestMPS }

// digest returns the lines of the smoke test in the digest of a generation.
func (p SmokeTest) digest() string {
	var b strings.Builder
	for _, module := range slices.Sorted(slices.Values(p.Imports)) {
		fmt.Fprintf(&b, "import %q\n", module)
	}
	if p.TestCUDA {
		b.WriteString("prove cuda\n")
	}
	if p.TestMPS {
		b.WriteString("prove mps\n")
	}
	if q := p.QLoRA; q != nil {
		fmt.Fprintf(&b, "prove qlora %q %t %q\n", q.QuantType, q.DoubleQuant, q.ComputeDtype)
	}
	return b.String()
}
