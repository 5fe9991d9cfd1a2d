package catalog

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
)

// A minimum is the oldest driver for a CUDA version, on Linux.
type minimum struct {
	CUDA   string `json:"cuda"`
	Driver string `json:"driver"`
}

// A support is the last driver branch for a range of compute capabilities.
type support struct {
	From   string `json:"from"`
	To     string `json:"to"`     // included
	Branch string `json:"branch"` // first number of its versions: "580"
}

type drivers struct {
	Toolkits []minimum `json:"toolkits"` // by CUDA version: drivers that fully support it
	Lines    []minimum `json:"lines"`    // by CUDA major version: drivers that run programs built for it, with limits
	GPUs     []support `json:"gpus"`     // that newer drivers do not support, by compute capability
}

//go:embed drivers.json
var driversJSON []byte

var knownDrivers = sync.OnceValue(func() drivers { return decode[drivers]("drivers.json", driversJSON) })

// Driver returns the oldest driver that fully supports a CUDA version such as "12.1", or
// "" if it is not known. It is for hints: the driver itself reports its CUDA version.
func Driver(cuda string) string { return find(knownDrivers().Toolkits, cuda) }

// MajorDriver returns the oldest driver that runs programs built for any CUDA version
// with the same major version, or "" if it is not known.
func MajorDriver(cuda string) string { return find(knownDrivers().Lines, major(cuda)) }

// LastDriver returns the last driver branch, such as "580", for GPUs of a compute
// capability: newer drivers ignore them. It returns "" for GPUs that the newest drivers
// support, as far as known.
func LastDriver(compute string) string {
	for _, s := range knownDrivers().GPUs {
		from, ok := Compare(compute, s.From)
		to, ok2 := Compare(compute, s.To)
		if ok && ok2 && from >= 0 && to <= 0 {
			return s.Branch
		}
	}
	return ""
}

// Drives reports whether a driver version such as "590.44.01" still supports GPUs of a
// compute capability, as far as known.
func Drives(driver, compute string) bool {
	last := LastDriver(compute)
	order, ok := Compare(major(driver), last)
	return last == "" || !ok || order <= 0
}

func find(list []minimum, cuda string) string {
	if i := slices.IndexFunc(list, func(m minimum) bool { return m.CUDA == cuda }); i >= 0 {
		return list[i].Driver
	}
	return ""
}

func major(cuda string) string {
	before, _, _ := strings.Cut(cuda, ".")
	return before
}

// Compare compares two versions of drivers, CUDA or compute capabilities. It returns
// false if one of them is not a version.
func Compare(a, b string) (int, bool) {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	if errA != nil || errB != nil {
		return 0, false
	}
	return va.Compare(vb), true
}

// Runs reports whether a driver that supports CUDA offered runs programs built for CUDA
// built: those for older versions, and with limits those for newer ones of the same major
// version. full reports whether there are no limits.
func Runs(offered, built string) (runs, full bool) {
	order, ok := Compare(offered, built)
	full = ok && order >= 0
	return full || ok && major(offered) == major(built), full
}
