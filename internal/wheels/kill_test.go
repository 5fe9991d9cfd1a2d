//go:build failpoints

package wheels

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// TestKilled kills a process at every failpoint of this package. The next process unpacks
// the wheel, and no temporary directory is left after RemoveTemps.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("WHEELS_CHILD"); dir != "" {
		archive := filepath.Join(dir, "demo.whl")
		sum, err := hashFile(t.Context(), archive)
		if err != nil {
			t.Fatal(err)
		}
		w := lock.Wheel{SHA256: sum}
		e, err := Unpack(t.Context(), archive, w, "demo", "1.0", filepath.Join(dir, "dists", "entry"))
		if err == nil {
			_, err = Assemble(t.Context(), filepath.Join(dir, "gen"), "/python", "3.10", []*Entry{e}, 1, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	for point, complete := range map[string]bool{failpoint.DistUnpacked: false, failpoint.DistRecorded: false, failpoint.AssembleLinked: true} {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			gen := filepath.Join(dir, "gen")
			err := errors.Join(os.WriteFile(filepath.Join(dir, "demo.whl"), full.build(t), 0o600), os.Mkdir(filepath.Join(dir, "dists"), 0o755), os.Rename(environment(t), gen))
			if err != nil {
				t.Fatal(err)
			}
			child := func(killAt string) error {
				c := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestKilled$")
				c.Env = append(os.Environ(), "WHEELS_CHILD="+dir, "RECONCILE_FAILPOINT="+killAt)
				return c.Run()
			}
			if err := child(point + ":1"); err == nil || err.Error() != "signal: killed" {
				t.Fatalf("the child ended with %v", err)
			}
			_, err = Open(filepath.Join(dir, "dists", "entry"))
			if complete != (err == nil) || !complete && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the entry after the kill: %v", err)
			}
			if err := errors.Join(os.RemoveAll(gen), os.Rename(environment(t), gen)); err != nil {
				t.Fatal(err)
			}
			if err := child(""); err != nil {
				t.Fatalf("the next process: %v", err)
			}
			if err := RemoveTemps(filepath.Join(dir, "dists")); err != nil {
				t.Fatal(err)
			}
			if list := names(t, filepath.Join(dir, "dists")); !slices.Equal(list, []string{"entry"}) {
				t.Errorf("the store has %v", list)
			}
			other := environment(t)
			if _, err := Assemble(t.Context(), other, "/python", "3.10", []*Entry{full.mustUnpack(t)}, 1, nil); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(tree(t, other), tree(t, gen)) {
				t.Error("the environment differs from one without a kill")
			}
		})
	}
}
