package catalog

import (
	"cmp"
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// A BitsandbytesBuild is the wheel of one release of bitsandbytes for one platform.
type BitsandbytesBuild struct {
	Version  string   `json:"version"`
	Platform string   `json:"platform"`          // "linux-x86_64", as in locks
	System   string   `json:"system,omitempty"`  // the oldest glibc of the wheel
	CUDA     []string `json:"cuda"`              // versions of its CUDA libraries, ascending
	Nearest  bool     `json:"nearest,omitempty"` // without the exact library, it loads another one of the same CUDA major version
	Source   string   `json:"source"`
}

//go:embed bitsandbytes.json
var bitsandbytesJSON []byte

var bitsandbytesBuilds = sync.OnceValue(func() []BitsandbytesBuild {
	return decode[struct{ Builds []BitsandbytesBuild }]("bitsandbytes.json", bitsandbytesJSON).Builds
})

// BitsandbytesBuilds returns the wheels of bitsandbytes, by platform and ascending version. The
// caller must not change them.
func BitsandbytesBuilds() []BitsandbytesBuild { return bitsandbytesBuilds() }

// Library returns the CUDA version of the library that is loaded with a torch for CUDA cuda, ""
// if there is none: the exact one, or, if the release does that, the nearest older and else the
// nearest newer one of the same major version.
func (b BitsandbytesBuild) Library(cuda string) string {
	if slices.Contains(b.CUDA, cuda) {
		return cuda
	}
	older, newer := "", ""
	for _, c := range b.CUDA {
		if !b.Nearest || major(c) != major(cuda) {
			continue
		}
		if order, ok := Compare(c, cuda); ok && order < 0 {
			older = c
		} else if newer == "" {
			newer = c
		}
	}
	return cmp.Or(older, newer)
}

// LibraryFile returns the name of the library for a CUDA version:
// "libbitsandbytes_cuda121.so".
func LibraryFile(cuda string) string {
	return "libbitsandbytes_cuda" + strings.ReplaceAll(cuda, ".", "") + ".so"
}
