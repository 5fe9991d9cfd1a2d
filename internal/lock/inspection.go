package lock

import "context"

// A BuildRule permits to build a package from source.
type BuildRule struct {
	With []string // normalised names of packages that the build needs; nil for the default
}

// An Inspection asks for the metadata of a source.
type Inspection struct {
	Source
	Name    string // expected, normalised
	Version string // expected, "" for any
	Index   string // name of the index of an archive without a URL, "" for the default ones
	Python  string // minor version
	// Resolve returns packages for requirements, for building, for all platforms of the lock.
	Resolve func(ctx context.Context, requirements []string) ([]Package, error)
	Rule    BuildRule
}

// Inspected is the metadata of a source.
type Inspected struct {
	Source                // with the size and digest of an archive
	Version      string   // canonical
	RequiresDist []string // PEP 508
	Extras       []string
	Requires     []Package // that the build backend needs
	With         []string
}
