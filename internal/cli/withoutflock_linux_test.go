package cli

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// execWithoutFlock replaces this process by a program for which flock fails with ENOLCK, as on a
// file system without locks.
func execWithoutFlock(words []string) error {
	program, err := exec.LookPath(words[0])
	if err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FLOCK, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOLCK)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	return syscall.Exec(program, words, os.Environ())
}

// TestFileSystemWithoutLocks applies where flock is not supported: only with --no-lock. Two
// projects at once may then damage the archives of each other, which is found before they are used.
func TestFileSystemWithoutLocks(t *testing.T) {
	t.Parallel()
	x := newMirror(t, sharedWheels(3)...)
	a := newSite(t, x.indexURL())
	b := a.other("other")
	apply := []string{os.Args[0], withoutFlock, must(exec.LookPath("reconcile")), "apply", "-y", "--env", "local"}
	for _, s := range []*site{a, b} {
		s.pin("shared0==1.0", "shared1==1.0", "shared2==1.0")
	}
	check(t, os.RemoveAll(a.store("")))
	if e := a.runCommand(apply...); e.code != 1 || !e.contains("state.lock-untrusted", "no locks available", "--no-lock") {
		t.Fatalf("without --no-lock: %s", e)
	}
	if _, err := os.Lstat(a.path(".venv")); err == nil {
		t.Error("the refused apply made .venv")
	}
	var running []*process
	for _, s := range []*site{a, b} {
		words := append(apply, "--no-lock")
		running = append(running, s.startCommand(s.command(words[0], words[1:]...)))
	}
	for i, p := range running {
		if e := p.wait(); e.code != 0 && e.code != 4 {
			t.Errorf("apply %d: %s", i, e)
		}
	}
	for _, s := range []*site{a, b} {
		words := append(apply, "--no-lock")
		if e := s.runCommand(words...); e.code != 0 {
			t.Errorf("alone: %s", e)
		}
		s.want(0, "plan", "--detailed-exitcode", "--env", "local")
		s.want(0, "verify", "--deep", "--env", "local")
		s.wantImports("1.0 1.0 1.0", "shared0", "shared1", "shared2")
	}
	a.checkStore(3)
}
