package venv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/facts"
)

// digestFormat is raised when a generation is built in another way, so that
// earlier ones are built anew.
const digestFormat = 1

// Digest returns the SHA-256, in hexadecimal, of all that decides the content of
// a generation: platform, interpreter, closure with its hashes, prompt and
// what is proved. Where packages come from is no part of it, so another mirror gives
// the same generation.
func (s *Spec) Digest(platform string, base facts.Interpreter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "reconcile environment %d\nplatform %q\npython %q %q %q\nprompt %q\n",
		digestFormat, platform, base.Version, base.Arch, base.Prefix, s.Prompt)
	for _, module := range slices.Sorted(slices.Values(s.Imports)) {
		fmt.Fprintf(&b, "import %q\n", module)
	}
	if s.ProveCUDA {
		b.WriteString("prove cuda\n")
	}
	if q := s.QLoRA; q != nil {
		fmt.Fprintf(&b, "prove qlora %q %t %q\n", q.QuantType, q.DoubleQuant, q.ComputeDtype)
	}
	entries := make([]string, len(s.Closure))
	for i, d := range s.Closure {
		entries[i] = fmt.Sprintf("dist %q %q %s\n", d.Name, d.Version, strings.Join(d.Hashes(), " "))
	}
	slices.Sort(entries)
	sum := sha256.Sum256([]byte(b.String() + strings.Join(entries, "")))
	return hex.EncodeToString(sum[:])
}

// Name returns the name for the next generation of a digest: its first 12
// digits, and a number from 2 where sealed ones have taken the names before.
func Name(digest string, env facts.Environment) string {
	first := digest[:12]
	name := first
	for n := 2; slices.ContainsFunc(env.Generations, func(g facts.Generation) bool { return g.Name == name }); n++ {
		name = first + "-" + strconv.Itoa(n)
	}
	return name
}

// newest returns the sealed generation of a digest that was built last, if it is
// sound as far as is known. The earlier ones were found damaged, else it would not
// have been built.
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

// number returns the N of "1f2e3d4c5b6a-N", 1 where there is none.
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
