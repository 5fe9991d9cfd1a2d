//go:build failpoints

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCrashSaved kills the apply of a saved plan at every passage of every failpoint, with and
// without a state. If a change was made, the plan cannot be applied again, and a new plan
// completes.
func TestCrashSaved(t *testing.T) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory %v", memory), func(t *testing.T) {
			s := newSite(t, "")
			if memory {
				s.write("manifest.yaml", "version: 1\nproject: saved\nfiles: [{path: z.txt, content: z}]\n")
				s.want(0, "apply", "-y")
			}
			s.write("manifest.yaml", savedManifest)
			s.want(0, "plan", "--out", "saved")
			text, err := os.ReadFile(s.path("saved"))
			check(t, err)
			back := s.saveStart()
			list := filepath.Join(t.TempDir(), "list")
			s.with("RECONCILE_FAILPOINT_LIST="+list).want(0, "apply", "saved")
			points, err := os.ReadFile(list)
			check(t, err)
			count := map[string]int{}
			used, total := 0, 0
			for point := range strings.FieldsSeq(string(points)) {
				count[point]++
				total++
				at := fmt.Sprintf("%s:%d", point, count[point])
				back()
				if e := s.with("RECONCILE_FAILPOINT="+at).run("apply", "saved"); e.signal != syscall.SIGKILL {
					t.Fatalf("it was not killed at %s: %s", at, e)
				}
				_, lost := os.Lstat(s.path("data"))
				e := s.run("apply", "saved")
				switch {
				case e.code == 6 && e.contains("was begun at"):
					used++
				case e.code == 0 && lost != nil: // killed before the plan was begun
				default:
					t.Fatalf("killed at %s, and applied again (there is data: %v): %s", at, lost == nil, e)
				}
				s.want(0, "apply", "-y", "-q")
				s.want(0, "plan", "--detailed-exitcode")
				s.checkNoTemporaries()
				s.write("saved", string(text))
				s.want(6, "apply", "saved")
			}
			if used == 0 || used == total {
				t.Errorf("after %d of %d passages the plan was used", used, total)
			}
		})
	}
}

// saveStart copies the project, and returns a function that restores the copy.
func (s *site) saveStart() (back func()) {
	s.t.Helper()
	base := s.root + ".base"
	check(s.t, os.Rename(s.root, base))
	back = func() {
		s.t.Helper()
		check(s.t, os.RemoveAll(s.root))
		if out, err := exec.Command("cp", "-a", base, s.root).CombinedOutput(); err != nil {
			s.t.Fatalf("copy the start: %v\n%s", err, out)
		}
	}
	back()
	return back
}
