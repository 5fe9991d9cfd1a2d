package generation

import (
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Name returns the name of the next generation of a digest: its first 12 digits, and a
// number from 2 if sealed generations have the names before.
func Name(digest string, env facts.Environment) string {
	first := digest[:12]
	name := first
	for n := 2; slices.ContainsFunc(env.Generations, func(g facts.Generation) bool { return g.Name == name }); n++ {
		name = first + "-" + strconv.Itoa(n)
	}
	return name
}

// newest returns the last built sealed generation of a digest, if it is not known to be
// damaged. Earlier ones are not considered: they were damaged, or --replace replaced them.
func newest(env facts.Environment, digest string) (facts.Generation, bool) {
	var found facts.Generation
	most := 0
	for _, g := range env.Generations {
		if n := number(g.Name); g.Digest == digest && n > most {
			found, most = g, n
		}
	}
	return found, most > 0 && len(found.Damage) == 0
}

// number returns the N of "1f2e3d4c5b6a-N", 1 for a name without it, 0 for another name.
func number(name string) int {
	_, suffix, ok := strings.Cut(name, "-")
	if !ok {
		return 1
	}
	n, err := strconv.Atoi(suffix)
	if err != nil {
		return 0
	}
	return n
}
