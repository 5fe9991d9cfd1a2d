//go:build race

package manifest

// racing tells that the race detector runs: what does nothing at the same time is left
// to the run without it, which takes a tenth of the time.
const racing = true
