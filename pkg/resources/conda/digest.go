package conda

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/generation"
)

// digestFormat is raised when a generation is built in another way, so that
// earlier ones are built anew.
const digestFormat = 1

// Digest returns the SHA-256, in hexadecimal, of all that decides the content of
// a generation: platform, packages of conda and closure with their hashes, imports,
// proofs and variables. Which client installs, and from where, is no part of it.
func (s *Spec) Digest(platform string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "reconcile conda environment %d\nplatform %q\n", digestFormat, platform)
	s.WriteDigest(&b)
	generation.WriteVariables(&b, s.Variables)
	var entries []string
	for i := range s.Packages {
		p := &s.Packages[i]
		entries = append(entries, fmt.Sprintf("conda %q %q %q %s\n", p.Name, p.Version, p.Build, p.SHA256))
	}
	for _, d := range s.Closure {
		entries = append(entries, fmt.Sprintf("dist %q %q %s\n", d.Name, d.Version, strings.Join(d.Hashes(), " ")))
	}
	slices.Sort(entries)
	sum := sha256.Sum256([]byte(b.String() + strings.Join(entries, "")))
	return hex.EncodeToString(sum[:])
}
