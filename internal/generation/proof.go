package generation

import (
	"fmt"
	"io"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Proof is what a generation must show before it becomes visible. A kind embeds it
// in its Spec.
type Proof struct {
	Imports []string `json:"imports"` // modules that must import
	// What is proved on a GPU as well, where the machine has one.
	ProveCUDA bool             `json:"prove_cuda,omitempty"`
	QLoRA     *resources.QLoRA `json:"qlora,omitempty"`
}

func (p Proof) onGPU() bool { return p.ProveCUDA || p.QLoRA != nil }

// ProofReads are the facts that decide how it is proved.
func (p Proof) ProofReads() []facts.Key {
	if p.onGPU() {
		return []facts.Key{facts.NvidiaKey}
	}
	return nil
}

// step is the proof of a generation, on the GPU that the driver shows; false where
// nothing is to be proved.
func (p Proof) step(v facts.View, generation string) (resources.Prove, bool) {
	s := resources.Prove{Generation: generation, Imports: p.Imports, CUDA: p.ProveCUDA, QLoRA: p.QLoRA}
	if p.onGPU() {
		driver := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
		s.GPU, s.Driver = driver.State == facts.DriverOK && len(driver.Devices) > 0, driver.CUDA
	}
	return s, len(p.Imports) > 0 || p.onGPU()
}

// WriteDigest writes what decides whether a generation was proved so.
func (p Proof) WriteDigest(w io.Writer) {
	for _, module := range slices.Sorted(slices.Values(p.Imports)) {
		fmt.Fprintf(w, "import %q\n", module)
	}
	if p.ProveCUDA {
		fmt.Fprint(w, "prove cuda\n")
	}
	if q := p.QLoRA; q != nil {
		fmt.Fprintf(w, "prove qlora %q %t %q\n", q.QuantType, q.DoubleQuant, q.ComputeDtype)
	}
}
