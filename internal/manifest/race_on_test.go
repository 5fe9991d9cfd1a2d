//go:build race

package manifest

// racing is true with the race detector. Slow tests without concurrency are skipped
// with it.
const racing = true
