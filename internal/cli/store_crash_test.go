//go:build failpoints

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCrashStorePrune kills a prune of a deleted project, of its wheel and of temporary files at
// every passage of every failpoint. Each time the other project is intact, and the next prune
// completes.
func TestCrashStorePrune(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "beta", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentOf("alpha"))
	s.want(0, "lock")
	s.want(0, "apply", "-y", "--env", "local")
	deleted := filepath.Join(filepath.Dir(s.root), "deleted")
	check(t, os.Mkdir(deleted, 0o755))
	writeFile(t, filepath.Join(deleted, "manifest.yaml"), environmentOf("beta"))
	s.want(0, "-C", deleted, "lock")
	s.want(0, "-C", deleted, "apply", "-y", "--env", "local")
	check(t, os.RemoveAll(deleted))
	partial := "tmp/" + strings.Repeat("0", 64) + ".whl.partial"
	writeFile(t, s.store(partial), "")
	check(t, os.Chtimes(s.store(partial), longAgo(), longAgo()))
	base := s.saveBase()
	prune := []string{"store", "prune", "--gone", "-y"}
	all := s.passages(prune...)
	for _, at := range all {
		s.restore(base)
		s.runKilledAt(at, prune...)
		s.want(0, "verify", "--deep", "--env", "local")
		s.want(0, "plan", "--detailed-exitcode", "--env", "local")
		s.want(0, prune...)
		leftovers, err0 := filepath.Glob(s.store("tmp/*.partial"))
		trash, err1 := filepath.Glob(s.store("trash/*"))
		if err0 != nil || err1 != nil || len(leftovers)+len(trash) > 0 {
			t.Errorf("after a kill at %s: %v and %v remain", at, leftovers, trash)
		}
		states, err := filepath.Glob(s.store("projects/*"))
		entries, err2 := filepath.Glob(s.store("dists/*"))
		if err != nil || err2 != nil || len(states) != 1 || len(entries) != 1 {
			t.Errorf("after a kill at %s: %v and %v remain", at, states, entries)
		}
		s.want(0, "verify", "--deep", "--env", "local")
	}
	points := failpoints(all)
	for _, point := range []string{"prune.locked", "prune.moved", "prune.unlocked"} {
		if !points[point] {
			t.Errorf("%s was never passed", point)
		}
	}
	if len(all) < 5 {
		t.Errorf("the passages are %v", all)
	}
}
