package pybuild

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// unpacked returns a sealed directory.
func unpacked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sums := map[string]Digest{}
	for name, text := range map[string]string{
		"bin/python3.10": "program", "lib/python3.10/os.py": "import abc", "lib/python3.10/a \"b\"\n.py": "", "lib/python3.10/lib2to3/g.pickle": "p",
	} {
		put(t, filepath.Join(dir, name), text)
		sums[name] = sha256.Sum256([]byte(text))
	}
	if err := os.Symlink("python3.10", filepath.Join(dir, "bin/python3")); err != nil {
		t.Fatal(err)
	}
	if err := Seal(dir, Digest{1}, sums); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestChanged(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, dir string) error
		want []string
	}{
		{"nothing", func(*testing.T, string) error { return nil }, nil},
		{"bytecode of a source", func(t *testing.T, dir string) error {
			put(t, filepath.Join(dir, "lib/python3.10/__pycache__/os.cpython-310.pyc"), "x")
			put(t, filepath.Join(dir, "lib/python3.10/__pycache__/os.cpython-310.opt-1.pyc"), "x")
			put(t, filepath.Join(dir, "lib/python3.10/__pycache__/os.cpython-310.pyc.140234"), "x")
			return nil
		}, nil},
		{"bytecode without a source", func(t *testing.T, dir string) error {
			put(t, filepath.Join(dir, "lib/python3.10/__pycache__/evil.cpython-310.pyc"), "x")
			put(t, filepath.Join(dir, "lib/python3.10/os.cpython-310.pyc"), "x")
			put(t, filepath.Join(dir, "lib/python3.10/os.pyc"), "x")
			return nil
		}, []string{"lib/python3.10/__pycache__/evil.cpython-310.pyc", "lib/python3.10/os.cpython-310.pyc", "lib/python3.10/os.pyc"}},
		{"another size", func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, "lib/python3.10/os.py"), []byte("import evil"), 0o644)
		}, []string{"lib/python3.10/os.py"}},
		{"the same size and time", func(_ *testing.T, dir string) error {
			name := filepath.Join(dir, "lib/python3.10/os.py")
			info, err := os.Stat(name)
			return errors.Join(err, os.WriteFile(name, []byte("import xyz"), 0o644), os.Chtimes(name, time.Time{}, info.ModTime()))
		}, []string{"lib/python3.10/os.py"}},
		{"the same content", func(_ *testing.T, dir string) error {
			name := filepath.Join(dir, "lib/python3.10/os.py")
			return errors.Join(os.Remove(name), os.WriteFile(name, []byte("import abc"), 0o644))
		}, nil},
		{"another mode", func(_ *testing.T, dir string) error { return os.Chmod(filepath.Join(dir, "bin/python3.10"), 0o600) }, []string{"bin/python3.10"}},
		{"a missing file", func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "bin/python3.10")) }, []string{"bin/python3.10"}},
		{"another target", func(_ *testing.T, dir string) error {
			name := filepath.Join(dir, "bin/python3")
			return errors.Join(os.Remove(name), os.Symlink("/tmp/python", name))
		}, []string{"bin/python3"}},
		{"a link instead of a file", func(_ *testing.T, dir string) error {
			name := filepath.Join(dir, "lib/python3.10/os.py")
			return errors.Join(os.Rename(name, name+"2"), os.Symlink("os.py2", name))
		}, []string{"lib/python3.10/os.py", "lib/python3.10/os.py2"}},
		{"an added module", func(t *testing.T, dir string) error {
			put(t, filepath.Join(dir, "lib/python3.10/site-packages/evil.pth"), "import evil")
			return nil
		}, []string{"lib/python3.10/site-packages/evil.pth"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := unpacked(t)
			if err := tt.do(t, dir); err != nil {
				t.Fatal(err)
			}
			b, err := Open(dir)
			if err != nil || b.Archive != (Digest{1}) {
				t.Fatal(b, err)
			}
			for _, compare := range []bool{false, true} {
				if got, err := b.compare(t.Context(), compare); err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("deep %v: got %q, %v, want %q", compare, got, err, tt.want)
				}
			}
		})
	}
}

func TestDamagedSeals(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(unpacked(t), SealName))
	if err != nil {
		t.Fatal(err)
	}
	intact := string(text)
	for name, text := range map[string]string{
		"empty": "", "truncated": intact[:len(intact)-3], "another format": strings.Replace(intact, "python 1", "python 2", 1),
		"a path outside": strings.Replace(intact, `"bin/python3.10"`, `"../python"`, 1), "a file twice": intact + intact[strings.Index(intact, "\n")+1:],
		"a negative number": strings.Replace(intact, " 644 ", " -644 ", 1), "a short digest": strings.Replace(intact, "file ", "file 00", 1),
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, SealName), text)
		if _, err := Open(dir); !errors.Is(err, ErrNoSeal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoSeal) {
		t.Errorf("absent: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("reconcile-python 1 " + strings.Repeat("00", 32) + "\nfile " + strings.Repeat("ab", 32) + " 644 1 2 3 \"x\"\nlink \"a\" \"b\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, SealName), text)
		b, err := Open(dir)
		if err != nil {
			return
		}
		for name := range b.files {
			if !filepath.IsLocal(name) {
				t.Errorf("%q leads outside", name)
			}
		}
	})
}
