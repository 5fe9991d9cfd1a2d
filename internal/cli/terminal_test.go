package cli

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestColoursOnTerminal checks colours and the progress line on a real terminal, with the
// variables that control them.
func TestColoursOnTerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no script command of util-linux, which creates a terminal")
	}
	program := must(exec.LookPath("reconcile"))
	for _, c := range []struct {
		name    string
		environ []string
		color   bool
		live    bool // a progress line
	}{
		{"a terminal", []string{"TERM=xterm-256color"}, true, true},
		{"NO_COLOR", []string{"TERM=xterm-256color", "NO_COLOR=1"}, false, true},
		{"a dumb terminal", []string{"TERM=dumb"}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			const manifest = "version: 1\nproject: terminal\nfiles:\n  - {path: notes.txt, content: \"hello\\n\"}\n"
			writeFile(t, filepath.Join(root, "manifest.yaml"), manifest)
			cmd := exec.Command(script, "-qec", "stty cols 70; "+program+" apply -y", "/dev/null")
			cmd.Dir = root
			cmd.Env = append(c.environ, "PATH=/usr/bin:/bin", "HOME="+root, "RECONCILE_STORE="+filepath.Join(t.TempDir(), "store"))
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text := strings.ReplaceAll(string(out), "\r\n", "\n")
			if colored := strings.Contains(text, "\x1b["); colored != c.color {
				t.Errorf("coloured: %v\n%q", colored, text)
			}
			if live := strings.Contains(text, "\r"); live != c.live {
				t.Errorf("a progress line: %v\n%q", live, text)
			}
			if !strings.Contains(text, "Apply: ") {
				t.Errorf("no summary in\n%s", text)
			}
		})
	}
}
