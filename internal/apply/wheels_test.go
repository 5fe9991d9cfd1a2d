package apply

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// wheelFolder returns the folder of wheels that every apply of a world installs from.
func (w *world) wheelFolder() string { return w.root + ".wheels" }

// wheel writes a wheel into the folder: a package with a module, a script and outdated
// bytecode, which some wheels contain. Names have a meaning:
//
//	writer    changes itself during the import, to the same size
//	hostile   runs code by site and by import, which writes to the file of ran
//	broken    differs from its RECORD
//	clash     contains a file of alpha
//	large     has 3 MB when it is unpacked
//	dense     has 3 MB packed
func (w *world) wheel(python, pin string) resources.Wheel {
	w.t.Helper()
	name, version, _ := strings.Cut(pin, "=")
	minor := strings.ReplaceAll(minorOf(python), ".", "")
	info := name + "-" + version + ".dist-info/"
	files := map[string]string{
		name + "/__init__.py":     fmt.Sprintf("import sys\nversion = %q\ndef main():\n    print(sys.prefix, version)\n", version),
		name + "/late.py":         fmt.Sprintf("version = %q\n", version),
		info + "METADATA":         "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n\n",
		info + "WHEEL":            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "entry_points.txt": fmt.Sprintf("[console_scripts]\n%s = %s:main\n", name, name),
		name + "/__pycache__/__init__.cpython-" + minor + ".pyc": "stale",
	}
	switch name {
	case "writer":
		files[name+"/__init__.py"] += "import os, time\ntime.sleep(0.5)\nwith open(os.path.dirname(__file__) + '/late.py', 'r+') as f:\n    f.write('V')\n"
	case "hostile":
		code := fmt.Sprintf("open(%q, 'a').write('%%s ')\n", w.root+".ran")
		files["sitecustomize.py"] = fmt.Sprintf(code, "sitecustomize")
		files["hostile.pth"] = "import os; " + fmt.Sprintf(code, "pth")
		files[name+"/__init__.py"] += fmt.Sprintf(code, "import")
	case "clash":
		files["alpha/late.py"] = "version = 'other'\n"
	}
	switch name {
	case "large":
		files[name+"/data"] = strings.Repeat("x", 3<<20)
	case "dense":
		data := make([]byte, 3<<20)
		_, _ = rand.NewChaCha8([32]byte{}).Read(data) // always succeeds
		files[name+"/data"] = string(data)
	}
	recorded := maps.Clone(files)
	if name == "broken" {
		recorded[name+"/late.py"] = strings.ToUpper(files[name+"/late.py"])
	}
	files[info+"RECORD"] = recordOf(recorded, info)
	archive := archiveOf(w.t, files)
	wheel := resources.Wheel{Name: name, Version: version, File: name + "-" + version + "-py3-none-any.whl", Size: int64(len(archive)), SHA256: sha256.Sum256(archive)}
	check(w.t, os.MkdirAll(w.wheelFolder(), 0o755))
	file := filepath.Join(w.wheelFolder(), wheel.File)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		check(w.t, os.WriteFile(file, archive, 0o644))
	}
	return wheel
}

// removeWheels empties the folder of wheels, so that an apply can fetch none of them.
func (w *world) removeWheels() {
	w.t.Helper()
	check(w.t, os.RemoveAll(w.wheelFolder()))
	check(w.t, os.Mkdir(w.wheelFolder(), 0o755))
}

// ran returns the text that the code of the package "hostile" wrote when it ran.
func (w *world) ran() string {
	b, err := os.ReadFile(w.root + ".ran")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(b)
}

// entry returns the entry of a wheel in the store.
func (w *world) entry(wheel resources.Wheel) *wheels.Entry {
	w.t.Helper()
	e, err := wheels.Open(layout.Dist(w.store(), wheel.SHA256.String()))
	check(w.t, err)
	return e
}

var minors sync.Map // Python minor versions, by interpreter

// minorOf returns the minor version of an interpreter: "3.10".
func minorOf(python string) string {
	if minor, ok := minors.Load(python); ok {
		return minor.(string)
	}
	out, err := exec.Command(python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		panic(err)
	}
	minor := strings.TrimSpace(string(out))
	minors.Store(python, minor)
	return minor
}

