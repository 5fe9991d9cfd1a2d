package lock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/diag"
)

// Stale returns the Problem lock.stale when the lock was made for other pins,
// platforms or another line of Python than the manifest asks for, and nil when
// it still holds. Requests are as Pin.Request writes them.
func (l *Lock) Stale(requests, platforms []string, line string) *diag.Problem {
	var found []string
	if want, _ := requiresPython(line); want != l.RequiresPython {
		found = append(found, fmt.Sprintf("locked for Python %s, the manifest asks for %s", l.RequiresPython, line))
	}
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
