// Package lock reads and writes the full, hashed closure of an environment
// (pylock.toml, PEP 751), for every platform that its manifest lists.
package lock

import "github.com/reconcile-ml/reconcile/pkg/facts"

// A Lock is the closure of one environment.
type Lock struct {
	Path           string   // relative to the project root
	RequiresPython string   // ">=3.10,<3.11"
	Platforms      []string // "macos-arm64", "linux-x86_64"
	// Requests are the pins that were locked, "name==version", sorted and
	// normalised; a manifest with others makes the lock stale.
	Requests []string
	Packages []Package // by normalised name
}

// A Package is one distribution of the closure.
type Package struct {
	Name      string // normalised
	Version   string
	Platforms []string // those of the lock that need it; nil for all
	Wheels    []Wheel
}

// A Wheel is one file that may be installed.
type Wheel struct {
	File      string // file name
	Size      int64  // bytes to download
	Unpacked  int64  // bytes on disk; 0 if not known
	SHA256    facts.SHA256
	Platforms []string // those of the lock that it is for
}

// A Dist is what one platform installs of a Package.
type Dist struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Wheels  []Wheel `json:"wheels"` // the installer takes the best; usually one
}
