package catalog

import (
	_ "embed"
	"sync"
)

// A GPU is a model of another vendor than NVIDIA, whose driver reports the name itself.
type GPU struct {
	Name       string // "AMD Instinct MI300X"
	Integrated bool   // part of a processor, with the memory of the machine
}

//go:embed gpus.json
var gpusJSON []byte

var knownGPUs = sync.OnceValue(func() map[string]GPU {
	doc := decode[struct {
		GPUs []struct {
			Vendor, Device string
			GPU
		}
	}]("gpus.json", gpusJSON)
	byID := make(map[string]GPU, len(doc.GPUs))
	for _, g := range doc.GPUs {
		byID[g.Vendor+" "+g.Device] = g.GPU
	}
	return byID
})

// FindGPU returns the GPU with a PCI device ID of four hexadecimal digits, of the vendor "amd"
// or "intel", or false if it is not known.
func FindGPU(vendor, device string) (GPU, bool) {
	g, ok := knownGPUs()[vendor+" "+device]
	return g, ok
}
