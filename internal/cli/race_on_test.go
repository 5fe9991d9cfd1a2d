//go:build race

package cli

// raceEnabled tells that the race detector runs in every process that is started,
// which then takes several times as long: sweeps are coarser.
const raceEnabled = true
