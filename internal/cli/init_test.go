package cli

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// TestInitOnFullDisk checks that init leaves no file if it cannot write all files.
func TestInitOnFullDisk(t *testing.T) {
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	mountTmpfs(t, dir, "size=64k,mode=755")
	for _, words := range [][]string{{"init"}, {"init", "below/new"}} {
		cmd := exec.Command(must(exec.LookPath("reconcile")), words...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); err == nil || code != exit.Error || !strings.Contains(string(out), "init.write") || !strings.Contains(string(out), "no space left") {
			t.Errorf("%v on a full disk ends with %d: %s", words, code, out)
		}
		if left := session.ListNames(dir); len(left) > 0 {
			t.Errorf("%v on a full disk leaves %v", words, left)
		}
	}
}

// TestInitAsks checks that no program of an adopted project runs unless the user agrees, and that
// the manifest stays.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys string
		code int
	}{
		"no":           {"no\n", exit.Error},
		"interrupt":    {"\x03", exit.Interrupted},
		"end of input": {"\x04", exit.Error},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			s.write("setup.py", "open('ran', 'w')\nfrom setuptools import setup\nsetup(name='mine', version='1')\n")
			p, keys := s.startWithTerminalInput("init")
			s.waitFor(p, "Run them?")
			if _, err := keys.WriteString(c.keys); err != nil {
				t.Fatal(err)
			}
			e := p.wait()
			if e.code != c.code || !e.contains("mine (setup.py)", "Nothing is locked; `reconcile lock` does it.") {
				t.Errorf("want exit code %d\n%s", c.code, e)
			}
			if left := strings.Join(session.ListNames(s.root), " "); left != "manifest.yaml setup.py" {
				t.Errorf("the folder has %s", left)
			}
		})
	}
}

// TestInitIsInterrupted interrupts init while the index does not answer: the manifest stays, and
// nothing is locked.
func TestInitIsInterrupted(t *testing.T) {
	t.Parallel()
	x := newMirror(t)
	reached := make(chan struct{}, 100)
	x.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		reached <- struct{}{}
		<-r.Context().Done()
		return true
	}
	s := newSite(t, x.indexURL())
	s.write("requirements.txt", "six\n")
	s.write(".python-version", "3.10\n")
	p := s.start("init")
	select {
	case <-reached:
	case e := <-waited(p):
		t.Fatal(e)
	}
	p.signal(syscall.SIGINT)
	if e := p.wait(); e.code != exit.Interrupted || !e.contains("Wrote manifest.yaml", "nothing is locked") {
		t.Error(e)
	}
	if left := strings.Join(session.ListNames(s.root), " "); left != ".python-version manifest.yaml requirements.txt" {
		t.Errorf("the folder has %s", left)
	}
}

// waited returns a channel that receives the result of a process.
func waited(p *process) <-chan runResult {
	done := make(chan runResult, 1)
	go func() { done <- p.wait() }()
	return done
}
