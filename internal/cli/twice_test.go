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
func lazy(version, folder string, deaf bool) wheel {
	init := fmt.Sprintf(`
import os, signal, time
if os.path.exists(%[1]q + "/slow"):
    if %[2]s:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(%[1]q + "/began", "w").close()
    for _ in range(600):
        if os.path.exists(%[1]q + "/slow"):
            time.sleep(0.1)
`, folder, map[bool]string{true: "True", false: "False"}[deaf])
	return wheel{name: "lazy", version: version, init: init}
}

// busy is a site with an apply that is in the middle of a change: it proves a
// second version of "lazy", and waits.
type busy struct {
	*site
	first  *process
	folder string
}

func newBusy(t *testing.T, deaf bool) *busy {
	t.Helper()
	folder := t.TempDir()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, lazy("1.0", t.TempDir(), false), lazy("2.0", folder, deaf))
	b := &busy{site: newSite(t, x.simple()), folder: folder}
	b.ask("1.0")
	b.converges()
	b.ask("2.0")
	check(t, os.WriteFile(filepath.Join(folder, "slow"), nil, 0o600))
	b.first = b.proving()
	return b
}

// ask wants a version of lazy.
func (b *busy) ask(version string) {
	b.t.Helper()
	b.write("manifest.yaml", environmentManifest("uv", "alpha==1.0", "lazy=="+version))
	b.want(0, "lock", "--env", "local")
}

// proving starts an apply and returns when its import has begun.
func (b *busy) proving(args ...string) *process {
	b.t.Helper()
	began := filepath.Join(b.folder, "began")
	_ = os.Remove(began)
	p := b.start(append([]string{"apply", "-y", "--env", "local", "-v"}, args...)...)
	b.until(p, "it proves", func() bool { _, err := os.Stat(began); return err == nil })
	return p
}

// goOn lets the import end.
func (b *busy) goOn() {
	b.t.Helper()
	check(b.t, os.Remove(filepath.Join(b.folder, "slow")))
}

// until waits until something holds while a run goes on.
func (s *site) until(p *process, what string, holds func() bool) {
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
func (s *site) awaits(p *process, text string) {
	s.t.Helper()
	s.until(p, fmt.Sprintf("it says %q", text), func() bool { return strings.Contains(p.err.String(), text) })
}

func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBusy(t, false)
	second := b.want(5, "apply", "-y", "--env", "local")
	if !second.says(fmt.Sprintf("process %d", b.first.cmd.Process.Pid), "apply -y --env local -v", "--lock-timeout") {
		t.Errorf("the second does not say who holds the lock and what to do\n%s", second)
	}
	if !second.says("nothing was changed") {
		t.Errorf("the second does not say that it changed nothing\n%s", second)
	}
	third := b.start("apply", "-y", "--env", "local", "--lock-timeout", "2m")
	b.awaits(third, "Waiting for")
	b.goOn()
	if e := b.first.wait(); e.code != 0 {
		t.Errorf("the first, which nothing disturbed: %s", e)
	}
	if e := third.wait(); e.code != 0 {
		t.Errorf("the one that waited: %s", e)
	}
	b.wantImports("1.0 2.0", "alpha", "lazy")
	b.converges()
}

func TestAReaderSeesOldOrNew(t *testing.T) {
	t.Parallel()
	b := newBusy(t, false)
	b.wantImports("1.0 1.0", "alpha", "lazy")
	if e := b.run("plan", "--env", "local"); e.code != 0 || !e.says("lazy", "1.0", "2.0") {
		t.Errorf("plan beside an apply: %s", e)
	}
	if e := b.run("run", "--env", "local", "--", "python", "-c", "import lazy; print(lazy.version)"); e.out != "1.0\n" {
		t.Errorf("run beside an apply: %s", e)
	}
	b.goOn()
	if e := b.first.wait(); e.code != 0 {
		t.Errorf("an apply that was looked at: %s", e)
	}
	b.wantImports("1.0 2.0", "alpha", "lazy")
}

func TestTheLockDiesWithItsHolder(t *testing.T) {
	t.Parallel()
	b := newBusy(t, false)
	b.killed(b.first)
	// Each of these is a holder that is killed in the middle of its work.
	for range 20 {
		p := b.start("apply", "-y", "--env", "local", "-v", "--lock-timeout", "10s")
		b.awaits(p, "venv.local: ")
		b.killed(p)
	}
	b.wantImports("1.0 1.0", "alpha", "lazy")
	b.goOn()
	begun := time.Now()
	b.want(0, "apply", "-y", "--env", "local", "--lock-timeout", "1s")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the apply after the kills waited: it took %s", took)
	}
	b.converges()
	b.wantImports("1.0 2.0", "alpha", "lazy")
	b.alone()
}

// killed kills a run, reconcile alone.
func (s *site) killed(p *process) {
	s.t.Helper()
	p.signal(syscall.SIGKILL)
	if e := p.wait(); e.signal != syscall.SIGKILL {
		s.t.Fatalf("it was not killed: %s", e)
	}
}

// alone fails the test where a process of this site goes on for more than a
// moment.
func (s *site) alone() {
	s.t.Helper()
	var left []string
	for range 50 {
		if left = s.children(); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Errorf("processes are left:\n%s", strings.Join(left, "\n"))
}
