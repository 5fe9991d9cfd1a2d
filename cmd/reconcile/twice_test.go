package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sleeper is a wheel whose import takes long enough to be interrupted: it says
// that it began in the file that MARK names, or nothing, and sleeps.
func sleeper(version string, seconds int) wheel {
	return wheel{name: "sleeper", version: version, init: fmt.Sprintf("import time; time.sleep(%d)\n", seconds)}
}

// busy is a site in which an apply is proving an environment for seconds.
func busy(t *testing.T, seconds int) (*site, *process) {
	t.Helper()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, sleeper("1.0", 0), sleeper("2.0", seconds))
	s := newSite(t, x.simple())
	s.write("manifest.yaml", environmentManifest("uv", "alpha==1.0", "sleeper==1.0"))
	s.want(0, "lock", "--env", "local")
	s.converges()
	s.write("manifest.yaml", environmentManifest("uv", "alpha==1.0", "sleeper==2.0"))
	s.want(0, "lock", "--env", "local")
	p := s.start("apply", "-y", "--env", "local", "-v")
	s.awaits(p, "prove")
	return s, p
}

// awaits waits until a run has printed a text on standard error.
func (s *site) awaits(p *process, text string) {
	s.t.Helper()
	for deadline := time.Now().Add(limit); !strings.Contains(p.err.String(), text); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.done:
			s.t.Fatalf("it ended before it said %q\n%s", text, p.wait())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("it never said %q\n%s%s", text, p.out.String(), p.err.String())
		}
	}
}

func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	s, first := busy(t, 3)
	second := s.want(5, "apply", "-y", "--env", "local")
	if !second.says(fmt.Sprintf("process %d", first.cmd.Process.Pid), "apply -y --env local -v", "--lock-timeout") {
		t.Errorf("the second does not say who holds the lock and what to do\n%s", second)
	}
	if !second.says("nothing was changed") {
		t.Errorf("the second does not say that it changed nothing\n%s", second)
	}
	third := s.start("apply", "-y", "--env", "local", "--lock-timeout", "2m")
	s.awaits(third, "Waiting for")
	if e := first.wait(); e.code != 0 {
		t.Errorf("the first, which nothing disturbed: %s", e)
	}
	if e := third.wait(); e.code != 0 {
		t.Errorf("the one that waited: %s", e)
	}
	s.wantImports("1.0 2.0", "alpha", "sleeper")
	s.converges()
}

func TestAReaderSeesOldOrNew(t *testing.T) {
	t.Parallel()
	s, first := busy(t, 2)
	s.wantImports("1.0 1.0", "alpha", "sleeper")
	if e := s.run("plan", "--env", "local"); e.code != 0 || !e.says("sleeper", "1.0", "2.0") {
		t.Errorf("plan beside an apply: %s", e)
	}
	if e := s.run("run", "--env", "local", "--", "python", "-c", "import sleeper; print(sleeper.version)"); e.out != "1.0\n" {
		t.Errorf("run beside an apply: %s", e)
	}
	if e := first.wait(); e.code != 0 {
		t.Errorf("an apply that was looked at: %s", e)
	}
	s.wantImports("1.0 2.0", "alpha", "sleeper")
}

func TestTheLockDiesWithItsHolder(t *testing.T) {
	t.Parallel()
	s, p := busy(t, 30)
	p.signal(syscall.SIGKILL)
	if e := p.wait(); e.signal != syscall.SIGKILL {
		t.Fatalf("it was not killed: %s", e)
	}
	// Each of these is a holder that is killed as soon as it has the lock.
	for n := range 20 {
		p := s.start("apply", "-y", "--env", "local", "-v", "--lock-timeout", "10s")
		s.awaits(p, "venv.local: ")
		p.signal(syscall.SIGKILL)
		if e := p.wait(); e.signal != syscall.SIGKILL {
			t.Fatalf("number %d was not killed: %s", n, e)
		}
	}
	s.wantImports("1.0 1.0", "alpha", "sleeper")
	s.write("manifest.yaml", environmentManifest("uv", "alpha==1.0", "sleeper==1.0"))
	s.want(0, "lock", "--env", "local")
	begun := time.Now()
	s.converges()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the apply after the kills waited: it took %s", took)
	}
	if left := s.children(); len(left) > 0 {
		t.Errorf("processes are left:\n%s", strings.Join(left, "\n"))
	}
}
