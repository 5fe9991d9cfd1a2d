package apply

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/redact"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// helper runs one of the programs of Run steps.
func helper(name string) {
	switch name {
	case "touch":
		if err := os.WriteFile(os.Getenv("TARGET"), []byte(os.Getenv("INDEX")), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "print":
		fmt.Println("looking in", os.Getenv("INDEX"), "\x1b[31m")
	case "fail":
		fmt.Fprintln(os.Stderr, "no matching distribution at", os.Getenv("INDEX"))
		os.Exit(3)
	case "stderr":
		fmt.Fprint(os.Stderr, os.Getenv("TEXT"))
		os.Exit(2)
	case "apply":
		childApply()
	case "sleep":
		fmt.Println("asleep")
		time.Sleep(time.Minute)
	}
}

func self(name string, s resources.Run) resources.Run {
	s.Program, s.Env = os.Args[0], append(s.Env, "APPLY_HELPER="+name)
	return s
}

func TestRunPassesTheIndexAndRedactsIt(t *testing.T) {
	w := newWorld(t)
	redactor := redact.New()
	redactor.AddURL("https://ann:hunter2@mirror.example/simple")
	index := func(o *Options) {
		o.IndexEnv, o.Redactor = []string{"INDEX=https://ann:hunter2@mirror.example/simple"}, redactor
	}
	r := w.apply(t.Context(), w.plan(wantMade("out", self("print", resources.Run{Index: true}), self("touch", resources.Run{Index: true, Env: []string{"TARGET=out"}}))), index)
	r.want(t, "made.out", Done, "")
	if got := w.read("out"); !strings.Contains(got, "hunter2") {
		t.Errorf("the program got %q", got)
	}
	var lines []string
	for _, ev := range w.events {
		if ev.Kind == Log {
			lines = append(lines, ev.Stream+" "+ev.Text)
		}
	}
	if got := strings.Join(lines, "|"); got != `stdout looking in https://***@mirror.example/simple \x1b[31m` {
		t.Errorf("log is %q", got)
	}
	r = w.apply(t.Context(), w.plan(wantMade("fail", self("fail", resources.Run{Index: true}))), index)
	p := r.want(t, "made.fail", Failed, "apply.program")
	if !strings.Contains(p.Found, "no matching distribution at https://***@mirror") || !strings.Contains(p.Summary, "exit status 3") {
		t.Errorf("got %v", p)
	}
}

func TestRunExplainsIndexErrors(t *testing.T) {
	zeros, ones := strings.Repeat("0", 64), strings.Repeat("1", 64)
	for name, c := range map[string]struct{ stderr, code, summary, found string }{
		"network": {
			"Using Python 3.10\nerror: Request failed after 3 retries\n  cause: Failed to fetch: https://i/simple/six/\n  cause: tcp connect error\n",
			"apply.index", "the package index could not be reached", "Failed to fetch: https://i/simple/six/: tcp connect error",
		},
		"bytes": {
			"hash mismatch: /channel/noarch/tiny-1.0-0.conda has sha256 " + ones + ", the lock has " + zeros + "\n",
			"apply.hash", "tiny-1.0-0 in the index differs from the lock, and was not installed", "sha256 " + ones + ", not " + zeros,
		},
		"full":  {"error: Failed to fetch: x\n  cause: No space left on device\n", "apply.disk-full", "", ""},
		"other": {"Resolved 3 packages\nerror: something else\n", "apply.program", os.Args[0] + ": exit status 2", "error: something else"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.apply(t.Context(), w.plan(wantMade("out", self("stderr", resources.Run{Index: true, Env: []string{"TEXT=" + c.stderr}}))))
			p := r.want(t, "made.out", Failed, c.code)
			if c.summary != "" && (p.Summary != c.summary || p.Found != c.found) {
				t.Errorf("got %q, found %q", p.Summary, p.Found)
			}
			if strings.HasPrefix(c.code, "apply.index") && p.Hint == "" {
				t.Error("the hint is missing")
			}
		})
	}
}

func TestRunWithoutIndex(t *testing.T) {
	w := newWorld(t)
	r := w.apply(t.Context(), w.plan(wantMade("out", self("touch", resources.Run{Env: []string{"TARGET=out"}}))), func(o *Options) { o.IndexEnv = []string{"INDEX=x"} })
	r.want(t, "made.out", Done, "")
	if w.read("out") != "" {
		t.Errorf("the program got %q", w.read("out"))
	}
}

func TestPinnedProgramIsChecked(t *testing.T) {
	w := newWorld(t)
	step := self("touch", resources.Run{Env: []string{"TARGET=out"}, SHA256: facts.SHA256{1}})
	r := w.apply(t.Context(), w.plan(wantMade("out", step)))
	r.want(t, "made.out", Failed, "apply.program-changed")
	p := place{nil, ""}
	root, err := os.OpenRoot(filepath.Dir(os.Args[0]))
	check(t, err)
	defer root.Close()
	p.root, p.rel = root, filepath.Base(os.Args[0])
	step.SHA256, err = digestOf(p)
	check(t, err)
	w.mustApply(wantMade("out", step))
}

func TestInterruptEndsARunningProgram(t *testing.T) {
	for _, kill := range []bool{false, true} {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		r := w.apply(ctx, w.plan(wantMade("out", self("sleep", resources.Run{})), wantMade("next", self("touch", resources.Run{}))), func(o *Options) {
			o.Jobs = 1
			events := o.Events
			o.Events = func(ev Event) {
				events(ev)
				if ev.Kind == Log {
					cancel()
				}
			}
			if kill {
				o.Kill = ctx
			}
		})
		r.want(t, "made.out", Interrupted, "apply.interrupted")
		r.want(t, "made.next", Interrupted, "apply.interrupted")
		if !r.Interrupted || time.Since(start) > 10*time.Second {
			t.Errorf("interrupted %v after %s", r.Interrupted, time.Since(start))
		}
		if n := len(w.state().Pending()); n != 0 {
			t.Errorf("%d pending: the journal was not written", n)
		}
	}
}

// findPython returns a Python 3.10 or newer of this machine that can make environments.
func findPython(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{os.Getenv("HOME") + "/.pyenv/versions/3.10.*/bin/python3.10", "/usr/bin/python3", "/opt/homebrew/bin/python3", "/usr/local/bin/python3"} {
		found, _ := filepath.Glob(pattern)
		for _, p := range found {
			if exec.Command(p, "-I", "-c", "import venv, sys; assert sys.version_info >= (3, 10)").Run() == nil {
				return p
			}
		}
	}
	t.Skip("no Python 3.10 or newer with venv on this machine")
	return ""
}
