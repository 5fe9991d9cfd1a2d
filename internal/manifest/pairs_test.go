package manifest_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// TestOwnPairs checks that no environment of this repository has a known conflict.
func TestOwnPairs(t *testing.T) {
	m, err := manifest.Load(root, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range m.Environments {
		locked, problem, err := m.Locked(e)
		if err != nil || problem != nil {
			t.Fatalf("%s: %v, %v", e.Name, problem, err)
		}
		for _, p := range m.Conflicts(e, locked) {
			t.Errorf("%v", p)
		}
	}
}
