package lock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Asked is what a manifest asks of a lock.
type Asked struct {
	Requests  []string // as Pin.Request writes them
	Platforms []string
	Python    string // line
	// Channels and CondaRequests (CondaSpecs) are of environments of type conda;
	// without channels there is no part for conda.
	Channels, CondaRequests []string
}

// Stale returns the Problem lock.stale when the lock was made for other pins,
// platforms, channels or another line of Python than the manifest asks for, and nil
// when it still holds.
func (l *Lock) Stale(a Asked) *diag.Problem {
	var found []string
	if want, _ := requiresPython(a.Python); want != l.RequiresPython {
		found = append(found, fmt.Sprintf("locked for Python %s, the manifest asks for %s", l.RequiresPython, a.Python))
	}
	platforms, requests := a.Platforms, a.Requests
	found = append(found, l.staleConda(a)...)
	for _, p := range missing(platforms, l.Platforms) {
		found = append(found, "not locked for "+p)
	}
	for _, p := range missing(l.Platforms, platforms) {
		found = append(found, "locked for "+p+", which the manifest no longer lists")
	}
	for _, r := range missing(requests, l.Requests) {
		found = append(found, "not in the lock: "+r)
	}
	for _, r := range missing(l.Requests, requests) {
		found = append(found, "not in the manifest: "+r)
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

// staleConda is the same for the part of conda.
func (l *Lock) staleConda(a Asked) []string {
	var have Conda
	if l.Conda != nil {
		have = *l.Conda
	}
	var found []string
	if !slices.Equal(a.Channels, have.Channels) {
		found = append(found, fmt.Sprintf("locked with the channels %s, the manifest names %s", orNone(have.Channels), orNone(a.Channels)))
	}
	for _, r := range missing(a.CondaRequests, have.Requests) {
		found = append(found, "not in the lock, for conda: "+r)
	}
	for _, r := range missing(have.Requests, a.CondaRequests) {
		found = append(found, "not in the manifest, for conda: "+r)
	}
	for _, platform := range a.Platforms {
		if len(a.Channels) > 0 && len(have.For(platform)) == 0 {
			found = append(found, "no packages of conda are locked for "+platform)
		}
	}
	return found
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "(none)"
	}
	return strings.Join(list, ", ")
}

// missing returns what of a is not in b, sorted.
func missing(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
