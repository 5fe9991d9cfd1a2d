//go:build failpoints

package cli

import (
	"strings"
	"testing"
)

// TestCrashBuild kills apply before and after it builds a package from source, and while the
// result gets its place in the store. The next apply has the package.
func TestCrashBuild(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	begin := func(t *testing.T) *site {
		s := newSite(t, x.indexURL())
		writeArchive(t, s.path("libs/gamma-1.0.tar.gz"), "gamma-1.0", backendSource("gamma", "1.0"))
		text := environmentManifest("alpha==1.0")
		s.write("manifest.yaml", strings.Replace(text, "    packages:\n", "    packages:\n      - \"gamma @ ./libs/gamma-1.0.tar.gz\"\n", 1))
		s.want(0, "lock", "--env", "local")
		return s
	}
	apply := []string{"--env", "local", "apply", "-y", "--jobs", "1"}
	killed := 0
	for _, at := range begin(t).passages(apply...) {
		if !strings.HasPrefix(at, "step.build.") && !strings.HasPrefix(at, "dist.") {
			continue
		}
		killed++
		t.Run(at, func(t *testing.T) {
			s := begin(t)
			s.runKilledAt(at, apply...)
			s.checkConverges()
			s.wantImports("1.0", "alpha", "gamma")
			s.want(0, "verify", "--deep", "--env", "local")
		})
	}
	if killed < 4 {
		t.Errorf("only %d points were passed", killed)
	}
}
