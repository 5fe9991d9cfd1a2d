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

// stopped waits for a run that was asked to stop, and shows what must hold then:
// it ended in time and says so, no child goes on, and what was visible still is.
func (b *busySite) checkStopped(p *process, asked time.Time, within time.Duration) runResult {
	b.t.Helper()
	e := p.wait()
	if took := time.Since(asked); took > within {
		b.t.Errorf("it took %s to stop, more than %s", took, within)
	}
	if e.code != 130 || !e.contains("Interrupted", "reconcile apply") {
		b.t.Errorf("a run that was stopped: %s", e)
	}
	b.checkNoProcesses()
	b.wantImports("1.0 1.0", "alpha", "lazy")
	return e
}

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

// A child that does not listen gets its grace; whoever asks twice waits for
// nobody.
func TestStoppedWithChildThatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, true)
	b.first.signal(syscall.SIGINT)
	b.checkStopped(b.first, time.Now(), 10*time.Second)
	b.first = b.startSmokeTest()
	b.first.signal(syscall.SIGINT)
	b.waitFor(b.first, "Press again")
	b.first.signal(syscall.SIGINT)
	b.checkStopped(b.first, time.Now(), 2*time.Second)
	b.finishImport()
	b.checkConverges()
	b.wantImports("1.0 2.0", "alpha", "lazy")
}

// stuck is a site in the middle of an install whose index does not answer for a
// file.
func newStuckInstall(t *testing.T, installer string) (*busySite, *mirror) {
	t.Helper()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, slowWheel("1.0", t.TempDir(), false), slowWheel("2.0", t.TempDir(), false))
	b := &busySite{site: newSite(t, x.indexURL())}
	pinVersion := func(version string) {
		b.write("manifest.yaml", environmentManifest(installer, "alpha==1.0", "lazy=="+version))
		b.want(0, "lock", "--env", "local")
	}
	pinVersion("1.0")
	b.checkConverges()
	pinVersion("2.0")
	check(t, os.RemoveAll(b.path(".reconcile/cache")))
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
	b.waitUntil(b.first, "it asks for the file", func() bool {
		select {
		case <-hang:
			return true
		default:
			return false
		}
	})
	return b, x
}

func TestStoppedDuringInstall(t *testing.T) {
	for _, installer := range []string{"uv", "pip"} {
		t.Run(installer, func(t *testing.T) {
			t.Parallel()
			b, x := newStuckInstall(t, installer)
			b.first.signal(syscall.SIGINT)
			b.checkStopped(b.first, time.Now(), 10*time.Second)
			x.setFault(nil)
			b.checkConverges()
			b.wantImports("1.0 2.0", "alpha", "lazy")
		})
	}
}

// A lock is interrupted like an apply; it has changed nothing.
func TestLockStopped(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	x.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		return true
	})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("uv", "alpha==1.0"))
	temporary := t.TempDir()
	p := s.with("TMPDIR="+temporary).start("lock", "--env", "local")
	<-asked
	p.signal(syscall.SIGINT)
	begun := time.Now()
	e := p.wait()
	if took := time.Since(begun); e.code != 130 || took > 10*time.Second {
		t.Errorf("a lock that was stopped, %s later: %s", took, e)
	}
	s.checkNoProcesses()
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("%v, %v is left in the folder for temporary files", err, left)
	}
	if _, err := os.Stat(s.path("locks")); !os.IsNotExist(err) {
		t.Errorf("the locks: %v", err)
	}
}

// Whoever reads the output may go away: `reconcile apply | head -1` applies all
// of it.
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

// What run starts is a program like any other: signals do what they always do.
func TestRunKeepsDefaultSignals(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	b.kill(b.first)
	e := b.run("run", "--env", "local", "--", "sh", "-c", "kill -PIPE $$; echo still here")
	if e.signal != syscall.SIGPIPE || e.out != "" {
		t.Errorf("a program that sends itself SIGPIPE: %s", e)
	}
}

// The window of a terminal is closed in the middle of an apply: that is SIGHUP,
// and nobody is left to write to.
func TestTerminalIsClosed(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil || platform()[:5] != "linux" {
		t.Skip("no script command of util-linux to make a terminal with")
	}
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("these tests were started with SIGHUP ignored, as nohup does, and so is all that they start")
	}
	b := newBusySite(t, false)
	b.kill(b.first)
	began := filepath.Join(b.folder, "began")
	check(t, os.Remove(began))
	cmd := b.command(script, "-qec", must(exec.LookPath("reconcile"))+" apply -y --env local --lock-timeout 10s", "/dev/null")
	p := b.startCommand(cmd)
	b.waitUntil(p, "it proves", func() bool { _, err := os.Stat(began); return err == nil })
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
