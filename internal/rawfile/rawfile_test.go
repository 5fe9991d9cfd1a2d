package rawfile

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]string{4: "cont", 7: "content", 100: "content"} {
		if got, err := Head(name, make([]byte, size)); string(got) != want || err != nil {
			t.Errorf("%d bytes: %q, %v, want %q", size, got, err, want)
		}
	}
	if _, err := Head(dir, make([]byte, 1)); err == nil || IsAbsent(err) {
		t.Errorf("read of a directory: %v", err)
	}
	for _, absent := range []string{filepath.Join(dir, "absent"), filepath.Join(name, "below")} {
		var st unix.Stat_t
		if _, err := Head(absent, nil); !IsAbsent(err) {
			t.Errorf("Head(%s): %v", absent, err)
		}
		if err := Lstat(absent, &st); !IsAbsent(err) {
			t.Errorf("Lstat(%s): %v", absent, err)
		}
	}
}

// TestLstatDoesNotAllocate guards the reason for this package.
func TestLstatDoesNotAllocate(t *testing.T) {
	dir := t.TempDir()
	var st unix.Stat_t
	if n := testing.AllocsPerRun(100, func() { _ = Lstat(dir, &st) }); n > 1 { // the zero-terminated path
		t.Errorf("%v allocations", n)
	}
}
