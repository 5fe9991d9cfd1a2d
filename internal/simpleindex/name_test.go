package simpleindex_test

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

func TestProposedNamesAreThoseOfIndexesInAManifest(t *testing.T) {
	taken := func(name string) bool { return name == "example-cu118" || name == "example-cu118-2" }
	for address, want := range map[string]string{
		"https://download.example.org/whl/cu128": "example-cu128", "https://download.example.org/whl/CU_118/": "example-cu-118", "https://example.org/simple": "example",
		"https://a.example.org/whl/cu118": "example-cu118-3", "https://127.0.0.1/simple/": "index", "https://host": "host", "file:///srv/wheels": "wheels", "%": "index",
		"https://host/" + strings.Repeat("a", 200): "host-" + strings.Repeat("a", 56),
	} {
		if got := simpleindex.ProposeName(address, taken); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
