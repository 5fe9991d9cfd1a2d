package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// On a terminal ssh asks its own question about a new host key, and is answered there.
// Elsewhere nobody could answer, and it is not asked.
func TestSyncHostKeyIsAsked(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	put(t, s.path("data/processed/a.jsonl"), "a\n")
	known := far.at("known_later")
	put(t, far.config, strings.NewReplacer("StrictHostKeyChecking yes", "StrictHostKeyChecking ask", far.at("known_hosts"), known).Replace(string(must(os.ReadFile(far.config)))))
	if e := s.want(1, far.words("push", "processed", "--run")...); !e.says("(sync.host-key)", "compare the fingerprint") {
		t.Errorf("without a terminal: %s", e)
	}
	p, keys := s.onTerminal(far.words("push", "processed", "--run")...)
	for range 600 {
		if strings.Contains(p.out.String(), "continue connecting") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, err := keys.WriteString("yes\n")
	check(t, err)
	if e := p.wait(); e.code != 0 || !e.says("1 file, 2 B, to far:") {
		t.Errorf("on a terminal: %s", e)
	}
	if _, err := os.Stat(filepath.Join(far.project, "data/processed/a.jsonl")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(known); err != nil {
		t.Errorf("the answer was not taken: %v", err)
	}
}

// ^C on a terminal reaches everything that runs there at once; it ends as any other
// interruption does. While it moves, one line says how it goes.
func TestSyncInterruptedOnATerminal(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	put(t, s.path("data/processed/a.jsonl"), noise(1, 3*brokenSize))
	there := filepath.Join(far.project, "data/processed")
	put(t, filepath.Join(there, "a.jsonl"), "old")
	p, keys := s.onTerminal(far.words("push", "processed", "--run", "--bwlimit", "100")...)
	for range 600 {
		if strings.Contains(p.out.String(), "kB/s") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, err := keys.WriteString("\x03")
	check(t, err)
	if e := p.wait(); e.code != 130 || !e.says("\rpush data/processed to far:", "Interrupted: ending the transfer", "run the same again") {
		t.Errorf("^C: %s", e)
	}
	far.rests()
	if got := string(must(os.ReadFile(filepath.Join(there, "a.jsonl")))); got != "old" {
		t.Errorf("the file over there is now %d bytes", len(got))
	}
	p, _ = s.onTerminal(far.words("push", "processed", "--run", "-v")...)
	if e := p.wait(); e.code != 0 || !e.says("| rsync ", "1 file, 900 kB, to far:") || e.says("\rpush data") {
		t.Errorf("with -v: %s", e)
	}
}

// onTerminal starts reconcile on a terminal of its own, and returns what its keys are
// written to.
func (s *site) onTerminal(words ...string) (*process, *os.File) {
	s.t.Helper()
	script, err := exec.LookPath("script")
	if err != nil || platform()[:5] != "linux" {
		s.t.Skip("no script command of util-linux to make a terminal with")
	}
	cmd := s.command(script, "-qec", fmt.Sprintf("stty cols 120; %s %s", must(exec.LookPath("reconcile")), strings.Join(words, " ")), "/dev/null")
	read, write, err := os.Pipe()
	check(s.t, err)
	s.t.Cleanup(func() { write.Close() })
	cmd.Stdin = read
	return s.begin(cmd), write
}
