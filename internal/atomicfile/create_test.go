package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// tree lists everything below a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	check(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			list = append(list, name)
		}
		return err
	}))
	return list
}

func TestCreate(t *testing.T) {
	root, dir := open(t)
	check(t, Create(t.Context(), root, []NewFile{
		{"a/b/f", 0o755, []byte("one")}, {"a/g", 0o644, []byte("two")}, {"last", 0o644, nil},
	}))
	if got := tree(t, dir); !slices.Equal(got, []string{"a", "a/b", "a/b/f", "a/g", "last"}) {
		t.Errorf("made %v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "a/b/f"))
	check(t, err)
	if info.Mode() != 0o755 || info.Size() != 3 {
		t.Errorf("a/b/f has mode %v and %d bytes", info.Mode(), info.Size())
	}
}

func TestCreateRemovesItsFilesAfterAnError(t *testing.T) {
	root, dir := open(t)
	check(t, os.WriteFile(filepath.Join(dir, "theirs"), []byte("theirs"), 0o644))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, try := range map[string]func() error{
		"a file instead of a directory": func() error {
			return Create(t.Context(), root, []NewFile{{"a/f", 0o644, nil}, {"theirs/f", 0o644, nil}})
		},
		"a name that is too long": func() error {
			return Create(t.Context(), root, []NewFile{{"a/f", 0o644, nil}, {"a/" + string(make([]byte, 300)), 0o644, nil}})
		},
		"interrupted": func() error { return Create(stopped, root, []NewFile{{"a/f", 0o644, nil}}) },
	} {
		if err := try(); err == nil {
			t.Errorf("%s is no error", name)
		}
		if got := tree(t, dir); !slices.Equal(got, []string{"theirs"}) {
			t.Errorf("%s left %v", name, got)
		}
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	root, dir := open(t)
	check(t, os.WriteFile(filepath.Join(dir, "second"), []byte("theirs"), 0o644))
	err := Create(t.Context(), root, []NewFile{{"first", 0o644, nil}, {"second", 0o644, []byte("ours")}, {"third", 0o644, nil}})
	if !errors.Is(err, ErrChanged) {
		t.Errorf("the error is %v, want ErrChanged", err)
	}
	if got := tree(t, dir); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("left %v", got)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "second")); string(b) != "theirs" {
		t.Errorf("second holds %q", b)
	}
}

func TestCreateRemovesTempsOfAKilledOne(t *testing.T) {
	root, dir := open(t)
	check(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
	for _, name := range []string{TempName(), "a/" + TempName(), "a/theirs"} {
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	check(t, Create(t.Context(), root, []NewFile{{"a/f", 0o644, nil}}))
	if got := tree(t, dir); !slices.Equal(got, []string{"a", "a/f", "a/theirs"}) {
		t.Errorf("left %v", got)
	}
}

func TestConcurrentCreateFails(t *testing.T) {
	root, dir := open(t)
	other, err := os.Open(dir)
	check(t, err)
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Skipf("this file system has no locks: %v", err)
	}
	mark := TempName()
	check(t, os.WriteFile(filepath.Join(dir, mark), nil, 0o600))
	if err := Create(t.Context(), root, []NewFile{{"f", 0o644, nil}}); !errors.Is(err, ErrChanged) {
		t.Errorf("with another one running: %v, want ErrChanged", err)
	}
	if got := tree(t, dir); !slices.Equal(got, []string{mark}) {
		t.Errorf("left %v", got)
	}
}
