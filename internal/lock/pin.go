package lock

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Pin is one package that a manifest declares.
type Pin struct {
	Name    string // as written
	Version string
	Why     string // for people; "" for none
	Extras  []string
	Marker  string   // PEP 508, "" for always
	Pos     diag.Pos // the line of the manifest
}

// Request returns the pin as locks write it: "pandas==2.3.3", the name
// normalised, extras sorted.
func (p Pin) Request() string {
	extras := make([]string, len(p.Extras))
	for i, e := range p.Extras {
		extras[i] = pep.Normalize(e)
	}
	slices.Sort(extras)
	return strings.TrimSuffix(requirement(pep.Normalize(p.Name), slices.Compact(extras), p.Version, p.Marker), "\n")
}
