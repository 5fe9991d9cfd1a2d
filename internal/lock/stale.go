package lock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Inputs are the parts of a manifest that determine a lock.
type Inputs struct {
	Requests  []string // in the form of Requirement.Request
	Platforms []string
	Systems   Systems
	Builds    map[string]BuildRule // permissions to build from source
	Python    string               // minor version
	// Channels and CondaRequests (CondaSpecs) are those of environments of type conda.
	Channels, CondaRequests []string
}

// Stale returns the Problem lock.stale if the lock was made for other inputs, else nil.
func (l *Lock) Stale(in Inputs) *diag.Problem {
	var have Conda
	if l.Conda != nil {
		have = *l.Conda
	}
	var found []string
	add := func(prefix string, list []string, suffix string) {
		for _, s := range list {
			found = append(found, prefix+s+suffix)
		}
	}
	if want, _ := requiresPython(in.Python); want != l.RequiresPython {
		found = append(found, fmt.Sprintf("locked for Python %s, the manifest has %s", l.RequiresPython, in.Python))
	}
	if in.Systems != l.Systems {
		found = append(found, fmt.Sprintf("locked for glibc 2.%d and macOS %s, the manifest has glibc 2.%d and macOS %s", l.Systems.glibc(), l.Systems.macOS(), in.Systems.glibc(), in.Systems.macOS()))
	}
	if !slices.Equal(in.Channels, have.Channels) {
		found = append(found, fmt.Sprintf("locked with the channels %s, the manifest has %s", orNone(have.Channels), orNone(in.Channels)))
	}
	add("not in the lock, for conda: ", missing(in.CondaRequests, have.Requests), "")
	add("not in the manifest, for conda: ", missing(have.Requests, in.CondaRequests), "")
	for _, platform := range in.Platforms {
		if len(in.Channels) > 0 && len(have.For(platform)) == 0 {
			found = append(found, "no conda packages are locked for "+platform)
		}
	}
	add("not locked for ", missing(in.Platforms, l.Platforms), "")
	add("locked for ", missing(l.Platforms, in.Platforms), ", which is not in the manifest")
	add("not in the lock: ", missing(in.Requests, l.Requests), "")
	add("not in the manifest: ", missing(l.Requests, in.Requests), "")
	for _, p := range l.Packages {
		if p.Build == nil || p.Build.File == "" || p.Build.URL != "" {
			continue
		}
		if rule, permitted := in.Builds[p.Name]; !permitted {
			found = append(found, "not in `build` of the manifest: "+p.Name)
		} else if !rule.fits(p) {
			found = append(found, fmt.Sprintf("built with %s in the lock, and with other packages in the manifest: %s", orNone(p.Build.With), p.Name))
		}
	}
	if len(found) == 0 {
		return nil
	}
	const most = 10
	if len(found) > most {
		found = append(found[:most], fmt.Sprintf("and %d more", len(found)-most))
	}
	return &diag.Problem{
		Code: "lock.stale", Pos: diag.Pos{File: l.Path},
		Summary: "the lock does not match the manifest",
		Found:   strings.Join(found, "\n"),
		Hint:    "run `reconcile lock`, and commit the result",
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "(none)"
	}
	return strings.Join(list, ", ")
}

// missing returns the elements of a that are not in b, sorted.
func missing(a, b []string) []string {
	out := slices.DeleteFunc(slices.Sorted(slices.Values(a)), func(s string) bool { return slices.Contains(b, s) })
	return slices.Compact(out)
}
