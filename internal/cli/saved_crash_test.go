//go:build failpoints

package cli

import (
	"fmt"
	"os"
	"testing"
)

// TestCrashSaved kills the apply of a saved plan at every passage of every failpoint, with and
// without a state. If a change was made, the plan cannot be applied again, and a new plan
// completes.
func TestCrashSaved(t *testing.T) {
	for _, withState := range []bool{false, true} {
		t.Run(fmt.Sprintf("state %v", withState), func(t *testing.T) {
			s := newSite(t, "")
			if withState {
				s.write("manifest.yaml", "version: 1\nproject: saved\nfiles: [{path: z.txt, content: z}]\n")
				s.want(0, "apply", "-y")
			}
			s.write("manifest.yaml", savedManifest)
			s.want(0, "plan", "--out", "saved")
			text, err := os.ReadFile(s.path("saved"))
			check(t, err)
			base := s.saveBase()
			all := s.passages("apply", "saved")
			used := 0
			for _, at := range all {
				s.restore(base)
				s.runKilledAt(at, "apply", "saved")
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
			if used == 0 || used == len(all) {
				t.Errorf("after %d of %d passages the plan was used", used, len(all))
			}
		})
	}
}
