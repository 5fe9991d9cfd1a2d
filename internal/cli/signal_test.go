package cli

import (
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// checkStopped waits for a run that received a signal, and checks that it ended in time with a
// message, that no child is running, and that the active environment is unchanged.
func (b *busySite) checkStopped(p *process, sent time.Time, within time.Duration) runResult {
	b.t.Helper()
	e := p.wait()
	if took := time.Since(sent); took > within {
		b.t.Errorf("the run ended after %s, more than %s", took, within)
	}
	if e.code != 130 || !e.contains("Interrupted", "reconcile apply") {
		b.t.Errorf("a run that was stopped: %s", e)
	}
	b.checkNoProcesses()
	b.wantImports("1.0 1.0", "alpha", "lazy")
	return e
}

// TestStoppedDuringSmokeTest checks that apply ends cleanly on each signal during a smoke test.
func TestStoppedDuringSmokeTest(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBusySite(t, false)
			b.first.signal(signal)
			b.checkStopped(b.first, time.Now(), 10*time.Second)
			b.finishImport()
			b.checkConverges()
			b.wantImports("1.0 2.0", "alpha", "lazy")
		})
	}
}

// TestStoppedWithChildThatIgnoresSIGTERM checks that apply ends within the grace period if a
// child ignores SIGTERM, and at once on a second signal.
func TestStoppedWithChildThatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, true)
	b.first.signal(syscall.SIGINT)
	b.checkStopped(b.first, time.Now(), 10*time.Second)
	b.first = b.startSmokeTest()
	b.first.signal(syscall.SIGINT)
	b.waitFor(b.first, "Interrupt again")
	b.first.signal(syscall.SIGINT)
	b.checkStopped(b.first, time.Now(), 2*time.Second)
	b.finishImport()
	b.checkConverges()
	b.wantImports("1.0 2.0", "alpha", "lazy")
}

// newStuckInstall returns a site with a running apply whose index does not send a file.
func newStuckInstall(t *testing.T) (*busySite, *mirror) {
	t.Helper()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, slowWheel("1.0", t.TempDir(), false), slowWheel("2.0", t.TempDir(), false))
	b := &busySite{site: newSite(t, x.indexURL())}
	pinVersion := func(version string) {
		b.write("manifest.yaml", environmentManifest("alpha==1.0", "lazy=="+version))
		b.want(0, "lock", "--env", "local")
	}
	pinVersion("1.0")
	b.checkConverges()
	pinVersion("2.0")
	check(t, os.RemoveAll(b.store("cache")))
	hang := make(chan struct{})
	x.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/files/lazy-2.0") {
			select {
			case <-hang:
			default:
				close(hang)
			}
			<-r.Context().Done()
			return true
		}
		return false
	})
	b.first = b.start("apply", "-y", "--env", "local", "-v")
	b.waitUntil(b.first, "the request for the file", func() bool {
		select {
		case <-hang:
			return true
		default:
			return false
		}
	})
	return b, x
}

// TestStoppedDuringInstall checks that apply ends cleanly on SIGINT during an install.
func TestStoppedDuringInstall(t *testing.T) {
	t.Parallel()
	b, x := newStuckInstall(t)
	b.first.signal(syscall.SIGINT)
	b.checkStopped(b.first, time.Now(), 10*time.Second)
	x.setFault(nil)
	b.checkConverges()
	b.wantImports("1.0 2.0", "alpha", "lazy")
}

// TestLockStopped checks that an interrupted lock ends in time and leaves no file.
func TestLockStopped(t *testing.T) {
	t.Parallel()
	requests := make(chan struct{}, 100)
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	x.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		requests <- struct{}{}
		<-r.Context().Done()
		return true
	})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	temporary := t.TempDir()
	p := s.with("TMPDIR="+temporary).start("lock", "--env", "local")
	<-requests
	p.signal(syscall.SIGINT)
	begun := time.Now()
	e := p.wait()
	if took := time.Since(begun); e.code != 130 || took > 10*time.Second {
		t.Errorf("an interrupted lock, after %s: %s", took, e)
	}
	s.checkNoProcesses()
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("%v, the folder for temporary files has %v", err, left)
	}
	if _, err := os.Stat(s.path("locks")); !os.IsNotExist(err) {
		t.Errorf("the locks: %v", err)
	}
}

// TestOutputPipeIsClosed checks that commands complete if the reader of their output ends, as in
// `reconcile apply | head -1`.
func TestOutputPipeIsClosed(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	manifest := "version: 1\nproject: site\ndirectories:\n"
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		manifest += "  dir_" + name + ": {path: " + name + "}\n"
	}
	s.write("manifest.yaml", manifest)
	for _, words := range [][]string{{"plan"}, {"apply", "-y"}, {"apply", "-y", "--json"}} {
		r, w, err := os.Pipe()
		check(t, err)
		check(t, r.Close())
		cmd := s.command(must(exec.LookPath("reconcile")), words...)
		cmd.Stdout = w
		p := s.startCommand(cmd)
		check(t, w.Close())
		if e := p.wait(); e.code != 0 || e.err != "" && strings.Contains(e.err, "pipe") {
			t.Errorf("reconcile %v into a closed pipe: %s", words, e)
		}
	}
	s.want(0, "plan", "--detailed-exitcode")
}

// TestRunKeepsDefaultSignals checks that a program started by run has the default handlers of
// signals.
func TestRunKeepsDefaultSignals(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	b.kill(b.first)
	e := b.run("run", "--env", "local", "--", "sh", "-c", "kill -PIPE $$; echo still here")
	if e.signal != syscall.SIGPIPE || e.out != "" {
		t.Errorf("a program that sends itself SIGPIPE: %s", e)
	}
}

// TestTerminalIsClosed checks that apply ends cleanly if its terminal is closed: it receives
// SIGHUP and cannot write any more.
func TestTerminalIsClosed(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil || platform()[:5] != "linux" {
		t.Skip("no script command of util-linux, which creates a terminal")
	}
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("SIGHUP is ignored, as with nohup, and child processes inherit this")
	}
	b := newBusySite(t, false)
	b.kill(b.first)
	began := filepath.Join(b.folder, "began")
	check(t, os.Remove(began))
	cmd := b.command(script, "-qec", must(exec.LookPath("reconcile"))+" apply -y --env local --lock-timeout 10s", "/dev/null")
	p := b.startCommand(cmd)
	b.waitUntil(p, "the smoke test runs", func() bool { _, err := os.Stat(began); return err == nil })
	b.kill(p)
	for range 100 {
		if len(b.processes()) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.checkNoProcesses()
	b.wantImports("1.0 1.0", "alpha", "lazy")
	b.finishImport()
	b.checkConverges()
	b.wantImports("1.0 2.0", "alpha", "lazy")
}
