// Package golden compares the output of a test with a reviewed file. `go test -update`
// rewrites the files. Only tests import it.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aymanbagabas/go-udiff"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Updating reports whether -update is set.
func Updating() bool { return *update }

// Check fails the test unless the file contains exactly got. With -update it writes the
// file.
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
		t.Errorf("%s differs (go test -update rewrites it)\n%s", file, udiff.Unified("want", "got", string(want), string(got)))
	}
}

// Write writes a golden file, creating its directory. It does not touch a file that has the
// content already.
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
