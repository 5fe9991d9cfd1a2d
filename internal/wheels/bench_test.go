package wheels

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

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

// unpackAll unpacks archives into a new store, several at a time.
func unpackAll(t testing.TB, archives []string) []*Entry {
	t.Helper()
	store := t.TempDir()
	entries := make([]*Entry, len(archives))
	var group errgroup.Group
	group.SetLimit(8)
	for i, archive := range archives {
		w, name, version := locked(t, archive)
		group.Go(func() (err error) {
			entries[i], err = Unpack(t.Context(), archive, w, name, version, filepath.Join(store, w.SHA256.String()))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
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

// BenchmarkInstall compares the first installation of real wheels (unpack), and the next
// one from a filled store or cache (assemble), with uv. Unpack verifies every digest and
// syncs every file; uv does neither.
func BenchmarkInstall(b *testing.B) {
	archives := benchWheels(b)
	uv, err := exec.LookPath("uv")
	if err != nil {
		b.Skip("no uv: ", err)
	}
	prefix := environment(b)
	newVenv := func() {
		if err := os.RemoveAll(prefix); err != nil {
			b.Fatal(err)
		}
		if out, err := exec.Command(uv, "venv", "-q", "--python", "3.10", prefix).CombinedOutput(); err != nil {
			b.Skipf("no Python 3.10: %s", out)
		}
	}
	install := func(cache string) {
		c := exec.Command(uv, append([]string{"pip", "install", "-q", "--no-deps", "--no-index", "--link-mode=hardlink", "--python", prefix + "/bin/python"}, archives...)...)
		c.Env = append(os.Environ(), "UV_NO_CONFIG=1", "UV_CACHE_DIR="+cache)
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	b.Run("unpack/reconcile", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			newVenv()
			b.StartTimer()
			assemble(b, prefix, unpackAll(b, archives)...)
		}
	})
	b.Run("unpack/uv", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			newVenv()
			b.StartTimer()
			install(b.TempDir())
		}
	})
	entries := unpackAll(b, archives)
	b.Run("assemble/reconcile", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			newVenv()
			b.StartTimer()
			for _, e := range entries {
				if _, err := Open(e.Dir); err != nil {
					b.Fatal(err)
				}
			}
			assemble(b, prefix, entries...)
		}
	})
	cache := b.TempDir()
	newVenv()
	install(cache)
	b.Run("assemble/uv", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			newVenv()
			b.StartTimer()
			install(cache)
		}
	})
}
