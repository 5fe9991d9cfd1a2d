package apply

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// tree lists the directories and files of the benchmarks: 100 directories with 99 files
// each, 10,000 in all.
func tree() (dirs, files []string) {
	for d := range 100 {
		dir := fmt.Sprintf("d%02d", d)
		dirs = append(dirs, dir)
		for f := range 99 {
			files = append(files, fmt.Sprintf("%s/f%02d", dir, f))
		}
	}
	return dirs, files
}

func body(name string) string { return fmt.Sprintf("# %s\n%0400d\n", name, len(name)) }

// BenchmarkApply10k is a first apply of 10,000 directories and files, durable and
// with its journal. Compare with BenchmarkBare10k.
func BenchmarkApply10k(b *testing.B) {
	dirs, files := tree()
	var list []resources.Resource
	for _, d := range dirs {
		list = append(list, wantDir(d, 0o755))
	}
	for _, f := range files {
		list = append(list, wantFile(f, body(f)))
	}
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		p, err := planner.Make(list, w.probe(b.Context(), planner.Keys(list)))
		check(b, err)
		unix.Sync()
		b.StartTimer()
		j, err := state.Open(layout.Journal(w.stateDir()), time.Now)
		check(b, err)
		r := Run(b.Context(), p, Options{Root: w.root, Store: w.store(), State: w.stateDir(), Probe: w.probe, Journal: j})
		check(b, j.Close())
		if r.Count(Done) != 10_000 {
			b.Fatalf("%d done", r.Count(Done))
		}
	}
}

// BenchmarkBare10k does the minimum for the same result: temporary files, one flush,
// renames, one flush.
func BenchmarkBare10k(b *testing.B) {
	dirs, files := tree()
	for b.Loop() {
		b.StopTimer()
		root := b.TempDir()
		unix.Sync()
		b.StartTimer()
		for _, d := range dirs {
			check(b, os.Mkdir(filepath.Join(root, d), 0o755))
		}
		for _, f := range files {
			check(b, os.WriteFile(filepath.Join(root, f)+".tmp", []byte(body(f)), 0o644))
		}
		syncfs(b, root)
		for _, f := range files {
			check(b, os.Rename(filepath.Join(root, f)+".tmp", filepath.Join(root, f)))
		}
		syncfs(b, root)
	}
}