// lateIn returns the path of late.py of a package in a generation of the environment.
func (w *world) lateIn(python, generation, name string) string {
	return filepath.Join(layout.Generation(w.stateDir(), "local", generation), layout.SitePackages("", minorOf(python)), name, "late.py")
}

// rewrite writes into an existing file, with content of the same size.
func rewrite(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	check(t, err)
	check(t, os.WriteFile(name, append([]byte("V"), text[1:]...), 0o644))
}

// TestChangedPinFetchesItsWheelOnly removes the other wheels from the index.
func TestChangedPinFetchesItsWheelOnly(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"}))
	next := wantEnvironment(w, python, "two", []string{"alpha=1", "beta=2"})
	check(t, os.Remove(filepath.Join(w.wheelFolder(), "alpha-1-py3-none-any.whl")))
	w.mustApply(next)
	if got := w.runActive("beta"); !strings.HasSuffix(got, "/two 2") {
		t.Errorf("beta prints %q", got)
	}
}

// TestFileChangedInPlace writes into a file of the active generation, which may be a hard
// link to the store: the next build fetches that wheel again, and no other.
func TestFileChangedInPlace(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"}))
	late := w.lateIn(python, "one", "beta")
	rewrite(t, late)
	beta := w.wheel(python, "beta=1")
	changed, err := w.entry(beta).Changed()
	check(t, err)
	if shared := len(changed) > 0; !shared {
		t.Skip("the file system of the store has clones: a change of one generation reaches no other")
	}
	next := wantEnvironment(w, python, "two", []string{"alpha=1", "beta=1"})
	check(t, os.Remove(filepath.Join(w.wheelFolder(), "alpha-1-py3-none-any.whl")))
	w.mustApply(next)
	if text, err := os.ReadFile(w.lateIn(python, "two", "beta")); err != nil || string(text) != "version = \"1\"\n" {
		t.Errorf("the next generation contains %q, %v", text, err)
	}
	if damaged, err := w.entry(beta).Verify(t.Context(), nil); err != nil || len(damaged) > 0 {
		t.Errorf("the store has damaged files: %v, %v", damaged, err)
	}
}

// TestStoreChangesDuringABuild changes a file of the store between unpack and assemble: the
// build fails, and the next one completes.
func TestStoreChangesDuringABuild(t *testing.T) {
	python := findPython(t)
	for name, change := range map[string]func(e *wheels.Entry) resources.Step{
		"changed": func(e *wheels.Entry) resources.Step {
			return resources.Run{Program: python, Args: []string{"-I", "-c", "import sys; open(sys.argv[1], 'r+').write('V')", e.FilePath("beta/late.py")}}
		},
		"removed": func(e *wheels.Entry) resources.Step {
			return resources.Run{Program: python, Args: []string{"-I", "-c", "import sys, shutil; shutil.rmtree(sys.argv[1])", e.Dir}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			env := wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"})
			e := &wheels.Entry{Dir: layout.Dist(w.store(), w.wheel(python, "beta=1").SHA256.String())}
			changing := withSteps(wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"}), func(steps []resources.Step) []resources.Step {
				i := slices.IndexFunc(steps, func(s resources.Step) bool { _, ok := s.(resources.Assemble); return ok })
				return slices.Insert(steps, i, change(e))
			})
			p := w.apply(t.Context(), w.plan(changing)).want(t, "venv.local", Failed, "apply.store")
			if !strings.Contains(p.Found, e.Dir) {
				t.Errorf("found %q", p.Found)
			}
			w.mustApply(env)
			if got := w.runActive("beta"); !strings.HasSuffix(got, "/one 1") {
				t.Errorf("beta prints %q", got)
			}
		})
	}
}

// TestInvalidWheelIsRefused checks that no file of a wheel is in the store that differs from
// its RECORD, and that its code does not run.
func TestInvalidWheelIsRefused(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	p := w.apply(t.Context(), w.plan(wantEnvironment(w, python, "one", []string{"broken=1", "hostile=1"}))).want(t, "venv.local", Failed, "apply.wheel")
	if !strings.Contains(p.Found, "broken/late.py") || !strings.Contains(p.Summary, "broken-1-py3-none-any.whl") || !strings.Contains(p.Hint, "another version of broken") {
		t.Errorf("%+v", p)
	}
	if got := w.ran(); got != "" {
		t.Errorf("code ran: %s", got)
	}
	w.checkClean()
}

