package cli

import (
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// newUpgradeSite returns a site with alpha 1.0 in the environment, alpha 2.0 in the manifest and
// in the lock, and empty installer caches.
func newUpgradeSite(t *testing.T) (*site, *mirror) {
	t.Helper()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "alpha", version: "2.0"}, wheel{name: "beta", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0", "beta==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	s.write("manifest.yaml", environmentManifest("alpha==2.0", "beta==1.0"))
	s.want(0, "lock", "--env", "local")
	check(t, os.RemoveAll(s.store("cache")))
	return s, x
}

// closedAddress returns the URL of a closed port on this machine.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := "http://" + l.Addr().String() + "/simple"
	check(t, l.Close())
	return address
}

// onFiles returns a fault that handles only the requests for files.
func onFiles(f func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/files/") {
			return false
		}
		f(w, r)
		return true
	}
}

// An indexFault is a fault of an index during an install.
type indexFault struct {
	name  string
	cause func(s *site, x *mirror)
	want  string // a part of the message
}

var indexFaults = []indexFault{
	{
		"the port is closed",
		func(s *site, _ *mirror) { *s = *s.with("RECONCILE_INDEX_URL=" + closedAddress(s.t)) },
		"connection refused",
	},
	{
		"the file is gone",
		func(_ *site, x *mirror) { x.setFile(alpha2.file(), nil) },
		"has alpha but not alpha-2.0",
	},
	{
		"the file changed after the lock",
		func(_ *site, x *mirror) {
			x.setFile(alpha2.file(), wheel{name: "alpha", version: "2.0", init: "evil = True\n"}.bytes())
		},
		"differs from the lock",
	},
	{
		"the file is truncated",
		func(_ *site, x *mirror) {
			x.setFault(onFiles(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(alpha2.bytes())))
				_, _ = w.Write(alpha2.bytes()[:200])
			}))
		},
		"unexpected EOF",
	},
	{
		"the file is a web page",
		func(_ *site, x *mirror) {
			x.setFault(onFiles(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>please log in</html>")) }))
		},
		"differs from the lock",
	},
	{
		"the server fails",
		func(_ *site, x *mirror) {
			x.setFault(func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "broken", http.StatusInternalServerError)
				return true
			})
		},
		"500",
	},
	{
		"redirects without end",
		func(_ *site, x *mirror) {
			x.setFault(func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
				return true
			})
		},
		"redirect",
	},
}

var alpha2 = wheel{name: "alpha", version: "2.0"}

// TestIndexFaults checks that an apply with a faulty index ends within a minute, names the
// fault and keeps the environment, and that the next apply reaches the manifest.
func TestIndexFaults(t *testing.T) {
	for _, fault := range indexFaults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			s, x := newUpgradeSite(t)
			broken := s.with()
			fault.cause(broken, x)
			e := broken.want(4, "apply", "-y", "--env", "local")
			if !e.contains("venv.local", fault.want) {
				t.Errorf("the fault is not named, %q: %s", fault.want, e)
			}
			if e.took > time.Minute {
				t.Errorf("the apply took %s", e.took)
			}
			s.wantImports("1.0 1.0", "alpha", "beta")
			s.checkNoProcesses()
			x.setFault(nil)
			x.setFile(alpha2.file(), alpha2.bytes())
			s.checkConverges()
			s.wantImports("2.0 1.0", "alpha", "beta")
		})
	}
}

// TestHangingIndex checks that an apply gives up an index that never responds, after 3 times
// 30 s.
func TestHangingIndex(t *testing.T) {
	if os.Getenv("RECONCILE_TEST_SLOW") == "" {
		t.Skip("takes 2 minutes: set RECONCILE_TEST_SLOW=1")
	}
	t.Parallel()
	s, x := newUpgradeSite(t)
	x.setFault(onFiles(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	e := s.want(4, "apply", "-y", "--env", "local")
	if !e.contains("no data for") || e.took > 150*time.Second {
		t.Errorf("an index that hangs: %s", e)
	}
	s.wantImports("1.0 1.0", "alpha", "beta")
	x.setFault(nil)
	s.checkConverges()
}

// TestLockFaults checks that a lock with a faulty index names the pin or the index, and keeps
// the existing lock.
func TestLockFaults(t *testing.T) {
	t.Parallel()
	s, x := newUpgradeSite(t)
	before, err := os.ReadFile(s.path("locks/pylock.local.toml"))
	check(t, err)
	for _, fault := range []struct {
		name string
		pins []string
		site *site
		want []string
	}{
		{"a version that does not exist", []string{"beta==1.0", "alpha==9.9"}, s, []string{"manifest.yaml:17:", "alpha==9.9 does not exist", "alpha 2.0 is the newest", "lock.pin"}},
		{"a name that does not exist", []string{"alpha==1.0", "gamma==1.0"}, s, []string{"manifest.yaml:17:", "gamma", "spelling", "lock.pin"}},
		{"the port is closed", []string{"alpha==1.0", "beta==1.0"}, s.with("RECONCILE_INDEX_URL=" + closedAddress(t)), []string{"index could not be reached", "Connection refused", "RECONCILE_INDEX_URL", "lock.index"}},
	} {
		check(t, os.RemoveAll(s.store("cache")))
		s.write("manifest.yaml", environmentManifest(fault.pins...))
		e := fault.site.want(1, "lock", "--env", "local")
		if !e.contains(fault.want...) {
			t.Errorf("%s: want %q: %s", fault.name, fault.want, e)
		}
	}
	x.setFault(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "broken", http.StatusServiceUnavailable)
		return true
	})
	s.write("manifest.yaml", environmentManifest("alpha==1.0", "beta==1.0"))
	if e := s.want(1, "lock", "--env", "local"); !e.contains("index could not be reached", "503") {
		t.Errorf("a server that fails: %s", e)
	}
	after, err := os.ReadFile(s.path("locks/pylock.local.toml"))
	check(t, err)
	if string(before) != string(after) {
		t.Errorf("the lock changed to %s", after)
	}
	s.checkNoTemporaries()
}
