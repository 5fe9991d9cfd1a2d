package wheels

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
)

// FuzzUnpack unpacks arbitrary archives: nothing is written outside the entry, an error
// leaves nothing, and an entry can be opened, verified and assembled.
func FuzzUnpack(f *testing.F) {
	f.Add(full.build(f))
	f.Add(testWheel{}.build(f))
	f.Add(full.with(testFile{name: "../x"}).build(f))
	f.Add(full.with(testFile{name: "link", text: "/etc", mode: os.ModeSymlink | 0o777}).build(f))
	f.Add(full.with(testFile{name: "stored", text: "x", header: func(h *zip.FileHeader) { h.Method = zip.Store }}).build(f))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<20 {
			return
		}
		root := t.TempDir()
		archive, store := filepath.Join(root, "a.whl"), filepath.Join(root, "store")
		if err := errors.Join(os.WriteFile(archive, content, 0o600), os.Mkdir(store, 0o755)); err != nil {
			t.Fatal(err)
		}
		w := lock.Wheel{SHA256: sha256.Sum256(content)}
		e, err := Unpack(t.Context(), archive, w, "demo", "1.0", filepath.Join(store, "entry"))
		if list := names(t, root); !slices.Equal(list, []string{"a.whl", "store"}) {
			t.Fatalf("written outside: %v", list)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			if list := names(t, store); len(list) > 0 {
				t.Errorf("left %v", list)
			}
			return
		}
		if damaged, err := e.Verify(t.Context()); err != nil || len(damaged) > 0 {
			t.Errorf("damaged %v, %v", damaged, err)
		}
		prefix := filepath.Join(root, "gen")
		if err := os.MkdirAll(filepath.Join(prefix, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = Assemble(t.Context(), prefix, "/python", "3.10", []*Entry{e}, 1, nil) // a file may be a directory of another scheme
		if list := names(t, root); !slices.Equal(list, []string{"a.whl", "gen", "store"}) {
			t.Fatalf("written outside: %v", list)
		}
	})
}

// FuzzNames checks that an accepted name is below the directory it is joined to.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../a", "a/../..", "/a", "a//b", "a/.", "", ".", `a\b`, "demo-1.0.data/data/x", "demo-1.0.data/scripts/x", "demo-1.0.data/headers/../x"} {
		f.Add(s)
	}
	e := &Entry{Name: "demo", InfoDir: "demo-1.0.dist-info"}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		if !filepath.IsLocal(name) {
			t.Errorf("%q is accepted", name)
		}
		p, err := e.place(name)
		if err != nil {
			return
		}
		if to := readScheme("/", "3.10").path(e, p); !filepath.IsLocal(to) || filepath.Clean(to) != to {
			t.Errorf("%q is placed at %q", name, to)
		}
	})
}

// FuzzEntryPoints checks that scripts have safe names, and that nothing but identifiers
// becomes code.
func FuzzEntryPoints(f *testing.F) {
	f.Add([]byte(full.entryPoints))
	f.Add([]byte("[console_scripts]\na = b:c\n a=b : c.d [x]\n[gui_scripts]\n;\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		console, gui, err := parseEntryPoints(text)
		if err != nil {
			return
		}
		for _, p := range slices.Concat(console, gui) {
			if filepath.Base(p.Name) != p.Name || !filepath.IsLocal(p.Name) {
				t.Errorf("script %q", p.Name)
			}
			if n := bytes.Count(p.text("/python"), []byte("\n")); n != 5 {
				t.Errorf("%d lines: %q", n, p.text("/python"))
			}
		}
	})
}
