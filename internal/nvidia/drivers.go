package nvidia

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
)

// A minimum is the oldest driver for a CUDA, on Linux.
type minimum struct {
	CUDA   string `json:"cuda"`
	Driver string `json:"driver"`
}

type drivers struct {
	Toolkits []minimum `json:"toolkits"` // the driver that offers a CUDA in full
	Lines    []minimum `json:"lines"`    // the driver that runs what was built for a CUDA of this major version, with limits
}

//go:embed drivers.json
var driversJSON []byte

var known = sync.OnceValue(func() drivers {
	var doc struct {
		Format int    `json:"format"`
		Source string `json:"source"`
		drivers
	}
	if err := json.Unmarshal(driversJSON, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("drivers.json, which is part of this program: format %d: %v", doc.Format, err))
	}
	return doc.drivers
})

// Driver returns the oldest driver that offers a CUDA such as "12.1", "" if that
// is not known. It is for hints: what a driver offers, the driver says itself.
func Driver(cuda string) string { return find(known().Toolkits, cuda) }

// MajorDriver returns the oldest driver that runs programs built for any CUDA with
// the major version of this one, "" if that is not known.
func MajorDriver(cuda string) string {
	major, _, _ := strings.Cut(cuda, ".")
	return find(known().Lines, major)
}

func find(list []minimum, cuda string) string {
	for _, m := range list {
		if m.CUDA == cuda {
			return m.Driver
		}
	}
	return ""
}

// Compare compares versions of drivers, of CUDA, or of compute capabilities; false
// if one of them is none.
func Compare(a, b string) (int, bool) {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	if errA != nil || errB != nil {
		return 0, false
	}
	return va.Compare(vb), true
}

// Runs reports whether a driver that offers one CUDA runs what was built for
// another: newer drivers run what is older, and within a major version what is
// newer runs with limits. full says that there are none.
func Runs(offered, built string) (runs, full bool) {
	order, ok := Compare(offered, built)
	if !ok {
		return false, false
	}
	a, _, _ := strings.Cut(offered, ".")
	b, _, _ := strings.Cut(built, ".")
	return order >= 0 || a == b, order >= 0
}
