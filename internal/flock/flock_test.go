package flock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// lock locks a file, or skips the test on a file system without locks.
func lock(t *testing.T, how func(*os.File) error, f *os.File) {
	t.Helper()
	err := how(f)
	if IsUnsupported(err) {
		t.Skip("the file system of the test has no locks")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestExclusiveExcludesOthersAndSharedDoesNot(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	one, two := open(t, name), open(t, name)
	lock(t, Shared, one)
	lock(t, Shared, two)
	if err := Exclusive(two); !errors.Is(err, ErrHeld) {
		t.Errorf("exclusive beside shared: %v", err)
	}
	one.Close()
	lock(t, Exclusive, two)
	if err := Shared(open(t, name)); !errors.Is(err, ErrHeld) {
		t.Errorf("shared beside exclusive: %v", err)
	}
}

func TestWaitEndsWithTheLockOrTheContext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	one, two := open(t, name), open(t, name)
	lock(t, Exclusive, one)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if waited, err := Wait(ctx, two); !waited || !errors.Is(err, context.Canceled) {
		t.Errorf("waited %v, %v", waited, err)
	}
	time.AfterFunc(Interval/2, func() { one.Close() })
	if waited, err := Wait(t.Context(), two); !waited || err != nil {
		t.Errorf("waited %v, %v", waited, err)
	}
	if waited, err := Wait(t.Context(), two); waited || err != nil {
		t.Errorf("waited for its own lock: %v, %v", waited, err)
	}
}

func TestIsAtFindsRemovedAndReplacedFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	f := open(t, name)
	want := func(at bool) {
		t.Helper()
		if got, err := IsAt(f, name); got != at || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	want(true)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	want(false)
	open(t, name)
	want(false)
}
