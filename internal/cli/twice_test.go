package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lazy is a wheel whose import takes as long as a file stands in a folder: it
// writes "began" there, and goes on when "slow" is gone. With deaf it does not
// listen to SIGTERM.
func slowWheel(version, folder string, ignoreTerm bool) wheel {
	init := fmt.Sprintf(`
import os, signal, time
if os.path.exists(%[1]q + "/slow"):
    if %[2]s:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(%[1]q + "/began", "w").close()
    for _ in range(600):
        if os.path.exists(%[1]q + "/slow"):
            time.sleep(0.1)
`, folder, map[bool]string{true: "True", false: "False"}[ignoreTerm])
	return wheel{name: "lazy", version: version, init: init}
}

// busy is a site with an apply that is in the middle of a change: it proves a
// second version of "lazy", and waits.
type busySite struct {
	*site
	first  *process
	folder string
}

func newBusySite(t *testing.T, ignoreTerm bool) *busySite {
	t.Helper()
	folder := t.TempDir()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, slowWheel("1.0", t.TempDir(), false), slowWheel("2.0", folder, ignoreTerm))
	b := &busySite{site: newSite(t, x.indexURL()), folder: folder}
	b.pinVersion("1.0")
	b.checkConverges()
	b.pinVersion("2.0")
	check(t, os.WriteFile(filepath.Join(folder, "slow"), nil, 0o600))
	b.first = b.startSmokeTest()
	return b
}

// ask wants a version of lazy.
func (b *busySite) pinVersion(version string) {
	b.t.Helper()
	b.write("manifest.yaml", environmentManifest("uv", "alpha==1.0", "lazy=="+version))
	b.want(0, "lock", "--env", "local")
}

// proving starts an apply and returns when its import has begun.
func (b *busySite) startSmokeTest(args ...string) *process {
	b.t.Helper()
	began := filepath.Join(b.folder, "began")
	_ = os.Remove(began)
	p := b.start(append([]string{"apply", "-y", "--env", "local", "-v"}, args...)...)
	b.waitUntil(p, "it proves", func() bool { _, err := os.Stat(began); return err == nil })
	return p
}

// goOn lets the import end.
func (b *busySite) finishImport() {
	b.t.Helper()
	check(b.t, os.Remove(filepath.Join(b.folder, "slow")))
}

// until waits until something holds while a run goes on.
func (s *site) waitUntil(p *process, what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.done:
			s.t.Fatalf("it ended before %s\n%s", what, p.wait())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s\n%s%s", what, p.out.String(), p.err.String())
		}
	}
}

// awaits waits until a run has printed a text on standard error.
func (s *site) waitFor(p *process, text string) {
	s.t.Helper()
	s.waitUntil(p, fmt.Sprintf("it says %q", text), func() bool { return strings.Contains(p.err.String(), text) })
}

func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	second := b.want(5, "apply", "-y", "--env", "local")
	if !second.contains(fmt.Sprintf("process %d", b.first.cmd.Process.Pid), "apply -y --env local -v", "--lock-timeout") {
		t.Errorf("the second does not say who holds the lock and what to do\n%s", second)
	}
	if !second.contains("nothing was changed") {
		t.Errorf("the second does not say that it changed nothing\n%s", second)
	}
	third := b.start("apply", "-y", "--env", "local", "--lock-timeout", "2m")
	b.waitFor(third, "Waiting for")
	b.finishImport()
	if e := b.first.wait(); e.code != 0 {
		t.Errorf("the first, which nothing disturbed: %s", e)
	}
	if e := third.wait(); e.code != 0 {
		t.Errorf("the one that waited: %s", e)
	}
	b.wantImports("1.0 2.0", "alpha", "lazy")
	b.checkConverges()
}

func TestReaderSeesOldOrNew(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	b.wantImports("1.0 1.0", "alpha", "lazy")
	if e := b.run("plan", "--env", "local"); e.code != 0 || !e.contains("lazy", "1.0", "2.0") {
		t.Errorf("plan beside an apply: %s", e)
	}
	if e := b.run("run", "--env", "local", "--", "python", "-c", "import lazy; print(lazy.version)"); e.out != "1.0\n" {
		t.Errorf("run beside an apply: %s", e)
	}
	b.finishImport()
	if e := b.first.wait(); e.code != 0 {
		t.Errorf("an apply that was looked at: %s", e)
	}
	b.wantImports("1.0 2.0", "alpha", "lazy")
}

func TestLockIsReleasedWhenHolderDies(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	b.kill(b.first)
	// Each of these is a holder that is killed in the middle of its work.
	for range 20 {
		p := b.start("apply", "-y", "--env", "local", "-v", "--lock-timeout", "10s")
		b.waitFor(p, "venv.local: ")
		b.kill(p)
	}
	b.wantImports("1.0 1.0", "alpha", "lazy")
	b.finishImport()
	begun := time.Now()
	b.want(0, "apply", "-y", "--env", "local", "--lock-timeout", "1s")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the apply after the kills waited: it took %s", took)
	}
	b.checkConverges()
	b.wantImports("1.0 2.0", "alpha", "lazy")
	b.checkNoProcesses()
}

// killed kills a run, reconcile alone.
func (s *site) kill(p *process) {
	s.t.Helper()
	p.signal(syscall.SIGKILL)
	if e := p.wait(); e.signal != syscall.SIGKILL {
		s.t.Fatalf("it was not killed: %s", e)
	}
}

// alone fails the test where a process of this site goes on for more than a
// moment.
func (s *site) checkNoProcesses() {
	s.t.Helper()
	var left []string
	for range 50 {
		if left = s.processes(); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Errorf("processes are left:\n%s", strings.Join(left, "\n"))
}
