package report

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// TestGPUText checks that equal GPUs are counted, and that each vendor is named.
func TestGPUText(t *testing.T) {
	mi300x := facts.OtherGPU{Vendor: "amd", Name: "AMD Instinct MI300X", Bus: "0000:05:00.0", Driver: "amdgpu 6.10.5", Target: "gfx942", Memory: 192e9}
	second := mi300x
	second.Bus = "0000:26:00.0"
	board := facts.OtherGPU{Vendor: "intel", Name: "Intel GPU 8086:a780", Driver: "i915", Integrated: true}
	for want, g := range map[string]facts.GPU{
		"none":                     {Vendor: "none"},
		"amd":                      {Vendor: "amd"},
		"nvidia, driver 550.54.15": {Vendor: "nvidia", Driver: "550.54.15"},
		"nvidia; Intel GPU 8086:a780, driver i915, part of the processor":           {Vendor: "nvidia", Others: []facts.OtherGPU{board}},
		"2 x AMD Instinct MI300X, driver amdgpu 6.10.5, gfx942, 192 GB; ROCm 6.4.1": {Vendor: "amd", Others: []facts.OtherGPU{mi300x, second}, ROCm: "6.4.1"},
		"Apple M4, 16 GB shared with the processor":                                 {Vendor: "apple", Others: []facts.OtherGPU{{Vendor: "apple", Name: "Apple M4", Memory: 16e9, Integrated: true}}},
	} {
		if got := FactText(g); got != want {
			t.Errorf("%+v: %q, want %q", g, got, want)
		}
	}
}

// TestFactText checks that every kind of fact is described in words. FactText prints others
// as JSON.
func TestFactText(t *testing.T) {
	for _, fact := range facts.Zero() {
		if _, ok := fact.(facts.Toolkit); ok {
			continue // only doctor prints it
		}
		if text := FactText(fact); strings.HasPrefix(text, "{") {
			t.Errorf("%T is described as %s", fact, text)
		}
	}
}
