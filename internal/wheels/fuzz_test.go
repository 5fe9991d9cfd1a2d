package wheels

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// FuzzUnpack unpacks arbitrary archives: nothing is written outside the directory of the
// entry, and an entry can be verified and assembled. The checks of the wheel's digest and
// the sync are omitted.
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
		dir := filepath.Join(root, "entry")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		a, e := &archive{}, &Entry{Dir: dir, Format: entryFormat, SHA256: facts.SHA256{1}}
		err := a.list(bytes.NewReader(content), int64(len(content)))
		if err == nil {
			err = a.prepare(e, "demo", "1.0")
		}
		if err == nil {
			err = a.write(t.Context(), e, dir)
		}
		if list := names(t, root); !slices.Equal(list, []string{"entry"}) {
			t.Fatalf("written outside: %v", list)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			return
		}
		if damaged, err := e.Verify(t.Context(), nil); err != nil || len(damaged) > 0 {
			t.Errorf("damaged %v, %v", damaged, err)
		}
		prefix := filepath.Join(root, "gen")
		if err := os.MkdirAll(filepath.Join(prefix, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = Assemble(t.Context(), prefix, "/python", "3.10", []*Entry{e}, 1, nil) // a file may be a directory of another scheme
		if list := names(t, root); !slices.Equal(list, []string{"entry", "gen"}) {
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
