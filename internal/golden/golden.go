// Package golden compares what a test printed with a file that people have read.
// `go test -update` rewrites the files; their diff is reviewed like code. Only
// tests import it.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Updating reports whether the files are to be rewritten.
func Updating() bool { return *update }

// Check fails the test where the file does not hold got, byte for byte.
func Check(t testing.TB, file string, got []byte) {
	t.Helper()
	if Updating() {
		Write(t, file, got)
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%v (go test -update writes it)", err)
		return
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs (go test -update rewrites it)\n--- want\n%s\n--- got\n%s", file, want, got)
	}
}

// Write puts content into a golden file, making its directory; a file that holds
// it already is left alone.
func Write(t testing.TB, file string, content []byte) {
	t.Helper()
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, content) {
		return
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
