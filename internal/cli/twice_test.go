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

// slowWheel returns a wheel whose import waits while the file "slow" exists in a folder, and
// creates the file "began" there. With ignoreTerm it ignores SIGTERM.
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

// A busySite is a site with a running apply, whose smoke test of a new version of "lazy" waits.
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

// pinVersion pins a version of lazy and locks.
func (b *busySite) pinVersion(version string) {
	b.t.Helper()
	b.write("manifest.yaml", environmentManifest("alpha==1.0", "lazy=="+version))
	b.want(0, "lock", "--env", "local")
}

// startSmokeTest starts an apply and returns when its smoke test waits.
func (b *busySite) startSmokeTest(args ...string) *process {
	b.t.Helper()
	began := filepath.Join(b.folder, "began")
	_ = os.Remove(began)
	p := b.start(append([]string{"apply", "-y", "--env", "local", "-v"}, args...)...)
	b.waitUntil(p, "the smoke test runs", func() bool { _, err := os.Stat(began); return err == nil })
	return p
}

// finishImport lets the import end.
func (b *busySite) finishImport() {
	b.t.Helper()
	check(b.t, os.Remove(filepath.Join(b.folder, "slow")))
}

// waitUntil waits until a condition is true while a process runs.
func (s *site) waitUntil(p *process, what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.done:
			s.t.Fatalf("the process ended before %s\n%s", what, p.wait())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("timeout: %s\n%s%s", what, p.out.String(), p.err.String())
		}
	}
}

// waitFor waits until a process has printed a text on standard error.
func (s *site) waitFor(p *process, text string) {
	s.t.Helper()
	s.waitUntil(p, fmt.Sprintf("it printed %q", text), func() bool { return strings.Contains(p.err.String(), text) })
}

// TestTwoAppliesAtOnce checks that an apply is refused while another one runs, and that one with
// --lock-timeout waits for it.
func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	second := b.want(5, "apply", "-y", "--env", "local")
	if !second.contains(fmt.Sprintf("process %d", b.first.cmd.Process.Pid), "apply -y --env local -v", "--lock-timeout") {
		t.Errorf("the second does not name the holder of the lock and the flag to wait\n%s", second)
	}
	if !second.contains("nothing was changed") {
		t.Errorf("the second does not report that it changed nothing\n%s", second)
	}
	third := b.start("apply", "-y", "--env", "local", "--lock-timeout", "2m")
	b.waitFor(third, "Waiting for")
	b.finishImport()
	if e := b.first.wait(); e.code != 0 {
		t.Errorf("the first: %s", e)
	}
	if e := third.wait(); e.code != 0 {
		t.Errorf("the third, which waited: %s", e)
	}
	b.wantImports("1.0 2.0", "alpha", "lazy")
	b.checkConverges()
}

// TestReaderSeesOldOrNew checks that the old environment is active until the new one is complete.
func TestReaderSeesOldOrNew(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	b.wantImports("1.0 1.0", "alpha", "lazy")
	if e := b.run("plan", "--env", "local"); e.code != 0 || !e.contains("lazy", "1.0", "2.0") {
		t.Errorf("plan during an apply: %s", e)
	}
	if e := b.run("run", "--env", "local", "--", "python", "-c", "import lazy; print(lazy.version)"); e.out != "1.0\n" {
		t.Errorf("run during an apply: %s", e)
	}
	b.finishImport()
	if e := b.first.wait(); e.code != 0 {
		t.Errorf("the apply: %s", e)
	}
	b.wantImports("1.0 2.0", "alpha", "lazy")
}

// TestLockIsReleasedWhenHolderDies checks that a killed apply does not leave the lock held.
func TestLockIsReleasedWhenHolderDies(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	b.kill(b.first)
	// Each of these acquires the lock and is killed during its work.
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

// kill kills a process, not its children.
func (s *site) kill(p *process) {
	s.t.Helper()
	p.signal(syscall.SIGKILL)
	if e := p.wait(); e.signal != syscall.SIGKILL {
		s.t.Fatalf("the process was not killed: %s", e)
	}
}

// checkNoProcesses checks that all processes of this site end within a second.
func (s *site) checkNoProcesses() {
	s.t.Helper()
	var left []string
	for range 50 {
		if left = s.processes(); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Errorf("processes are still running:\n%s", strings.Join(left, "\n"))
}
