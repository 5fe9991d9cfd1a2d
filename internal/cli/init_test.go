package cli

import (
	"os/exec"
	"path/filepath"
	"strings"
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
