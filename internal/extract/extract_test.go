package extract

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An entry of a zip file.
type entry struct {
	name, text string
	mode       fs.FileMode
}

func zipOf(t testing.TB, entries ...entry) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

// into returns a new directory below an otherwise empty one.
func into(t testing.TB) (root *os.Root, parent string) {
	t.Helper()
	parent = t.TempDir()
	dir := filepath.Join(parent, "new")
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		root, err = os.OpenRoot(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, parent
}

var limits = Options{Strip: 1, Entries: 10, Bytes: 1000}

func TestZipIsExtracted(t *testing.T) {
	r := zipOf(t, entry{"top/", "", fs.ModeDir | 0o755}, entry{"top/a/b.py", "x", 0o644}, entry{"top/run", "y", 0o755})
	root, _ := into(t)
	sums, err := Zip(t.Context(), r, r.Size(), root, limits)
	if err != nil {
		t.Fatal(err)
	}
	info, err := root.Stat("run")
	if err != nil || info.Mode().Perm() != 0o755 || len(sums) != 2 {
		t.Errorf("%v, %v, %v", info, err, sums)
	}
	if b, err := root.ReadFile("a/b.py"); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestHostileZipFiles(t *testing.T) {
	for name, entries := range map[string][]entry{
		"outside":            {{"top/../../x", "", 0o644}},
		"absolute":           {{"/x", "", 0o644}},
		"backslash":          {{`top\..\..\x`, "", 0o644}},
		"link":               {{"top/l", "/etc/passwd", fs.ModeSymlink | 0o777}},
		"device":             {{"top/d", "", fs.ModeDevice | 0o644}},
		"twice":              {{"top/x", "", 0o644}, {"top/x", "", 0o644}},
		"file and folder":    {{"top/x", "", 0o644}, {"top/x/y", "", 0o644}},
		"too large":          {{"top/x", strings.Repeat("x", 1001), 0o644}},
		"together too large": {{"top/x", strings.Repeat("x", 600), 0o644}, {"top/y", strings.Repeat("x", 600), 0o644}},
		"empty":              {},
	} {
		r := zipOf(t, entries...)
		root, parent := into(t)
		if _, err := Zip(t.Context(), r, r.Size(), root, limits); err == nil {
			t.Errorf("%s: no error", name)
		}
		if names, err := os.ReadDir(parent); err != nil || len(names) != 1 {
			t.Errorf("%s wrote beside its directory: %v, %v", name, names, err)
		}
	}
	many := make([]entry, 11)
	for i := range many {
		many[i] = entry{"top/" + strings.Repeat("x", i+1), "", 0o644}
	}
	r := zipOf(t, many...)
	root, _ := into(t)
	if _, err := Zip(t.Context(), r, r.Size(), root, limits); err == nil {
		t.Error("too many entries: no error")
	}
}

func FuzzZip(f *testing.F) {
	b := make([]byte, 0, 1000)
	r := zipOf(f, entry{"top/a/b.py", "x", 0o644}, entry{"top/../x", "y", 0o755})
	b = b[:r.Size()]
	_, _ = r.Read(b)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		root, parent := into(t)
		_, _ = Zip(t.Context(), bytes.NewReader(b), int64(len(b)), root, limits)
		if names, err := os.ReadDir(parent); err != nil || len(names) != 1 {
			t.Errorf("it wrote beside its directory: %v, %v", names, err)
		}
	})
}
