package wheels

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// built is the modification time of files in test wheels.
var built = time.Date(2024, 2, 29, 12, 30, 14, 0, time.UTC)

// A testFile is a file of a test wheel.
type testFile struct {
	name, text string
	mode       fs.FileMode // 0: 0644
	header     func(h *zip.FileHeader)
}

// A testWheel builds the archive of demo 1.0.
type testWheel struct {
	name, version string // "demo", "1.0" if empty
	files         []testFile
	wheel         string // content of WHEEL; "" for a valid one
	entryPoints   string
	record        func(lines string) string // changes RECORD
	after         []testFile                // not in RECORD
}

func (w testWheel) with(files ...testFile) testWheel {
	w.files = append(slices.Clone(w.files), files...)
	return w
}

func (w testWheel) info() string {
	name, version := w.id()
	return name + "-" + version + ".dist-info"
}

func (w testWheel) id() (name, version string) {
	if w.name == "" {
		return "demo", "1.0"
	}
	return w.name, w.version
}

// build returns the archive.
func (w testWheel) build(t testing.TB) []byte {
	t.Helper()
	name, version := w.id()
	info := w.info() + "/"
	if w.wheel == "" {
		w.wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	}
	w = w.with(testFile{name: info + "METADATA", text: "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n\nText\n"}, testFile{name: info + "WHEEL", text: w.wheel})
	if w.entryPoints != "" {
		w = w.with(testFile{name: info + "entry_points.txt", text: w.entryPoints})
	}
	var record strings.Builder
	for _, f := range w.files {
		if strings.HasSuffix(f.name, "/") {
			continue
		}
		quoted := f.name
		if strings.ContainsAny(quoted, ",\"") {
			quoted = `"` + strings.ReplaceAll(quoted, `"`, `""`) + `"`
		}
		fmt.Fprintf(&record, "%s,%s,%d\n", quoted, digest("sha256", f.text), len(f.text))
	}
	record.WriteString(info + "RECORD,,\n")
	lines := record.String()
	if w.record != nil {
		lines = w.record(lines)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range slices.Concat(w.files, w.after, []testFile{{name: info + "RECORD", text: lines}}) {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: built}
		if strings.HasSuffix(f.name, "/") {
			h.Method = zip.Store
		}
		mode := f.mode
		if mode == 0 {
			mode = 0o644
		}
		h.SetMode(mode)
		if f.header != nil {
			f.header(h)
		}
		out, err := z.CreateHeader(h)
		if err == nil {
			_, err = out.Write([]byte(f.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func digest(algorithm, text string) string {
	var sum []byte
	switch algorithm {
	case "sha256":
		s := sha256.Sum256([]byte(text))
		sum = s[:]
	case "sha384":
		s := sha512.Sum384([]byte(text))
		sum = s[:]
	case "sha512":
		s := sha512.Sum512([]byte(text))
		sum = s[:]
	}
	return algorithm + "=" + base64.RawURLEncoding.EncodeToString(sum)
}

// save writes an archive and returns its path and lock entry.
func save(t testing.TB, content []byte) (string, lock.Wheel) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "demo.whl")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, lock.Wheel{File: filepath.Base(name), Size: int64(len(content)), SHA256: sha256.Sum256(content)}
}

// unpack unpacks a wheel into a new store.
func (w testWheel) unpack(t testing.TB) (*Entry, error) {
	t.Helper()
	archive, locked := save(t, w.build(t))
	name, version := w.id()
	return Unpack(t.Context(), archive, locked, name, version, filepath.Join(t.TempDir(), "entry"))
}

func (w testWheel) mustUnpack(t testing.TB) *Entry {
	t.Helper()
	e, err := w.unpack(t)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tree returns the files below dir with their contents.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			files[rel], err = os.Readlink(name)
			return err
		}
		b, err := os.ReadFile(name)
		files[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// full is a wheel with all that a wheel may contain.
var full = testWheel{
	files: []testFile{
		{name: "demo/", mode: fs.ModeDir | 0o755},
		{name: "demo/__init__.py", text: "def main():\n    print('main')\nclass C:\n    run = staticmethod(main)\n"},
		{name: "demo/tool", text: "#!/bin/sh\n", mode: 0o755},
		{name: "demo/name, with \"quotes\".txt", text: "x"},
		{name: "demo/größe.txt", text: "ü"},
		{name: "demo-1.0.data/purelib/pure.py", text: "pure = 1\n"},
		{name: "demo-1.0.data/platlib/plat.py", text: "plat = 1\n"},
		{name: "demo-1.0.data/scripts/demo-script", text: "#!python -B\nprint('script')\n"},
		{name: "demo-1.0.data/scripts/demo-sh", text: "#!/bin/sh\necho sh\n"},
		{name: "demo-1.0.data/scripts/demo", text: "#!python\nraise SystemExit(9)\n"},
		{name: "demo-1.0.data/headers/demo.h", text: "// header\n"},
		{name: "demo-1.0.data/data/share/demo/data.txt", text: "data\n"},
		{name: "demo-1.0.dist-info/INSTALLER", text: "other"},
	},
	entryPoints: "# comment\n[console_scripts]\ndemo = demo:main\nrun.it = demo : C.run [extra, other]\n\n[gui_scripts]\ndemo-gui=demo:main\n[other]\nnonsense\n",
}

func TestUnpackWritesModesAndTimesOfTheArchive(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	e := full.mustUnpack(t)
	for name, want := range map[string]fs.FileMode{"demo/__init__.py": 0o644, "demo/tool": 0o755, "demo-1.0.data/scripts/demo-sh": 0o755, "demo": 0o755 | fs.ModeDir} {
		info, err := os.Lstat(e.FilePath(name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want || !info.IsDir() && !info.ModTime().Equal(built) {
			t.Errorf("%s: mode %s, time %s, want %s, %s", name, info.Mode(), info.ModTime(), want, built)
		}
	}
	if e.Name != "demo" || e.Version != "1.0" || !e.Pure || len(e.Console) != 2 || len(e.GUI) != 1 {
		t.Errorf("entry %+v", e)
	}
	if want := (EntryPoint{"run.it", "demo", "C.run"}); e.Console[1] != want {
		t.Errorf("entry point %+v, want %+v", e.Console[1], want)
	}
	if list := names(t, filepath.Dir(e.Dir)); !slices.Equal(list, []string{"entry"}) {
		t.Errorf("the store has %v", list)
	}
	again, err := Open(e.Dir)
	if err != nil || !slices.Equal(again.Files, e.Files) || !slices.Equal(again.Console, e.Console) {
		t.Errorf("opened %+v, %v", again, err)
	}
}

// TestUnpackRefuses lists wheels that are invalid, each for one reason.
func TestUnpackRefuses(t *testing.T) {
	file := testFile{name: "demo/a.py", text: "a = 1\n"}
	good := testWheel{files: []testFile{file}}
	replace := func(old, new string) func(string) string {
		return func(lines string) string {
			if !strings.Contains(lines, old) {
				panic("RECORD has no " + old)
			}
			return strings.Replace(lines, old, new, 1)
		}
	}
	record := func(change func(string) string) testWheel {
		w := good
		w.record = change
		return w
	}
	header := func(change func(h *zip.FileHeader)) testWheel {
		return testWheel{files: []testFile{{name: "demo/a.py", text: "a = 1\n", header: change}}}
	}
	wheel := func(text string) testWheel {
		w := good
		w.wheel = text
		return w
	}
	points := func(text string) testWheel {
		w := good
		w.entryPoints = text
		return w
	}
	for reason, w := range map[string]testWheel{
		"leads out of the archive":     good.with(testFile{name: "../evil.py"}),
		"is not clean":                 good.with(testFile{name: "demo/../../evil.py"}),
		"not clean":                    good.with(testFile{name: "demo//b.py"}),
		"is absolute":                  good.with(testFile{name: "/etc/evil"}),
		"backslash":                    good.with(testFile{name: `demo\evil.py`}),
		"control character":            good.with(testFile{name: "demo/a\nb.py"}),
		"is not UTF-8":                 good.with(testFile{name: "demo/\xff.py"}),
		"it is a link":                 good.with(testFile{name: "demo/link", text: "/etc/passwd", mode: fs.ModeSymlink | 0o777}),
		"not a regular file":           good.with(testFile{name: "demo/pipe", mode: fs.ModeNamedPipe | 0o644}),
		"in the archive twice":         good.with(file),
		"is a file and a directory":    good.with(testFile{name: "demo/a.py/b"}),
		"it is encrypted":              header(func(h *zip.FileHeader) { h.Flags |= 1 }),
		"is not listed in":             {files: good.files, after: []testFile{{name: "demo/b.py"}}},
		"and is not in the archive":    record(func(s string) string { return "demo/b.py,,0\n" + s }),
		"its sha256 differs":           record(replace(digest("sha256", file.text), digest("sha256", "b"))),
		"its sha512 differs":           record(replace(digest("sha256", file.text), digest("sha512", "b"))),
		"has no digest":                record(replace(digest("sha256", file.text), "")),
		"unknown algorithm":            record(replace("sha256=", "md5=")),
		"bytes, not 7 as in":           record(replace(",6\n", ",7\n")),
		"outside the archive":          record(func(s string) string { return "../x," + digest("sha256", "") + ",0\n" + s }),
		"three fields":                 record(func(s string) string { return "demo/a.py,x\n" + s }),
		"lists \"demo/a.py\" twice":    record(func(s string) string { return "demo/a.py," + digest("sha256", "") + ",0\n" + s }),
		"Wheel-Version 2.0":            wheel("Wheel-Version: 2.0\nRoot-Is-Purelib: true\n"),
		"invalid Wheel-Version \"\"":   wheel("Root-Is-Purelib: true\n"),
		"has the directories":          good.with(testFile{name: "other-1.0.dist-info/METADATA"}),
		"name of the interpreter":      points("[console_scripts]\npython3.10 = demo:main\n"),
		"is not in one directory":      points("[console_scripts]\na/b = demo:main\n"),
		"leads out of":                 points("[console_scripts]\n.. = demo:main\n"),
		"has no value":                 points("[console_scripts]\ndemo\n"),
		"calls \"\" of the module":     points("[console_scripts]\ndemo = demo\n"),
		"calls \"main()\" of":          points("[gui_scripts]\ndemo = demo:main()\n"),
		"extras of":                    points("[gui_scripts]\ndemo = demo:main [a\n"),
		"in an unknown directory for":  good.with(testFile{name: "demo-1.0.data/other/x"}),
		"in no directory for data":     good.with(testFile{name: "demo-1.0.data/x"}),
		"part of the environment":      good.with(testFile{name: "demo-1.0.data/data/Reconcile/seal.json"}),
		"part of the environment its":  good.with(testFile{name: "demo-1.0.data/data/pyvenv.cfg"}),
		"python3 has the name":         good.with(testFile{name: "demo-1.0.data/scripts/python3", text: "#!/bin/sh\n"}),
		"bin/python\" has the name":    good.with(testFile{name: "demo-1.0.data/data/bin/python", text: "#!/bin/sh\n"}),
		"the script \"d/e\" is not in": good.with(testFile{name: "demo-1.0.data/scripts/d/e"}),
	} {
		t.Run(reason, func(t *testing.T) {
			e, err := w.unpack(t)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), reason) {
				t.Errorf("entry %v, error %v", e, err)
			}
		})
	}
	if _, err := good.unpack(t); err != nil {
		t.Errorf("the wheel without these: %v", err)
	}
}

func TestUnpackRefusesAnotherDistribution(t *testing.T) {
	archive, w := save(t, full.build(t))
	for _, id := range [][2]string{{"other", "1.0"}, {"demo", "1.1"}} {
		dir := filepath.Join(t.TempDir(), "entry")
		if _, err := Unpack(t.Context(), archive, w, id[0], id[1], dir); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "it contains demo 1.0") {
			t.Errorf("%v: %v", id, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "entry")
	for _, version := range []string{"1.0", "2.0"} {
		if _, err := Unpack(t.Context(), archive, w, "demo", version, dir); (err == nil) != (version == "1.0") {
			t.Errorf("an existing entry for version %s: %v", version, err)
		}
	}
	for name, version := range map[string]string{"Demo": "1.0", "demo": "v1.0"} {
		if _, err := Unpack(t.Context(), archive, w, name, version, filepath.Join(t.TempDir(), "entry")); err != nil {
			t.Errorf("%s %s: %v", name, version, err)
		}
	}
}

// TestUnpackComparesTheArchive changes the archive or the lock.
func TestUnpackComparesTheArchive(t *testing.T) {
	archive, w := save(t, full.build(t))
	longer, other, none := w, w, w
	longer.Size++
	other.SHA256[0] ^= 1
	none.SHA256 = facts.SHA256{}
	for reason, w := range map[string]lock.Wheel{"bytes, not": longer, "its SHA-256 is": other, "not ": none} {
		parent := t.TempDir()
		_, err := Unpack(t.Context(), archive, w, "demo", "1.0", filepath.Join(parent, "entry"))
		if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), reason) || len(names(t, parent)) > 0 {
			t.Errorf("%s: %v, %v", reason, err, names(t, parent))
		}
	}
	link := filepath.Join(t.TempDir(), "link.whl")
	if err := os.Symlink(archive, link); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe.whl")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, pipe, t.TempDir(), archive + "x"} {
		if _, err := Unpack(t.Context(), name, w, "demo", "1.0", filepath.Join(t.TempDir(), "entry")); err == nil {
			t.Errorf("%s is unpacked", name)
		}
	}
}

// TestUnpackFetched compares the archive unless it is the file that was compared when it was
// written, and in that case too if it is invalid.
func TestUnpackFetched(t *testing.T) {
	archive, w := save(t, full.build(t))
	fetched, err := os.Lstat(archive)
	if err != nil {
		t.Fatal(err)
	}
	other, longer := w, w
	other.SHA256[0] ^= 1
	longer.Size++
	unpack := func(w lock.Wheel) error {
		parent := t.TempDir()
		_, err := UnpackFetched(t.Context(), archive, fetched, w, "demo", "1.0", filepath.Join(parent, "entry"))
		if err != nil && len(names(t, parent)) > 0 {
			t.Errorf("%v: the store has %v", err, names(t, parent))
		}
		return err
	}
	if err := unpack(other); err != nil { // the caller compared it
		t.Error(err)
	}
	if err := unpack(longer); !errors.Is(err, ErrArchive) {
		t.Errorf("another size: %v", err)
	}
	content, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 0xff
	write := func() {
		t.Helper()
		if err := os.WriteFile(archive, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if err := os.Chtimes(archive, fetched.ModTime(), fetched.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := unpack(w); !errors.Is(err, ErrArchive) || errors.Is(err, ErrInvalid) {
		t.Errorf("damaged with the same attributes: %v", err)
	}
	content[len(content)/2] ^= 0xff
	write()
	if err := os.Chtimes(archive, built, built); err != nil {
		t.Fatal(err)
	}
	if err := unpack(w); err != nil {
		t.Errorf("modified, with the content of the lock: %v", err)
	}
	if err := unpack(other); !errors.Is(err, ErrArchive) {
		t.Errorf("modified: %v", err)
	}
}

func TestUnpackNoticesThatTheArchiveIsModified(t *testing.T) {
	name, w := save(t, full.build(t))
	a, err := openArchive(t.Context(), name, nil, w)
	if err != nil {
		t.Fatal(err)
	}
	defer a.f.Close()
	if err := os.Chtimes(name, built, built); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	if _, err := a.unpack(t.Context(), w, "demo", "1.0", filepath.Join(parent, "entry")); err == nil || !strings.Contains(err.Error(), "modified") || len(names(t, parent)) > 0 {
		t.Errorf("%v, the store has %v", err, names(t, parent))
	}
}

// TestConcurrentUnpacksShareSyncs unpacks different wheels at the same time.
func TestConcurrentUnpacksShareSyncs(t *testing.T) {
	parent := t.TempDir()
	var group errgroup.Group
	const n = 12
	for i := range n {
		w := module(fmt.Sprint("m", i), "m.py", fmt.Sprint(i))
		archive, locked := save(t, w.build(t))
		group.Go(func() error {
			e, err := Unpack(context.Background(), archive, locked, w.name, w.version, filepath.Join(parent, w.name))
			if err == nil && e.Name != w.name {
				err = fmt.Errorf("got %s instead of %s", e.Name, w.name)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if list := names(t, parent); len(list) != n {
		t.Errorf("the store has %v", list)
	}
}

func TestUnpackAcceptsEveryDigestOfTheStandard(t *testing.T) {
	w := testWheel{
		files: []testFile{{name: "a.py", text: "a"}, {name: "b.py", text: "b"}, {name: "empty.py"}},
		record: func(lines string) string {
			lines = strings.Replace(lines, digest("sha256", "a"), digest("sha384", "a"), 1)
			lines = strings.Replace(lines, digest("sha256", "b")+",1", digest("sha512", "b")+",", 1)
			return strings.ReplaceAll(lines, "\n", "\r\n")
		},
		after: []testFile{{name: "demo-1.0.dist-info/RECORD.jws", text: "{}"}, {name: "demo-1.0.dist-info/RECORD.p7s", text: "s"}},
		wheel: "Wheel-Version: 1.9\nRoot-Is-Purelib: False\nWheel-Version: 2.0\n",
	}
	e := w.mustUnpack(t)
	if f := e.file("a.py"); f == nil || f.SHA256 != sha256.Sum256([]byte("a")) || e.Pure {
		t.Errorf("file %+v, pure %v", f, e.Pure)
	}
}

// TestUnpackLimitsSizes declares another size in the archive than its data has.
func TestUnpackLimitsSizes(t *testing.T) {
	bomb := strings.Repeat("a", 8<<20)
	w := testWheel{files: []testFile{{name: "bomb.bin", text: bomb}}, record: func(lines string) string {
		return strings.Replace(lines, fmt.Sprint(len(bomb)), "100", 1)
	}}
	content := w.build(t)
	entry := bytes.LastIndex(content, []byte("bomb.bin")) - 46 // of the central directory
	if !bytes.Equal(content[entry:entry+4], []byte("PK\x01\x02")) {
		t.Fatal("the directory entry is elsewhere")
	}
	copy(content[entry+24:], []byte{100, 0, 0, 0}) // the uncompressed size
	archive, locked := save(t, content)
	parent := t.TempDir()
	_, err := Unpack(t.Context(), archive, locked, "demo", "1.0", filepath.Join(parent, "entry"))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "bomb.bin") || len(names(t, parent)) > 0 {
		t.Errorf("%v", err)
	}
}

// TestUnpackLimitsTheTotalSize declares more than the limit, in the zip64 format.
func TestUnpackLimitsTheTotalSize(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, size := range []uint64{maxUnpacked - 10, 11} {
		if _, err := z.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(size), Method: zip.Deflate, UncompressedSize64: size}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive, locked := save(t, b.Bytes())
	_, err := Unpack(t.Context(), archive, locked, "demo", "1.0", filepath.Join(t.TempDir(), "entry"))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "bytes unpacked") {
		t.Errorf("%v", err)
	}
}

func TestUnpackRepairsAnEntry(t *testing.T) {
	archive, w := save(t, full.build(t))
	dir := filepath.Join(t.TempDir(), "entry")
	unpack := func() *Entry {
		t.Helper()
		e, err := Unpack(t.Context(), archive, w, "demo", "1.0", dir)
		if err != nil {
			t.Fatal(err)
		}
		if damaged, err := e.Verify(t.Context(), nil); err != nil || len(damaged) > 0 {
			t.Fatalf("unpacked with damage %v, %v", damaged, err)
		}
		return e
	}
	e := unpack()
	id := func() os.FileInfo {
		info, err := os.Stat(e.FilePath("demo/tool"))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := id()
	if unpack(); !os.SameFile(first, id()) {
		t.Error("an intact entry was unpacked again")
	}
	file := e.FilePath("demo/__init__.py")
	for what, damage := range map[string]func() error{
		"a file is written":      func() error { return os.WriteFile(file, []byte("x"), 0o644) },
		"a file is removed":      func() error { return os.Remove(file) },
		"a mode is changed":      func() error { return os.Chmod(file, 0o600) },
		"a time is changed":      func() error { return os.Chtimes(file, time.Time{}, time.Now()) },
		"a file becomes a link":  func() error { return errors.Join(os.Rename(file, file+"x"), os.Symlink(file+"x", file)) },
		"a directory is removed": func() error { return os.RemoveAll(filepath.Dir(file)) },
		"entry.json is cut":      func() error { return os.Truncate(layout.DistEntry(dir), 20) },
		"entry.json is missing":  func() error { return os.Remove(layout.DistEntry(dir)) },
		"entry.json leads out": func() error {
			name := layout.DistEntry(dir)
			b, err := os.ReadFile(name)
			b = bytes.Replace(b[:bytes.LastIndex(b, []byte(checksumKey))], []byte(`"demo/tool"`), []byte(`"../../../x"`), 1)
			return errors.Join(err, os.WriteFile(name, fmt.Appendf(nil, `%s%s%x"}`, b, checksumKey, sha256.Sum256(b)), 0o644))
		},
		"entry.json has another digest": func() error {
			name := layout.DistEntry(dir)
			b, err := os.ReadFile(name)
			old := e.Files[0].SHA256.String()
			return errors.Join(err, os.WriteFile(name, bytes.Replace(b, []byte(old), []byte(strings.Repeat("0", len(old))), 1), 0o644))
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if e, err := Open(dir); err == nil {
			changed, err := e.Changed()
			if err != nil || len(changed) == 0 {
				t.Errorf("%s: %v, %v", what, changed, err)
			}
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
		if unpack(); os.SameFile(first, id()) {
			t.Errorf("%s: the entry was not replaced", what)
		}
		first = id()
	}
	if list := names(t, filepath.Dir(dir)); !slices.Equal(list, []string{"entry"}) {
		t.Errorf("the store has %v", list)
	}
}

// TestVerifyFindsAChangeWithTheSameTimes changes a byte and restores the time.
func TestVerifyFindsAChangeWithTheSameTimes(t *testing.T) {
	e := full.mustUnpack(t)
	name := e.FilePath("demo/tool")
	if err := errors.Join(os.WriteFile(name, []byte("#!/bin/SH\n"), 0o755), os.Chtimes(name, built, built)); err != nil {
		t.Fatal(err)
	}
	if changed, err := e.Changed(); err != nil || len(changed) > 0 {
		t.Fatalf("%v, %v", changed, err)
	}
	if damaged, err := e.Verify(t.Context(), nil); err != nil || !slices.Equal(damaged, []string{"demo/tool"}) {
		t.Errorf("%v, %v", damaged, err)
	}
	// A file that an environment shares, and that was hashed there, is not read again.
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		t.Fatal(err)
	}
	hashed := pyenv.Hashed{pyenv.IDOf(&st): e.file("demo/tool").SHA256}
	if damaged, err := e.Verify(t.Context(), hashed); err != nil || len(damaged) > 0 {
		t.Errorf("%v, %v", damaged, err)
	}
}

func TestConcurrentUnpacksReturnOneEntry(t *testing.T) {
	archive, w := save(t, full.with(testFile{name: "large.bin", text: strings.Repeat("0123456789", 1<<20)}).build(t))
	parent := t.TempDir()
	errs := make(chan error)
	const n = 8
	for range n {
		go func() {
			e, err := Unpack(context.Background(), archive, w, "demo", "1.0", filepath.Join(parent, "entry"))
			if err == nil {
				var changed []string
				if changed, err = e.Changed(); len(changed) > 0 {
					err = fmt.Errorf("changed: %v", changed)
				}
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if list := names(t, parent); !slices.Equal(list, []string{"entry"}) {
		t.Errorf("the store has %v", list)
	}
}

// TestCancelledUnpackLeavesNothing cancels later and later, until the wheel is unpacked.
func TestCancelledUnpackLeavesNothing(t *testing.T) {
	archive, w := save(t, full.with(testFile{name: "large.bin", text: strings.Repeat("0123456789", 1<<21)}).build(t))
	cancelled := 0
	for delay := time.Duration(0); ; delay += 2 * time.Millisecond {
		parent := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		_, err := Unpack(ctx, archive, w, "demo", "1.0", filepath.Join(parent, "entry"))
		cancel()
		if err == nil {
			break
		}
		cancelled++
		if !errors.Is(err, context.DeadlineExceeded) || len(names(t, parent)) > 0 {
			t.Fatalf("after %s: %v, the store has %v", delay, err, names(t, parent))
		}
	}
	if cancelled < 3 {
		t.Errorf("only %d were cancelled", cancelled)
	}
}

// TestUnpackReportsAnUnreadableEntry has a named pipe in the place of an entry.json.
func TestUnpackReportsAnUnreadableEntry(t *testing.T) {
	archive, w := save(t, full.build(t))
	dir := filepath.Join(t.TempDir(), "entry")
	if err := errors.Join(os.Mkdir(dir, 0o755), unix.Mkfifo(layout.DistEntry(dir), 0o600)); err != nil {
		t.Fatal(err)
	}
	if e, err := Unpack(t.Context(), archive, w, "demo", "1.0", dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("%v, %v", e, err)
	}
}

func TestRemoveTempsKeepsThoseInUse(t *testing.T) {
	parent := t.TempDir()
	used, err := newTemp(parent)
	if err != nil {
		t.Fatal(err)
	}
	left, err := newTemp(parent)
	if err != nil {
		t.Fatal(err)
	}
	_ = left.lock.Close() // as if its process was killed
	if err := os.Mkdir(filepath.Join(parent, "entry"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := RemoveTemps(parent); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Base(used.path), "entry"}
	if list := names(t, parent); !slices.Equal(list, want) {
		t.Errorf("left %v, want %v", list, want)
	}
	used.close()
	if err := RemoveTemps(filepath.Join(parent, "absent")); err != nil {
		t.Error(err)
	}
}

// environment makes the directories of an empty environment for Python 3.10.
func environment(t testing.TB) string {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "gen")
	for _, dir := range []string{"bin", "lib/python3.10/site-packages", "reconcile"} {
		if err := os.MkdirAll(filepath.Join(prefix, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return prefix
}

func assemble(t testing.TB, prefix string, entries ...*Entry) Result {
	t.Helper()
	r, err := Assemble(t.Context(), prefix, filepath.Join(prefix, "bin/python"), "3.10", entries, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAssemblePutsFilesToTheirPlaces(t *testing.T) {
	e := full.mustUnpack(t)
	prefix := environment(t)
	r := assemble(t, prefix, e)

	shebang := "#!" + prefix + "/bin/python"
	got := tree(t, prefix)
	record := got[site+"demo-1.0.dist-info/RECORD"]
	delete(got, site+"demo-1.0.dist-info/RECORD")
	want := map[string]string{
		site + "demo/__init__.py":                    full.files[1].text,
		site + "demo/tool":                           "#!/bin/sh\n",
		site + "demo/name, with \"quotes\".txt":      "x",
		site + "demo/größe.txt":                      "ü",
		site + "pure.py":                             "pure = 1\n",
		site + "plat.py":                             "plat = 1\n",
		"bin/demo-script":                            shebang + " -B\nprint('script')\n",
		"bin/demo-sh":                                "#!/bin/sh\necho sh\n",
		"bin/demo":                                   shebang + "\nimport sys\nfrom demo import main\nif __name__ == \"__main__\":\n    sys.exit(main())\n",
		"bin/run.it":                                 shebang + "\nimport sys\nfrom demo import C\nif __name__ == \"__main__\":\n    sys.exit(C.run())\n",
		"bin/demo-gui":                               shebang + "\nimport sys\nfrom demo import main\nif __name__ == \"__main__\":\n    sys.exit(main())\n",
		"include/site/python3.10/demo/demo.h":        "// header\n",
		"share/demo/data.txt":                        "data\n",
		site + "demo-1.0.dist-info/INSTALLER":        "reconcile\n",
		site + "demo-1.0.dist-info/METADATA":         "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nText\n",
		site + "demo-1.0.dist-info/WHEEL":            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		site + "demo-1.0.dist-info/entry_points.txt": full.entryPoints,
	}
	if !maps.Equal(got, want) {
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s is %q, want %q", name, got[name], want[name])
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("unexpected %s", name)
			}
		}
	}
	for _, line := range []string{
		"../../../bin/demo-script," + digest("sha256", want["bin/demo-script"]) + ",",
		"../../../share/demo/data.txt," + digest("sha256", "data\n") + ",5\n",
		"demo/größe.txt," + digest("sha256", "ü") + ",2\n",
		"\ndemo-1.0.dist-info/RECORD,,\n",
	} {
		if !strings.Contains(record, line) {
			t.Errorf("RECORD has no %q:\n%s", line, record)
		}
	}
	if n := r.Count[Clone] + r.Count[Link] + r.Count[Copy]; n != 12 || r.Written != 6 || len(r.Conflicts) > 0 {
		t.Errorf("result %+v", r)
	}
	checkRecords(t, prefix, r, "demo", "1.0")
}

// checkRecords verifies an environment against its RECORD files.
func checkRecords(t testing.TB, prefix string, r Result, id ...string) {
	t.Helper()
	var seal pyenv.Seal
	for i := 0; i < len(id); i += 2 {
		seal.Packages = append(seal.Packages, facts.Package{Name: id[i], Version: id[i+1]})
	}
	damage, err := pyenv.Recheck(t.Context(), prefix, seal, r.Verified, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range damage {
		if d.What != "interpreter" { // the environment has none
			t.Errorf("damage %+v", d)
		}
	}
}
