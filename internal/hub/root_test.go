package hub_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFaultsAsOtherUser runs the cases that root cannot reproduce as another user.
func TestFaultsAsOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: TestFaults has run these cases")
	}
	program, err := os.Executable()
	must(t, err)
	content, err := os.ReadFile(program)
	must(t, err)
	dir := t.TempDir() // the folder of the program may be closed to others
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o777))
	copied := filepath.Join(dir, "hub.test")
	must(t, os.WriteFile(copied, content, 0o755))
	cmd := exec.Command(copied, "-test.run=^TestFaults$/a_file_that_cannot", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Skipf("no program can be started as another user here: %v\n%s", err, out)
	}
	if n := strings.Count(string(out), "--- PASS: TestFaults/a_file_that_cannot"); n != 2 || strings.Contains(string(out), "FAIL") {
		t.Errorf("%d cases passed, want 2\n%s", n, out)
	}
}
