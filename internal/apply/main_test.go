package apply

import (
	"os"
	"testing"
)

// TestMain lets the test binary play the programs that steps run, and a whole
// apply that another process watches or kills.
func TestMain(m *testing.M) {
	if what := os.Getenv("APPLY_HELPER"); what != "" {
		helper(what)
		return
	}
	os.Exit(m.Run())
}
