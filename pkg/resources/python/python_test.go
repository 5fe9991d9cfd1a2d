package python_test

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/python"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, python.Kind) }

// TestDefaultBuilds checks that every platform has a build with a digest and a URL of its
// version.
func TestDefaultBuilds(t *testing.T) {
	platforms := map[string]bool{}
	for _, b := range python.DefaultBuilds() {
		platforms[b.Platform] = true
		if b.SHA256.IsZero() || len(b.URLs) == 0 || !strings.Contains(b.URLs[0], "cpython-"+b.Version+"%2B") {
			t.Errorf("build %+v has no digest, or no URL of its version", b)
		}
	}
	for _, p := range []string{"linux-aarch64", "linux-x86_64", "macos-arm64", "macos-x86_64"} {
		if !platforms[p] {
			t.Errorf("no build for %s", p)
		}
	}
}
