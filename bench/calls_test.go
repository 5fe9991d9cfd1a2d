package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSystemCallsOfAPlan counts the system calls of a plan with nothing to do: no child, no
// socket, one call per directory and four per file (stat, open, read, close), plus a
// constant. It runs on one core: on two, both may stat the same directory.
func TestSystemCallsOfAPlan(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	if out, err := exec.Command(strace, "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, out)
	}
	ours := build(t, module+"/cmd/reconcile")
	few, many := filesystemCalls(t, strace, ours, 10), filesystemCalls(t, strace, ours, 210)
	const more, once = 200, 20 // a longer manifest needs a few more reads
	if got := many - few; got > more*1+more*4+once {
		t.Errorf("%d directories and files more are %d calls more (%d, then %d)", more, got, few, many)
	}
	t.Logf("%d calls for 10 directories and 10 files, %d for 210 of each", few, many)
}

// filesystemCalls runs a plan of n directories with a file in each under strace,
// and returns the number of file system calls.
func filesystemCalls(t *testing.T, strace, ours string, n int) int {
	t.Helper()
	dir, store := t.TempDir(), filepath.Join(t.TempDir(), "store")
	manifest := "version: 1\nproject: calls\ndirectories:\n"
	for i := range n {
		manifest += fmt.Sprintf("  d%d: {path: d/%d}\n", i, i)
	}
	manifest += "files:\n"
	for i := range n {
		manifest += fmt.Sprintf("  - {path: d/%d/f, content: \"file %d\\n\"}\n", i, i)
	}
	check(t, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifest), 0o644))
	trace := filepath.Join(dir, "trace")
	for _, words := range [][]string{{ours, "apply", "-y"}, {strace, "-f", "-qq", "-o", trace, ours, "plan", "--detailed-exitcode"}} {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "RECONCILE_STORE="+store)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
	}
	text, err := os.ReadFile(trace)
	check(t, err)
	// "4711  openat(AT_FDCWD, …": the second half of a call begins with "<... ".
	calls := regexp.MustCompile(`(?m)^\d+\s+(\w+)\((.*)$`).FindAllStringSubmatch(string(text), -1)
	files, programs := 0, 0
	for _, c := range calls {
		switch name, args := c[1], c[2]; name {
		case "execve", "execveat":
			programs++
		case "fork", "vfork", "socket", "connect", "socketpair":
			t.Errorf("a plan calls %s(%s", name, args)
		case "clone", "clone3":
			if !strings.Contains(args, "CLONE_THREAD") {
				t.Errorf("a plan starts a child: %s(%s", name, args)
			}
		case "stat", "lstat", "fstat", "newfstatat", "statx", "open", "openat", "read", "pread64", "close", "readlink", "readlinkat", "getdents64", "fcntl", "access", "faccessat", "faccessat2", "lseek":
			files++
		}
	}
	if programs != 1 || files == 0 {
		t.Errorf("%d programs are started, with %d calls", programs, files)
	}
	return files
}
