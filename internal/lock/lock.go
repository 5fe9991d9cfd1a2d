// Package lock reads and writes the full, hashed closure of an environment
// (pylock.toml, PEP 751), for every platform that its manifest lists.
//
// A lock holds names, versions, wheel file names, sizes and SHA-256 digests. It
// holds no address of an index: where wheels come from is a fact of a machine,
// and mirrors differ.
//
//  1. Of environments of type conda, py-rattler solves what conda installs, once a
//     platform. Resolve asks uv for the closure of the pins, held to what conda
//     brings already.
//  2. Of each distribution it keeps the one wheel that the platform would take
//     (PEP 425); one that would have to be built is an error.
//  3. The platforms are merged, and Encode writes them, sorted.
//  4. Decode reads that back, strictly; For answers what a platform installs.
package lock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Lock is the closure of one environment.
type Lock struct {
	Path           string   // relative to the project root
	RequiresPython string   // ">=3.10,<3.11"
	Platforms      []string // "macos-arm64", "linux-x86_64"
	// Requests are the pins that were locked, "name==version", sorted and
	// normalised; a manifest with others makes the lock stale.
	Requests []string
	Conda    *Conda // what conda installs before them; nil for environments of type venv
	// Packages are sorted by normalised name. A name comes twice only where two
	// platforms need different versions.
	Packages []Package
}

// A Package is one distribution of the closure.
type Package struct {
	Name      string // normalised
	Version   string
	Platforms []string // those of the lock that need it; nil for all
	Wheels    []Wheel  // by file name
}

// A Wheel is one file that may be installed.
type Wheel struct {
	File      string       `json:"file"`               // file name
	Size      int64        `json:"size,omitempty"`     // bytes to download; 0 if not known
	Unpacked  int64        `json:"unpacked,omitempty"` // bytes on disk; 0 if not known
	SHA256    facts.SHA256 `json:"sha256"`
	Platforms []string     `json:"platforms,omitempty"` // those of the lock that install it
}

// A Dist is what one platform installs of a Package.
type Dist struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Wheels  []Wheel `json:"wheels"` // the installer takes the best; usually one
}

// Entry identifies the dist by name, version and the hashes that may be
// installed: 16 hexadecimal digits. Dists with equal entries are equal bytes.
func (d Dist) Entry() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", d.Name, d.Version, strings.Join(d.Hashes(), "\n"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Hashes returns the SHA-256 digests that may be installed, sorted.
func (d Dist) Hashes() []string {
	hashes := make([]string, len(d.Wheels))
	for i, w := range d.Wheels {
		hashes[i] = w.SHA256.String()
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// Download returns the most that installing the dist fetches, in bytes; 0 where
// no size is known.
func (d Dist) Download() int64 {
	var most int64
	for _, w := range d.Wheels {
		most = max(most, w.Size)
	}
	return most
}

// Disk returns the bytes that the installed dist takes. Where the lock does not
// know, four times the download is assumed, which is what wheels of compiled
// code come to at most.
func (d Dist) Disk() int64 {
	var most int64
	for _, w := range d.Wheels {
		if w.Unpacked > 0 {
			most = max(most, w.Unpacked)
			continue
		}
		most = max(most, 4*w.Size)
	}
	return most
}

// For returns what one platform installs, by name. A platform that was not
// locked is an error.
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

// needs reports whether a platform installs the package.
func (p Package) needs(platform string) bool {
	return p.Platforms == nil || slices.Contains(p.Platforms, platform)
}

// assign gives each platform the best of the package's wheels, and returns the
// platforms, of all those that need it, that none is for.
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
