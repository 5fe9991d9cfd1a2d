package all_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/explain"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/compat"
	"github.com/reconcile-ml/reconcile/pkg/resources/cuda"
	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
	"github.com/reconcile-ml/reconcile/pkg/resources/pairs"
)

// TestCodesAreExplained checks that every code in the cases of a kind is explained, and
// that most of the explained codes have a case.
func TestCodesAreExplained(t *testing.T) {
	code := regexp.MustCompile(`(?m)^\s+(?:found: )?(?:error|warn|also) ([a-z_]+\.[a-z-]+):`)
	for _, of := range []struct {
		kind  resources.Kind
		least int // codes with a case
	}{{compat.Kind, 5}, {cuda.Kind, 5}, {gpu.Kind, 5}, {model.Kind, 3}, {pairs.Kind, 3}} {
		name, codes := of.kind.Name, explain.Codes()
		files, err := filepath.Glob(filepath.Join("..", name, "testdata", "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no cases: %v", name, err)
		}
		seen := make(map[string]bool)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range code.FindAllStringSubmatch(string(text), -1) {
				seen[m[1]] = true
				if codes[m[1]].Means == "" {
					t.Errorf("%s: %s is not explained", file, m[1])
				}
			}
		}
		if len(seen) < of.least {
			t.Errorf("%s: only %d codes have a case", name, len(seen))
		}
	}
}
