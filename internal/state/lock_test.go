package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/flock"
)

// TestMain holds the lock as another process if STATE_LOCK is set.
func TestMain(m *testing.M) {
	path := os.Getenv("STATE_LOCK")
	if path == "" {
		os.Exit(m.Run())
	}
	if _, err := Acquire(context.Background(), path, LockOptions{Holder: holder("other apply")}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	time.Sleep(time.Minute)
}

func holder(command string) Holder {
	return Holder{User: "ann", Host: "gpu1", PID: os.Getpid(), Since: time.Now(), Command: command}
}

// startHolder starts a process that holds the lock.
func startHolder(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STATE_LOCK="+path)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	answer := make([]byte, 4)
	if _, err := out.Read(answer); err != nil || string(answer) != "held" {
		t.Fatalf("the other process printed %q, %v", answer, err)
	}
	return c
}

func TestLockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part", "lock")
	c := startHolder(t, path)
	_, err := Acquire(t.Context(), path, LockOptions{Holder: holder("mine")})
	var held *LockedError
	if !errors.As(err, &held) {
		t.Fatalf("got %v", err)
	}
	if held.Holder.PID != c.Process.Pid || held.Holder.User != "ann" || !strings.Contains(err.Error(), "other apply") {
		t.Errorf("got %v", err)
	}
}

func TestLockOfADeadHolderIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 3 {
		c := startHolder(t, path)
		check(t, c.Process.Kill())
		_ = c.Wait()
		l, err := Acquire(t.Context(), path, LockOptions{Holder: holder("mine")})
		check(t, err)
		check(t, l.Release())
	}
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Acquire(t.Context(), path, LockOptions{Holder: holder("first")})
	check(t, err)
	start := time.Now()
	if _, err := Acquire(t.Context(), path, LockOptions{Timeout: 2 * flock.Interval}); err == nil || time.Since(start) < 2*flock.Interval {
		t.Errorf("got %v after %s", err, time.Since(start))
	}
	second, err := Acquire(t.Context(), path, LockOptions{
		Holder: holder("second"), Timeout: time.Minute,
		Waiting: func(h Holder) {
			if h.Command != "first" {
				t.Errorf("waits for holder %v", h)
			}
			check(t, first.Release())
		},
	})
	check(t, err)
	check(t, second.Release())

	third, err := Acquire(t.Context(), path, LockOptions{})
	check(t, err)
	defer third.Release()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Acquire(ctx, path, LockOptions{Timeout: time.Minute, Waiting: func(Holder) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
}

func TestChildKeepsTheLock(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep on this machine")
	}
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Acquire(t.Context(), path, LockOptions{Holder: holder("mine")})
	check(t, err)
	child := exec.Command(sleep, "60")
	child.ExtraFiles = []*os.File{l.File()}
	check(t, child.Start())
	check(t, l.Release())
	if _, err := Acquire(t.Context(), path, LockOptions{}); err == nil {
		t.Error("the lock is free although a child runs")
	}
	check(t, child.Process.Kill())
	_ = child.Wait()
	again, err := Acquire(t.Context(), path, LockOptions{Timeout: time.Second})
	check(t, err)
	check(t, again.Release())
}

func TestLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	check(t, os.WriteFile(victim, []byte("safe"), 0o600))
	check(t, os.Symlink(victim, filepath.Join(dir, "lock")))
	if _, err := Acquire(t.Context(), filepath.Join(dir, "lock"), LockOptions{}); err == nil {
		t.Error("a link was followed")
	}
	if text, _ := os.ReadFile(victim); string(text) != "safe" {
		t.Errorf("the target holds %q", text)
	}
}
