package rawfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

const limit = 8 << 10 // bytes, of the tests

// A hostile file is one that a program must not read to its end, or must not wait for.
type hostile struct {
	name   string
	make   func(name string) error
	reason string // by ReadFile
}

func hostiles(dir string) []hostile {
	large := filepath.Join(dir, "10 GiB")
	return []hostile{
		{"pipe", func(n string) error { return unix.Mkfifo(n, 0o600) }, "is a named pipe, not a regular file"},
		{"socket", func(n string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: n})
		}, "is not a regular file"},
		{"directory", func(n string) error { return os.Mkdir(n, 0o700) }, "is a directory, not a regular file"},
		{"zero", func(n string) error { return os.Symlink("/dev/zero", n) }, "is a device, not a regular file"},
		{"terminal", func(n string) error { return os.Symlink("/dev/tty", n) }, "is a device, not a regular file"},
		{"link to a pipe", func(n string) error { return os.Symlink("pipe", n) }, "is a named pipe, not a regular file"},
		{"10 GiB", func(n string) error {
			return errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, 10<<30))
		}, "is larger than 8 KiB"},
		{"one byte more", func(n string) error { return os.WriteFile(n, make([]byte, limit+1), 0o600) }, "is larger than 8 KiB"},
	}
}

// within fails the test if do takes more than ten seconds, as the open of a named pipe would.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

// TestHostileFilesAreRefused checks that each function refuses each file with the reason.
func TestHostileFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, h := range hostiles(dir) {
		if err := h.make(filepath.Join(dir, h.name)); err != nil {
			t.Fatal(err)
		}
		absolute := h.name == "zero" || h.name == "terminal" // a link out of the root
		for what, read := range map[string]func() ([]byte, error){
			"ReadFile": func() ([]byte, error) { return ReadFile(filepath.Join(dir, h.name), limit, 0) },
			"ReadRoot": func() ([]byte, error) { return ReadRoot(root, h.name, limit, 0) },
			"ReadFS":   func() ([]byte, error) { return ReadFS(FS(root), h.name, limit) },
		} {
			within(t, what+" of "+h.name, func() {
				b, err := read()
				refused, ok := errors.AsType[*Error](err)
				if what != "ReadFile" && absolute {
					if err == nil || ok {
						t.Errorf("%s follows a link out of the root: %v", what, err)
					}
					return
				}
				if !ok || refused.Reason() != h.reason || b != nil || !strings.HasSuffix(err.Error(), h.name+" "+h.reason) || Reason(err) != "it "+h.reason {
					t.Errorf("%s of %s: %d bytes, %v", what, h.name, len(b), err)
				}
			})
		}
		if !strings.Contains(h.reason, "larger") {
			within(t, "OpenFile of "+h.name, func() {
				if f, err := OpenFile(filepath.Join(dir, h.name), 0); err == nil {
					t.Errorf("OpenFile opens %s", f.Name())
				}
				if b, err := Head(filepath.Join(dir, h.name), make([]byte, 1)); err == nil {
					t.Errorf("Head reads %q of %s", b, h.name)
				}
				if b, err := HeadFS(FS(root), h.name, 1); err == nil {
					t.Errorf("HeadFS reads %q of %s", b, h.name)
				}
			})
		}
	}
	if f, err := OpenDir(filepath.Join(dir, "pipe"), 0); err == nil {
		t.Errorf("OpenDir opens %s", f.Name())
	}
}

// TestNoFollow checks that a link is refused with NoFollow, and followed without it.
func TestNoFollow(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o600), os.Symlink("file", link)); err != nil {
		t.Fatal(err)
	}
	for what, read := range map[string]func(flags int) ([]byte, error){
		"ReadFile": func(flags int) ([]byte, error) { return ReadFile(link, 7, flags) },
		"ReadRoot": func(flags int) ([]byte, error) { return ReadRoot(root, "link", 7, flags) },
	} {
		if b, err := read(0); string(b) != "content" || err != nil {
			t.Errorf("%s: %q, %v", what, b, err)
		}
		if _, err := read(NoFollow); Reason(err) != "it is a symbolic link, which is not followed" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestReadFile checks sizes about the limit, empty files, files of /proc, whose size is 0, and
// streams.
func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 4095, 4096, 4097, limit - 1, limit} {
		want := bytes.Repeat([]byte{'x'}, size)
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(name, limit, 0)
		if !bytes.Equal(got, want) || err != nil {
			t.Errorf("ReadFile of %d bytes: %d bytes, %v", size, len(got), err)
		}
		got, err = ReadStream(slow{bytes.NewReader(want)}, "standard input", limit)
		if !bytes.Equal(got, want) || err != nil {
			t.Errorf("ReadStream of %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
	if _, err := ReadStream(zero{}, "standard input", limit); err == nil || err.Error() != "standard input is larger than 8 KiB" {
		t.Errorf("ReadStream without end: %v", err)
	}
	if b, err := ReadFS(fstest.MapFS{"f": {Data: []byte("x")}}, "f", 1); string(b) != "x" || err != nil {
		t.Errorf("ReadFS: %q, %v", b, err)
	}
	if b, err := HeadFS(fstest.MapFS{"f": {Data: []byte("xyz")}}, "f", 2); string(b) != "xy" || err != nil {
		t.Errorf("HeadFS: %q, %v", b, err)
	}
	if want, err := os.ReadFile("/proc/self/limits"); err == nil {
		if got, err := ReadFile("/proc/self/limits", 64<<10, 0); !bytes.Equal(got, want) || err != nil {
			t.Errorf("ReadFile of /proc: %d bytes, %v, want %d", len(got), err, len(want))
		}
		if _, err := ReadFile("/proc/self/limits", 64, 0); err == nil {
			t.Error("ReadFile of /proc has no limit")
		}
	}
	if _, err := ReadFile(name+".absent", limit, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

// zero is a stream without end.
type zero struct{}

func (zero) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// slow returns at most 1000 bytes at once.
type slow struct{ r io.Reader }

func (r slow) Read(b []byte) (int, error) { return r.r.Read(b[:min(len(b), 1000)]) }

// TestSHA256 checks the digest, and that the end of the context ends hashing.
func TestSHA256(t *testing.T) {
	text := bytes.Repeat([]byte("text"), 1<<18)
	if got, err := SHA256(t.Context(), bytes.NewReader(text)); got != sha256.Sum256(text) || err != nil {
		t.Errorf("%x, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	within(t, "SHA256", func() {
		if _, err := SHA256(ctx, zero{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hashing does not end: %v", err)
		}
	})
}
