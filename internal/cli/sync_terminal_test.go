package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSyncHostKeyIsAsked checks that ssh asks about an unknown host key on a terminal only.
func TestSyncHostKeyIsAsked(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	writeFile(t, s.path("data/processed/a.jsonl"), "a\n")
	known := remote.path("known_later")
	writeFile(t, remote.config, strings.NewReplacer("StrictHostKeyChecking yes", "StrictHostKeyChecking ask", remote.path("known_hosts"), known).Replace(string(must(os.ReadFile(remote.config)))))
	if e := s.want(1, remote.syncArgs("push", "processed", "--run")...); !e.contains("(sync.host-key)", "compare the fingerprint") {
		t.Errorf("without a terminal: %s", e)
	}
	p, keys := s.startOnTerminal(remote.syncArgs("push", "processed", "--run")...)
	s.waitUntil(p, "the question of ssh", func() bool { return strings.Contains(p.out.String(), "continue connecting") })
	_, err := keys.WriteString("yes\n")
	check(t, err)
	if e := p.wait(); e.code != 0 || !e.contains("1 file, 2 B, to remote:") {
		t.Errorf("on a terminal: %s", e)
	}
	if _, err := os.Stat(filepath.Join(remote.project, "data/processed/a.jsonl")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(known); err != nil {
		t.Errorf("the answer was not used: %v", err)
	}
}

// TestSyncInterruptedOnTerminal checks that ^C, which reaches all programs on a terminal, ends a
// transfer like any other interruption, and that a transfer has a progress line.
func TestSyncInterruptedOnTerminal(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	writeFile(t, s.path("data/processed/a.jsonl"), randomText(1, 3*transferSize))
	there := filepath.Join(remote.project, "data/processed")
	writeFile(t, filepath.Join(there, "a.jsonl"), "old")
	p, keys := s.startOnTerminal(remote.syncArgs("push", "processed", "--run", "--bwlimit", "100")...)
	s.waitUntil(p, "the progress line", func() bool { return strings.Contains(p.out.String(), "kB/s") })
	_, err := keys.WriteString("\x03")
	check(t, err)
	if e := p.wait(); e.code != 130 || !e.contains("\rpush data/processed to remote:", "Interrupted: stopping the transfer", "run the same command again") {
		t.Errorf("^C: %s", e)
	}
	remote.waitIdle()
	if got := string(must(os.ReadFile(filepath.Join(there, "a.jsonl")))); got != "old" {
		t.Errorf("the remote file has %d bytes", len(got))
	}
	p, _ = s.startOnTerminal(remote.syncArgs("push", "processed", "--run", "-v")...)
	if e := p.wait(); e.code != 0 || !e.contains("| rsync ", "1 file, 900 kB, to remote:") || e.contains("\rpush data") {
		t.Errorf("with -v: %s", e)
	}
}

// startOnTerminal starts reconcile on a new terminal, and returns the file to write its
// input to.
func (s *site) startOnTerminal(words ...string) (*process, *os.File) {
	s.t.Helper()
	script, err := exec.LookPath("script")
	if err != nil || platform()[:5] != "linux" {
		s.t.Skip("no script command of util-linux, which creates a terminal")
	}
	cmd := s.command(script, "-qec", fmt.Sprintf("stty cols 120; %s %s", must(exec.LookPath("reconcile")), strings.Join(words, " ")), "/dev/null")
	read, write, err := os.Pipe()
	check(s.t, err)
	s.t.Cleanup(func() { write.Close() })
	cmd.Stdin = read
	return s.startCommand(cmd), write
}
