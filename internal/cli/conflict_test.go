package cli

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// startWithTerminalInput starts reconcile with a terminal as standard input, and returns the
// file to write its input to.
func (s *site) startWithTerminalInput(args ...string) (*process, *os.File) {
	s.t.Helper()
	keys, terminal, err := pty.Open()
	if err != nil {
		s.t.Skipf("a terminal cannot be opened: %v", err)
	}
	s.t.Cleanup(func() { _ = keys.Close() })
	cmd := s.command(must(exec.LookPath("reconcile")), args...)
	cmd.Stdin = terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	p := s.startCommand(cmd)
	check(s.t, terminal.Close())
	return p, keys
}

// TestKeysThatCancel checks the exit codes of ^C and ^D at each question, after which nothing
// is changed.
func TestKeysThatCancel(t *testing.T) {
	t.Parallel()
	const interrupt, endOfInput = "\x03", "\x04"
	for name, c := range map[string]struct {
		prompt, keys string
		changed      bool
		code         int
	}{
		"interrupt at a conflict":      {"[q]uit?", interrupt, true, 130},
		"end of input at a conflict":   {"[q]uit?", endOfInput, true, 1},
		"interrupt at the question":    {"Do this?", interrupt, false, 130},
		"end of input at the question": {"Do this?", endOfInput, false, 1},
		"a word without a newline":     {"Do this?", "yes" + endOfInput + endOfInput, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			s.write("manifest.yaml", "version: 1\nproject: story\nfiles:\n  - {path: notes.txt, content: \"hello\\n\"}\n  - {path: new.txt, content: \"new\\n\"}\n")
			if c.changed {
				s.want(0, "apply", "-y")
				s.write("notes.txt", "mine\n")
			}
			s.checkUnchanged(name, func() {
				p, keys := s.startWithTerminalInput("apply")
				s.waitFor(p, c.prompt)
				_, err := keys.WriteString(c.keys)
				check(t, err)
				if e := p.wait(); e.code != c.code || !e.contains("Nothing was changed.") {
					t.Errorf("want exit code %d\n%s", c.code, e)
				}
			})
		})
	}
}