// TestPackagesWithOnePath installs two packages that contain different files with the same
// path, in both orders.
func TestPackagesWithOnePath(t *testing.T) {
	python := findPython(t)
	for _, pins := range [][]string{{"alpha=1", "clash=1"}, {"clash=1", "alpha=1"}} {
		w := newWorld(t)
		p := w.apply(t.Context(), w.plan(wantEnvironment(w, python, "one", pins))).want(t, "venv.local", Failed, "apply.conflict")
		first, _, _ := strings.Cut(pins[0], "=")
		if !strings.Contains(p.Found, "/alpha/late.py: from "+first+" and from ") {
			t.Errorf("found %q", p.Found)
		}
	}
}

// TestArchivesOfAnInterruptedApply puts archives into the temporary folder of the store, as a
// killed apply does: a good one is used without the index, a damaged one is fetched again,
// and that of an unpacked wheel is removed.
func TestArchivesOfAnInterruptedApply(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	pins := []string{"alpha=1", "beta=1"}
	env := wantEnvironment(w, python, "one", pins)
	alpha, beta := w.wheel(python, "alpha=1"), w.wheel(python, "beta=1")
	temp := func(wheel resources.Wheel) string {
		return filepath.Join(layout.Temp(w.store()), wheel.SHA256.String()+".whl")
	}
	check(t, os.MkdirAll(layout.Temp(w.store()), 0o700))
	check(t, os.Rename(filepath.Join(w.wheelFolder(), alpha.File), temp(alpha)))
	check(t, os.WriteFile(temp(beta), []byte("damaged"), 0o600))
	w.mustApply(env)
	check(t, os.WriteFile(temp(beta), []byte("left"), 0o600))
	w.mustApply(wantEnvironment(w, python, "two", pins))
}

