//go:build race

package cli

// raceEnabled reports whether the started processes have the race detector, which makes them
// several times slower: tests try fewer values.
const raceEnabled = true
