package apply

import (
	"os"
	"testing"
)

// TestMain runs a program of a step, or a whole apply, if APPLY_HELPER is set.
func TestMain(m *testing.M) {
	if name := os.Getenv("APPLY_HELPER"); name != "" {
		helper(name)
		return
	}
	os.Exit(m.Run())
}
