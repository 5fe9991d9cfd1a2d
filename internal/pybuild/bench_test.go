package pybuild

import (
	"os"
	"testing"
)

// BenchmarkCompare compares the build at RECONCILE_TEST_BUILD, which apply unpacked.
func BenchmarkCompare(b *testing.B) {
	dir := os.Getenv("RECONCILE_TEST_BUILD")
	if dir == "" {
		b.Skip("no build: set RECONCILE_TEST_BUILD to its directory")
	}
	for name, deep := range map[string]bool{"metadata": false, "digests": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				build, err := Open(dir)
				if err != nil {
					b.Fatal(err)
				}
				if changed, err := build.compare(b.Context(), deep); err != nil || len(changed) > 0 {
					b.Fatal(changed, err)
				}
			}
		})
	}
}
