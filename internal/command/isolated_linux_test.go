package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestIsolatedProgramsEndWithTheirParent kills a parent that cannot end its child.
func TestIsolatedProgramsEndWithTheirParent(t *testing.T) {
	kill, now := context.WithCancel(t.Context())
	defer now()
	pid := 0
	_, _ = Run(t.Context(), child("parent", Command{Args: []string{t.TempDir()}, Kill: kill, Line: func(_, line string) {
		if _, err := fmt.Sscanf(line, "pid %d", &pid); err == nil {
			now()
		}
	}}))
	if pid == 0 {
		t.Fatal("the child did not start")
	}
	for range 100 {
		if ended(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the child %d still runs", pid)
}

// TestIsolationWithoutRoot runs the tests of isolation as an ordinary user, who needs a
// user namespace.
func TestIsolationWithoutRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the tests run as an ordinary user already")
	}
	dir, err := os.MkdirTemp("", "isolation")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "test")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, "-test.run=^TestIsolated", "-test.v")
	c.Dir, c.Env = dir, []string{"TMPDIR=" + dir}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}
