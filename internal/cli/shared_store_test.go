package cli

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
)

// other returns another project of the same user, with the same store.
func (s *site) other(name string) *site {
	s.t.Helper()
	o := *s
	o.root = filepath.Join(filepath.Dir(s.root), name)
	check(s.t, os.MkdirAll(o.root, 0o755))
	return &o
}

// pin writes the manifest of an environment and locks it.
func (s *site) pin(pins ...string) {
	s.t.Helper()
	s.write("manifest.yaml", environmentManifest(pins...))
	s.want(0, "lock", "--env", "local")
}

// downloads counts the downloads of each file of a mirror. before, if not nil, is called before
// a file is sent.
func (x *mirror) downloads(before func(file string)) func() map[string]int {
	var mu sync.Mutex
	count := map[string]int{}
	x.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		if file, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok && r.Method == http.MethodGet {
			mu.Lock()
			count[file]++
			mu.Unlock()
			if before != nil {
				before(file)
			}
		}
		return false
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// checkStore checks that the store has n distributions, and nothing that is being made.
func (s *site) checkStore(n int) {
	s.t.Helper()
	entries, err := os.ReadDir(layout.Dists(s.store("")))
	check(s.t, err)
	if len(entries) != n {
		s.t.Errorf("the store has %d distributions, want %d: %v", len(entries), n, entries)
	}
	temporary, err := os.ReadDir(layout.Temp(s.store("")))
	check(s.t, err)
	for _, e := range temporary {
		s.t.Errorf("%s remains in the temporary directory of the store", e.Name())
	}
}

// sharedWheels returns n wheels of which each has a large and a small file.
func sharedWheels(n int) []wheel {
	var all []wheel
	for i := range n {
		name := fmt.Sprintf("shared%d", i)
		all = append(all, wheel{name: name, version: "1.0", files: map[string]string{
			name + "/large.bin": strings.Repeat(name, 200_000), name + "/late.py": "version = '1.0'\n",
		}})
	}
	return all
}

// container returns a command that runs reconcile in its own mount, process and host name
// namespaces, as a container with the home and the project of this user does.
func (s *site) container(host string, args ...string) *exec.Cmd {
	script := fmt.Sprintf("hostname %s; mount -t proc proc /proc; exec %s %s", host, must(exec.LookPath("reconcile")), strings.Join(args, " "))
	return s.command("unshare", "-m", "-p", "-f", "-u", "--kill-child", "sh", "-c", script)
}

// TestTwoProjectsAtOnce applies two projects at the same time to an empty store, with the same
// lock and with different locks that share wheels, in processes and in containers. Every wheel is
// downloaded and unpacked once.
func TestTwoProjectsAtOnce(t *testing.T) {
	t.Parallel()
	all := append(sharedWheels(6), wheel{name: "alpha", version: "1.0"}, wheel{name: "beta", version: "1.0"})
	var shared []string
	for _, w := range all[:6] {
		shared = append(shared, w.name+"==1.0")
	}
	for _, c := range []struct {
		name          string
		first, second []string // pins besides the shared ones
		dists         int
		containers    bool
	}{
		{name: "one lock", dists: 6},
		{name: "two locks", first: []string{"alpha==1.0"}, second: []string{"beta==1.0"}, dists: 8},
		{name: "containers", first: []string{"alpha==1.0"}, second: []string{"beta==1.0"}, dists: 8, containers: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.containers {
				if ok, err := condition("unshare"); err != nil || !ok {
					t.Skip("containers need root, linux and unshare")
				}
			}
			x := newMirror(t, all...)
			a := newSite(t, x.indexURL())
			b := a.other("other")
			a.pin(append(c.first, shared...)...)
			b.pin(append(c.second, shared...)...)
			check(t, os.RemoveAll(a.store("")))
			count := x.downloads(func(string) { time.Sleep(50 * time.Millisecond) })
			var running []*process
			for i, s := range []*site{a, b} {
				args := []string{"apply", "-y", "--env", "local"}
				if c.containers {
					running = append(running, s.startCommand(s.container(fmt.Sprintf("c%d", i), args...)))
				} else {
					running = append(running, s.start(args...))
				}
			}
			for _, p := range running {
				if e := p.wait(); e.code != 0 {
					t.Errorf("%s", e)
				}
			}
			for file, n := range count() {
				if n != 1 {
					t.Errorf("%s was downloaded %d times", file, n)
				}
			}
			a.checkStore(c.dists)
			for _, s := range []*site{a, b} {
				s.want(0, "plan", "--detailed-exitcode", "--env", "local")
				s.want(0, "verify", "--deep", "--env", "local")
				s.wantImports("1.0 1.0", "shared0", "shared5.late")
				s.checkNoTemporaries()
			}
		})
	}
}

// TestKilledBesideAnotherProject kills an apply that downloads a wheel while another project
// waits for the same wheel, which then continues the download.
func TestKilledBesideAnotherProject(t *testing.T) {
	t.Parallel()
	w := sharedWheels(1)[0]
	x := newMirror(t, w)
	a := newSite(t, x.indexURL())
	b := a.other("other")
	for _, s := range []*site{a, b} {
		s.pin("shared0==1.0")
	}
	check(t, os.RemoveAll(a.store("")))
	begun, content := make(chan bool, 8), w.bytes()
	var ranges []string
	first := true
	x.setFault(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/files/") || r.Method != http.MethodGet {
			return false
		}
		ranges = append(ranges, r.Header.Get("Range"))
		if !first {
			return false
		}
		first = false
		rw.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = rw.Write(content[:len(content)/2])
		rw.(http.Flusher).Flush()
		begun <- true
		<-r.Context().Done()
		return true
	})
	killed := a.start("apply", "-y", "--env", "local")
	<-begun
	half := func() bool {
		found, _ := filepath.Glob(layout.Temp(a.store("")) + "/*.partial")
		if len(found) == 0 {
			return false
		}
		info, err := os.Stat(found[0])
		return err == nil && info.Size() >= int64(len(content)/4)
	}
	a.waitUntil(killed, "a part of the wheel is on the disk", half)
	waits := b.start("apply", "-y", "--env", "local", "-v")
	b.waitFor(waits, "venv.local: ")
	a.kill(killed)
	if e := waits.wait(); e.code != 0 {
		t.Fatalf("the apply that waited: %s", e)
	}
	if len(ranges) != 2 || ranges[1] == "" {
		t.Errorf("the second download did not continue the first: ranges %q", ranges)
	}
	b.checkStore(1)
	b.want(0, "verify", "--deep", "--env", "local")
	a.checkConverges()
	a.wantImports("1.0", "shared0")
	if len(ranges) != 2 {
		t.Errorf("the wheel was downloaded again: ranges %q", ranges)
	}
}
