package report

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// TestFactText checks that every kind of fact is described in words. FactText prints others
// as JSON.
func TestFactText(t *testing.T) {
	for _, fact := range facts.Zero() {
		if _, ok := fact.(facts.Toolkit); ok {
			continue // only doctor prints it
		}
		if text := FactText(fact); strings.HasPrefix(text, "{") {
			t.Errorf("%T is described as %s", fact, text)
		}
	}
}
