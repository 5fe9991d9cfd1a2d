package venv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
)

// digestFormat is raised when a generation is built in another way, so that
// earlier ones are built anew.
const digestFormat = 1

// Digest returns the SHA-256, in hexadecimal, of all that decides the content of
// a generation: platform, interpreter, closure with its hashes, prompt, variables
// and what is proved. Where packages come from is no part of it, so another mirror gives
// the same generation.
func (s *Spec) Digest(platform string, base facts.Interpreter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "reconcile environment %d\nplatform %q\npython %q %q %q\nprompt %q\n",
		digestFormat, platform, base.Version, base.Arch, base.Prefix, s.Prompt)
	s.WriteDigest(&b)
	generation.WriteVariables(&b, s.Variables)
	entries := make([]string, len(s.Closure))
	for i, d := range s.Closure {
		entries[i] = fmt.Sprintf("dist %q %q %s\n", d.Name, d.Version, strings.Join(d.Hashes(), " "))
	}
	slices.Sort(entries)
	sum := sha256.Sum256([]byte(b.String() + strings.Join(entries, "")))
	return hex.EncodeToString(sum[:])
}
