//go:build !linux || !cgo

package probes

// HasNVML reports whether this build can be a Prober's Helper. Without cgo there is
// no way to the driver's library, and nvidia-smi answers.
const HasNVML = false

// RunHelper is the helper, which this build does not have.
func RunHelper([]string) (code int, ok bool) { return 0, false }
