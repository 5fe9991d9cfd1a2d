//go:build failpoints

package cli

import (
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
)

// TestCrashBesideAnotherProject kills an apply before and after it describes an unpacked wheel,
// while another project unpacks the same wheels. The other one succeeds, and the next apply
// removes what the killed one left.
func TestCrashBesideAnotherProject(t *testing.T) {
	x := newMirror(t, sharedWheels(3)...)
	a := newSite(t, x.indexURL())
	b := a.other("other")
	for _, s := range []*site{a, b} {
		s.pin("shared0==1.0", "shared1==1.0", "shared2==1.0")
	}
	for _, at := range []string{failpoint.DistUnpacked + ":1", failpoint.DistRecorded + ":2"} {
		for _, dir := range []string{a.store(""), a.path(".venv"), b.path(".venv")} {
			check(t, os.RemoveAll(dir))
		}
		var downloads atomic.Int32
		all := make(chan bool)
		x.downloads(func(string) {
			if downloads.Add(1) == 3 {
				close(all)
			}
			<-all
		})
		killed := a.with("RECONCILE_FAILPOINT="+at).start("apply", "-y", "--env", "local")
		<-all // the first has locked all wheels
		other := b.start("apply", "-y", "--env", "local")
		if e := other.wait(); e.code != 0 {
			t.Errorf("beside one that is killed at %s: %s", at, e)
		}
		if e := killed.wait(); e.signal != syscall.SIGKILL {
			t.Errorf("at %s: %s", at, e)
		}
		for _, s := range []*site{a, b} {
			s.checkConverges()
			s.wantImports("1.0 1.0 1.0", "shared0", "shared1", "shared2")
			s.want(0, "verify", "--deep", "--env", "local")
		}
		a.checkStore(3)
	}
}
