// Package lock resolves, writes and reads the lock of an environment (pylock.toml,
// PEP 751): all packages with hashes, for every platform of the manifest.
//
// A lock contains names, versions, wheel file names, sizes and SHA-256 digests. It
// contains no URLs, since each machine has its own index or mirror.
//
//  1. For environments of type conda, py-rattler solves the conda packages of each
//     platform. Resolve then resolves the pins with uv, constrained to the Python
//     packages that conda installs.
//  2. Of each package it keeps the wheel that the platform prefers (PEP 425). A package
//     without a wheel is an error.
//  3. Encode writes the merged platforms, sorted.
//  4. Decode reads a lock strictly, and For returns the packages of a platform.
package lock

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Lock holds the resolved packages of an environment.
type Lock struct {
	Path           string   // relative to the project root
	RequiresPython string   // ">=3.10,<3.11"
	Platforms      []string // "macos-arm64", "linux-x86_64"
	Requests       []string // the pins, "name==version", normalised and sorted
	Conda          *Conda   // nil for environments of type venv
	// Packages are sorted by name. A name occurs twice only if platforms need different
	// versions.
	Packages []Package
}

// A Package is a locked Python package.
type Package struct {
	Name      string // normalised
	Version   string
	Platforms []string // that need it; nil for all platforms of the lock
	Wheels    []Wheel  // by file name
}

// A Wheel is a file to install.
type Wheel struct {
	File      string       `json:"file"`               // file name
	Size      int64        `json:"size,omitempty"`     // bytes to download; 0 if unknown
	Unpacked  int64        `json:"unpacked,omitempty"` // bytes on disk; 0 if unknown
	SHA256    facts.SHA256 `json:"sha256"`
	Platforms []string     `json:"platforms,omitempty"` // that install it
}

func compareWheels(a, b Wheel) int { return strings.Compare(a.File, b.File) }

// A Dist is a Package for one platform.
type Dist struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Wheels  []Wheel `json:"wheels"` // usually one
}

// Entry returns an identifier of the name, the version and the hashes, in 16 hexadecimal
// digits. Dists with equal entries install equal files.
func (d Dist) Entry() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", d.Name, d.Version, strings.Join(d.Hashes(), "\n"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Hashes returns the SHA-256 digests of the wheels, sorted.
func (d Dist) Hashes() []string {
	hashes := make([]string, len(d.Wheels))
	for i, w := range d.Wheels {
		hashes[i] = w.SHA256.String()
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// Download returns the maximum download size in bytes, 0 if unknown.
func (d Dist) Download() int64 {
	var most int64
	for _, w := range d.Wheels {
		most = max(most, w.Size)
	}
	return most
}

// Disk returns the installed size in bytes. If it is unknown, it is estimated as four
// times the download, the maximum for wheels of compiled code.
func (d Dist) Disk() int64 {
	var most int64
	for _, w := range d.Wheels {
		most = max(most, cmp.Or(w.Unpacked, 4*w.Size))
	}
	return most
}

// For returns the packages of a platform, by name. It is an error if the lock is not for
// that platform.
func (l *Lock) For(platform string) ([]Dist, error) {
	if !slices.Contains(l.Platforms, platform) {
		return nil, fmt.Errorf("%s is locked for %s, not for %s", l.Path, strings.Join(l.Platforms, ", "), platform)
	}
	dists := make([]Dist, 0, len(l.Packages))
	for _, p := range l.Packages {
		if !p.needs(platform) {
			continue
		}
		d := Dist{Name: p.Name, Version: p.Version}
		for _, w := range p.Wheels {
			if slices.Contains(w.Platforms, platform) {
				d.Wheels = append(d.Wheels, w)
			}
		}
		dists = append(dists, d)
	}
	return dists, nil
}

func (p Package) needs(platform string) bool {
	return p.Platforms == nil || slices.Contains(p.Platforms, platform)
}

// assign sets the platforms of each wheel: a platform gets its best one. It returns the
// platforms that need the package and have no wheel.
func (p *Package) assign(all []string, rankings []ranking) (without []string) {
	for i := range p.Wheels {
		p.Wheels[i].Platforms = nil
	}
	names := wheelNames(p.Wheels)
	for i, platform := range all {
		if !p.needs(platform) {
			continue
		}
		best := rankings[i].best(p.Wheels, names)
		if best < 0 {
			without = append(without, platform)
			continue
		}
		p.Wheels[best].Platforms = append(p.Wheels[best].Platforms, platform)
	}
	return without
}
