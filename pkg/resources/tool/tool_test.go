package tool_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

func TestCases(t *testing.T) { resourcetest.Run(t, tool.Kind) }

// TestUV checks that there is one wheel per platform and libc, each of the pinned version,
// with digests and a size.
func TestUV(t *testing.T) {
	uv := tool.UV()
	seen := map[string]bool{}
	for _, w := range uv.Wheels {
		name, err := lock.ParseWheel(w.File)
		if err != nil || name.Name != uv.Name || name.Version != uv.Version {
			t.Errorf("%s is not a wheel of %s %s: %v", w.File, uv.Name, uv.Version, err)
		}
		if w.SHA256.IsZero() || w.Program.IsZero() || w.Size == 0 || len(w.Platforms) != 1 {
			t.Errorf("%s has no digest, size or platform", w.File)
		}
		if key := w.Platforms[0] + w.Libc; seen[key] {
			t.Errorf("two wheels for %s", key)
		} else {
			seen[key] = true
		}
	}
	for _, platform := range lock.KnownPlatforms() {
		if !seen[platform] && !seen[platform+"glibc"] {
			t.Errorf("no wheel for %s", platform)
		}
	}
}

// TestPinned checks that a program is where its kind puts it, with the digest of its machine.
func TestPinned(t *testing.T) {
	for _, s := range []tool.Spec{tool.UV(), tool.Rattler()} {
		for _, w := range s.Wheels {
			host := facts.Host{Platform: w.Platforms[0], Libc: facts.Libc{Name: w.Libc}}
			known := facts.Of(host, facts.Project{Store: "/store"}, facts.Tool{Name: s.Name})
			want := s.Diff(facts.NewView(known, s.Reads())).Predicts[0]
			if got := tool.Pinned(s.Name, "/store", host); got != want || got.SHA256 != w.Program {
				t.Errorf("%s: got %+v, want %+v", w.File, got, want)
			}
		}
	}
	for _, name := range []string{"uv", "conda"} {
		if got := tool.Pinned(name, "/store", facts.Host{Platform: "plan9-mips"}); got.Path != "" {
			t.Errorf("%s is at %s", name, got.Path)
		}
	}
}
