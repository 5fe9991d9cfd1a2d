//go:build race

package manifest

// Racing is true with the race detector. Slow tests without concurrency are skipped
// with it.
const Racing = true