// TestOldTemporaryFilesAreRemoved has files in the temporary folder of the store that no lock
// needs any more, and an old file of the user.
func TestOldTemporaryFilesAreRemoved(t *testing.T) {
	w := newWorld(t)
	temp := layout.Temp(w.store())
	check(t, os.MkdirAll(filepath.Join(temp, "lock-1", "sub"), 0o700))
	download := func(digit string) string { return strings.Repeat(digit, 64) + ".whl.partial" }
	for name, days := range map[string]int{download("a"): 8, download("b"): 0, "lock-1": 9, "notes.txt": 400} {
		if name != "lock-1" {
			check(t, os.WriteFile(filepath.Join(temp, name), []byte("x"), 0o600))
		}
		check(t, os.Chtimes(filepath.Join(temp, name), time.Time{}, time.Now().AddDate(0, 0, -days)))
	}
	w.apply(t.Context(), w.plan(wantDir("data", 0o755)))
	left, err := os.ReadDir(temp)
	if err != nil || len(left) != 2 || left[0].Name() != download("b") || left[1].Name() != "notes.txt" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestInterruptedUnpackCanContinue ends an apply while it fetches wheels.
func TestInterruptedUnpackCanContinue(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	env := wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"})
	ctx, cancel := context.WithCancel(t.Context())
	r := w.apply(ctx, w.plan(env), func(o *Options) {
		events := o.Events
		o.Events = func(ev Event) {
			if ev.Kind == StepStarted && ev.Step == "unpack" {
				cancel()
			}
			events(ev)
		}
	})
	if it := r.outcome(t, "venv.local"); it.Outcome != Interrupted {
		t.Errorf("the apply is %s, %v", it.Outcome, it.Cause)
	}
	w.mustApply(env)
}

// TestUnpackReportsProgress adds the progress of all transfers.
func TestUnpackReportsProgress(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	pins := []string{"alpha=1", "beta=1", "gamma=1", "delta=1"}
	w.mustApply(wantEnvironment(w, python, "one", pins))
	var total, last int64
	for _, pin := range pins {
		total += w.wheel(python, pin).Size
	}
	for _, ev := range w.events {
		if ev.Kind != Progress || ev.Step != "unpack" {
			continue
		}
		if ev.Total != total || ev.Bytes < last || ev.Bytes > total {
			t.Errorf("%d of %d bytes after %d, want a total of %d", ev.Bytes, ev.Total, last, total)
		}
		last = ev.Bytes
	}
	if last != total {
		t.Errorf("the last progress is %d of %d bytes", last, total)
	}
}

// TestTwoProjectsShareOneStore applies two projects to one store at the same time: both
// succeed, and the store has each wheel once.
func TestTwoProjectsShareOneStore(t *testing.T) {
	python := findPython(t)
	one := newWorld(t)
	other := &world{t: t, root: filepath.Join(filepath.Dir(one.root), "other"), shared: one.store(), jobs: 2}
	check(t, errors.Join(os.Mkdir(other.root, 0o755), os.MkdirAll(other.stateDir(), 0o700)))
	pins := []string{"alpha=1", "beta=1", "gamma=1"}
	var applies sync.WaitGroup
	for _, w := range []*world{one, other} {
		p := w.plan(wantEnvironment(w, python, "one", pins))
		applies.Go(func() {
			if r := w.apply(context.Background(), p); r.Count(Done) != 1 {
				t.Errorf("not done:\n%s", r)
			}
		})
	}
	applies.Wait()
	for _, w := range []*world{one, other} {
		if got := w.runActive("beta"); got != layout.Generation(w.stateDir(), "local", "one")+" 1" {
			t.Errorf("beta prints %q", got)
		}
		w.checkClean()
	}
	dists, err := os.ReadDir(layout.Dists(one.store()))
	if err != nil || len(dists) != len(pins) {
		t.Errorf("the store has %v, %v", dists, err)
	}
	a, err := os.Stat(one.lateIn(python, "one", "beta"))
	check(t, err)
	b, err := os.Stat(other.lateIn(python, "one", "beta"))
	check(t, err)
	stored, err := os.Stat(one.entry(one.wheel(python, "beta=1")).FilePath("beta/late.py"))
	check(t, err)
	if os.SameFile(a, stored) != os.SameFile(b, stored) {
		t.Error("one project has a link to the store, the other has none")
	}
	next := wantEnvironment(other, python, "two", pins)
	other.removeWheels()
	other.mustApply(next) // from the store alone
}

// checkStore checks that the store has neither temporary files nor an entry that is damaged.
func (w *world) checkStore() {
	w.t.Helper()
	left, err := os.ReadDir(layout.Temp(w.store()))
	if err == nil && len(left) > 0 {
		w.t.Errorf("the store has temporary files: %v", left)
	}
	dists, err := os.ReadDir(layout.Dists(w.store()))
	if err != nil {
		return // no environment
	}
	for _, d := range dists {
		if atomicfile.IsTemp(d.Name()) {
			w.t.Errorf("left behind in the store: %s", d.Name())
			continue
		}
		e, err := wheels.Open(filepath.Join(layout.Dists(w.store()), d.Name()))
		if err != nil {
			w.t.Errorf("the store has an incomplete entry: %v", err)
			continue
		}
		if damaged, err := e.Verify(context.Background(), nil); err != nil || len(damaged) > 0 {
			w.t.Errorf("%s is damaged: %v, %v", e.Name, damaged, err)
		}
	}
}

// unpackWheel makes a wheel "shared" 1.0 and unpacks it.
func unpackWheel(t *testing.T, dir string, files map[string]string) *wheels.Entry {
	t.Helper()
	const info = "shared-1.0.dist-info/"
	files[info+"METADATA"] = "Metadata-Version: 2.1\nName: shared\nVersion: 1.0\n"
	files[info+"WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	files[info+"RECORD"] = recordOf(files, info)
	archive := archiveOf(t, files)
	file := filepath.Join(t.TempDir(), "shared-1.0-py3-none-any.whl")
	check(t, os.WriteFile(file, archive, 0o644))
	e, err := wheels.Unpack(t.Context(), file, lock.Wheel{File: filepath.Base(file), Size: int64(len(archive)), SHA256: sha256.Sum256(archive)}, "shared", "1.0", dir)
	check(t, err)
	return e
}

// recordOf returns the RECORD of files in the directory info.
func recordOf(files map[string]string, info string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256([]byte(files[name]))
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[name]))
	}
	return b.String() + info + "RECORD,,\n"
}

// archiveOf returns an archive of files, always the same.
func archiveOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(2024, 2, 29, 12, 30, 14, 0, time.UTC)})
		check(t, err)
		_, err = f.Write([]byte(files[name]))
		check(t, err)
	}
	check(t, z.Close())
	return b.Bytes()
}
