//go:build !linux || !cgo

package probes

// HasNVML reports whether this build can be a Prober's Helper. NVML requires cgo; without
// it nvidia-smi is used.
const HasNVML = false

// RunHelper returns false: this build has no helper.
func RunHelper([]string) (code int, ok bool) { return 0, false }
