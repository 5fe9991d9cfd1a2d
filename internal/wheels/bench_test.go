package wheels

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
)

// benchWheels returns the wheels in the folder WHEELS_BENCH, or skips the benchmark.
func benchWheels(b testing.TB) []string {
	b.Helper()
	list, _ := filepath.Glob(filepath.Join(os.Getenv("WHEELS_BENCH"), "*.whl"))
	if os.Getenv("WHEELS_BENCH") == "" || len(list) == 0 {
		b.Skip("WHEELS_BENCH names no folder with wheels")
	}
	return list
}

// locked returns the lock entry of an archive, with its name and version.
func locked(t testing.TB, archive string) (w lock.Wheel, name, version string) {
	t.Helper()
	sum, err := hashFile(t.Context(), archive)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(archive)
	if err != nil {
		t.Fatal(err)
	}
	n, err := lock.ParseWheel(filepath.Base(archive))
	if err != nil {
		t.Fatal(err)
	}
	return lock.Wheel{File: filepath.Base(archive), Size: info.Size(), SHA256: sum}, n.Name, n.Version
}

// unpackAll unpacks archives into a new store.
func unpackAll(t testing.TB, archives []string) []*Entry {
	t.Helper()
	store := t.TempDir()
	var entries []*Entry
	for _, archive := range archives {
		w, name, version := locked(t, archive)
		e, err := Unpack(t.Context(), archive, w, name, version, filepath.Join(store, w.SHA256.String()))
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// BenchmarkUnpack unpacks real wheels, each alone.
func BenchmarkUnpack(b *testing.B) {
	for _, archive := range benchWheels(b) {
		name, _, _ := strings.Cut(filepath.Base(archive), "-")
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e := unpackAll(b, []string{archive})
				b.SetBytes(e[0].Size())
			}
		})
	}
}

// BenchmarkAssemble installs real wheels from a store.
func BenchmarkAssemble(b *testing.B) {
	entries := unpackAll(b, benchWheels(b))
	files := 0
	for _, e := range entries {
		files += len(e.Files)
	}
	b.ResetTimer()
	for b.Loop() {
		assemble(b, environment(b), entries...)
	}
	b.ReportMetric(float64(files), "files/op")
}

// BenchmarkOpen opens the entries of real wheels.
func BenchmarkOpen(b *testing.B) {
	entries := unpackAll(b, benchWheels(b))
	b.ResetTimer()
	for b.Loop() {
		for _, e := range entries {
			if _, err := Open(e.Dir); err != nil {
				b.Fatal(err)
			}
		}
	}
}
