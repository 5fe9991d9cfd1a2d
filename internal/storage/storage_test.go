package storage

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/store"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

// A site is a store with projects.
type site struct {
	*testing.T
	dir   string // of the projects
	store string
	base  string // interpreter of generations
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t, filepath.Join(dir, "work"), filepath.Join(dir, "store"), "/usr/bin/python3.10"}
	s.must(store.Make(s.store))
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) write(name string, size int) {
	s.Helper()
	s.must(os.MkdirAll(filepath.Dir(name), 0o755))
	s.must(os.WriteFile(name, make([]byte, size), 0o644))
}

// blocks is the size of the file of a wheel, large beside directories and metadata.
const blocks = 1 << 20

// wheel builds and unpacks a wheel with one module, and returns its entry.
func (s *site) wheel(name string) string {
	s.Helper()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	record := ""
	add := func(file string, content []byte) {
		f, err := w.Create(file)
		s.must(err)
		_, err = f.Write(content)
		s.must(err)
		sum := sha256.Sum256(content)
		record += fmt.Sprintf("%s,sha256=%s,%d\n", file, base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
	}
	info := name + "-1.0.dist-info/"
	add(name+".py", bytes.Repeat([]byte(name+"\n"), blocks/(len(name)+1)))
	add(info+"METADATA", []byte("Metadata-Version: 2.1\nName: "+name+"\nVersion: 1.0\n"))
	add(info+"WHEEL", []byte("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"))
	f, err := w.Create(info + "RECORD")
	s.must(err)
	_, err = f.Write([]byte(record + info + "RECORD,,\n"))
	s.must(err)
	s.must(w.Close())
	file := filepath.Join(s.TempDir(), name+"-1.0-py3-none-any.whl")
	s.must(os.WriteFile(file, archive.Bytes(), 0o600))
	locked := lock.Wheel{File: filepath.Base(file), Size: int64(archive.Len()), SHA256: sha256.Sum256(archive.Bytes())}
	dir := layout.Dist(s.store, locked.SHA256.String())
	s.must(os.MkdirAll(filepath.Dir(dir), 0o700))
	_, err = wheels.Unpack(s.Context(), file, locked, name, "1.0", dir)
	s.must(err)
	return dir
}

// moduleOf returns the path of the module of a wheel.
func moduleOf(e *wheels.Entry) string { return e.Name + ".py" }

// generation builds a sealed generation of project from entries: hard links, or copies.
func (s *site) generation(project, name string, copies bool, entries ...string) string {
	s.Helper()
	root := filepath.Join(s.dir, project)
	s.must(os.MkdirAll(root, 0o755))
	state := layout.State(s.store, root)
	s.must(store.Prepare(s.store, state, root))
	dir := layout.Generation(state, "local", name)
	seal := pyenv.Seal{Version: 1, Python: "3.10.1", Base: s.base, Prefix: dir}
	for _, e := range entries {
		entry, err := wheels.Open(e)
		s.must(err)
		seal.Packages = append(seal.Packages, facts.Package{Name: entry.Name, Version: entry.Version})
		file := filepath.Join(dir, "lib", moduleOf(entry))
		if copies {
			s.write(file, blocks)
			continue
		}
		s.must(os.MkdirAll(filepath.Dir(file), 0o755))
		s.must(os.Link(entry.FilePath(moduleOf(entry)), file))
	}
	text, err := pyenv.EncodeSeal(seal)
	s.must(err)
	s.must(os.MkdirAll(filepath.Dir(layout.Seal(dir)), 0o755))
	s.must(os.WriteFile(layout.Seal(dir), text, 0o644))
	return dir
}

func (s *site) state(project string) string {
	return layout.State(s.store, filepath.Join(s.dir, project))
}

func (s *site) load() *Store {
	s.Helper()
	loaded, err := load(s.Context(), store.Location{Path: s.store, Source: "default"}, "", time.Now())
	s.must(err)
	return loaded
}

// prune prunes, and returns the actions by the base name of their path.
func (s *site) prune(o Options) (map[string]string, *report.Prune) {
	s.Helper()
	loaded := s.load()
	agreed, err := loaded.Prune(o)
	s.must(err)
	done, err := Apply(s.Context(), &session.Config{}, loaded, o, agreed, session.LockOptions{})
	s.must(err)
	actions := map[string]string{}
	for _, i := range done.Items {
		actions[filepath.Base(i.Path)] = strings.TrimSpace(i.Action + " " + i.Reason)
	}
	return actions, done
}

func (s *site) exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func projectOf(t *testing.T, r *report.Store, base string) report.StoreProject {
	t.Helper()
	i := slices.IndexFunc(r.Projects, func(p report.StoreProject) bool { return filepath.Base(p.Path) == base })
	if i < 0 {
		t.Fatalf("no project %s in %+v", base, r.Projects)
	}
	return r.Projects[i]
}

func TestHardLinkedFilesAreCountedOnce(t *testing.T) {
	s := newSite(t)
	a, b := s.wheel("alpha"), s.wheel("beta")
	s.generation("one", "g1", false, a, b)
	s.generation("one", "g2", false, a)
	s.generation("two", "g1", false, a)
	s.generation("two", "g2", true, b)
	s.must(os.WriteFile(filepath.Join(s.state("two"), "project.json.x"), nil, 0o600))
	r := s.load().Report()
	near := func(what string, got, want int64) {
		t.Helper()
		if got < want || got > want+blocks/2 {
			t.Errorf("%s is %d bytes, want about %d", what, got, want)
		}
	}
	near("the store", r.Size, 3*blocks)
	near("dists", r.Parts[0].Size, 2*blocks)
	near("projects", r.Parts[5].Size, blocks)
	one, two := projectOf(t, r, "one"), projectOf(t, r, "two")
	near("shared of one", one.Shared, 2*blocks)
	near("exclusive of one", one.Exclusive, 0)
	near("shared of two", two.Shared, blocks)
	near("exclusive of two", two.Exclusive, blocks)
	if r.Unused != 0 || one.Generations != 2 || one.Status != report.ProjectExists || !slices.Equal(one.Environments, []string{"local"}) {
		t.Errorf("%+v", r)
	}
}

// TestAProjectWithoutItsWheelsOwnsTheFiles removes the entry of a wheel: the generations of a
// project are then the only names of its file.
func TestAProjectWithoutItsWheelsOwnsTheFiles(t *testing.T) {
	s := newSite(t)
	a := s.wheel("alpha")
	s.generation("one", "g1", false, a)
	s.generation("one", "g2", false, a)
	s.must(os.RemoveAll(a))
	one := projectOf(t, s.load().Report(), "one")
	if one.Exclusive < blocks || one.Exclusive > blocks+blocks/2 || one.Shared != 0 {
		t.Errorf("%+v", one)
	}
}

func TestStatusOfProjects(t *testing.T) {
	s := newSite(t)
	a := s.wheel("alpha")
	for _, name := range []string{"here", "gone", "moved", "disk/unmounted", "other/deleted"} {
		s.generation(name, "g1", false, a)
	}
	s.must(os.RemoveAll(filepath.Join(s.dir, "gone")))
	s.must(os.RemoveAll(filepath.Join(s.dir, "disk/unmounted")))
	s.must(os.RemoveAll(filepath.Join(s.dir, "other")))
	link := filepath.Join(s.dir, "moved/.venv/generation")
	s.must(os.MkdirAll(filepath.Dir(link), 0o755))
	s.must(os.Symlink(layout.Generation(s.state("moved"), "local", "g1"), link))
	s.must(os.Rename(filepath.Join(s.dir, "moved"), filepath.Join(s.dir, "new")))
	s.generation("new", "g1", false, a)
	s.must(os.MkdirAll(layout.State(s.store, "/nowhere"), 0o700))
	s.must(os.WriteFile(layout.ProjectFile(layout.State(s.store, "/nowhere")), []byte(`{"root":"/"}`), 0o600))
	r := s.load().Report()
	want := map[string]report.ProjectStatus{
		"here": report.ProjectExists, "new": report.ProjectExists, "gone": report.ProjectGone, "moved": report.ProjectMoved,
		"unmounted": report.ProjectUnreachable, "deleted": report.ProjectUnreachable, ".": report.ProjectUnknown,
	}
	for _, p := range r.Projects {
		if base := filepath.Base(p.Path); p.Status != want[base] {
			t.Errorf("%s is %s, want %s", base, p.Status, want[base])
		}
		delete(want, filepath.Base(p.Path))
	}
	if len(want) > 0 || projectOf(t, r, "moved").MovedTo != filepath.Join(s.dir, "new") || r.Gone != 1 {
		t.Errorf("missing %v in %+v", want, r)
	}
}

func TestPruneKeepsWhatIsUsed(t *testing.T) {
	s := newSite(t)
	linked, copied, unused := s.wheel("alpha"), s.wheel("beta"), s.wheel("gamma")
	base := layout.Interpreter(s.store, "linux-x86_64", "3.10.1", strings.Repeat("0", 64))
	s.base = base + "/bin/python"
	s.generation("one", "g1", false, linked)
	s.generation("one", "g2", true, copied)
	old := time.Now().Add(-40 * 24 * time.Hour)
	oldTool, newTool := "py_rattler-1-cp310-none-any.whl", "py_rattler-2-cp310-none-any.whl"
	temp := func(digit string) string { return strings.Repeat(digit, 64) + ".whl.partial" }
	oldTemp, lockedTemp, newTemp := temp("a"), temp("b"), temp("c")
	for _, name := range []string{"tools/linux-x86_64/" + oldTool, "cache/uv/x", "tmp/" + oldTemp, "tmp/" + lockedTemp, "conda/pkgs/zlib-1-0/x"} {
		s.write(filepath.Join(s.store, name), 10)
	}
	s.write(filepath.Join(base, "bin/python"), 10)
	s.must(filepath.WalkDir(s.store, func(name string, _ os.DirEntry, err error) error {
		s.must(err)
		return os.Chtimes(name, old, old)
	}))
	for _, name := range []string{"tmp/" + newTemp, "tools/linux-x86_64/" + newTool, "conda/pkgs/new-1-0/x"} {
		s.write(filepath.Join(s.store, name), 10)
	}
	uv := s.wheel("uv") // of reconcile lock
	locked, err := os.OpenFile(filepath.Join(s.store, "tmp", lockedTemp), os.O_RDWR, 0)
	s.must(err)
	defer locked.Close()
	s.must(unix.Flock(int(locked.Fd()), unix.LOCK_EX))
	want := s.load().Report().Unused
	actions, done := s.prune(Options{Budget: -1})
	for name, action := range map[string]string{
		filepath.Base(unused): "removed", oldTool: "removed", "uv": "removed", oldTemp: "removed", "zlib-1-0": "removed",
		lockedTemp: "kept a process has locked it",
	} {
		if actions[name] != action {
			t.Errorf("%s is %q, want %q", name, actions[name], action)
		}
		delete(actions, name)
	}
	if len(actions) > 0 || done.Freed < blocks || done.Freed > want {
		t.Errorf("also %v; freed %d of %d", actions, done.Freed, want)
	}
	for _, name := range []string{linked, copied, base, uv, filepath.Join(s.store, "tmp", newTemp), filepath.Join(s.store, "tools/linux-x86_64", newTool)} {
		if !s.exists(name) {
			t.Errorf("%s was removed", name)
		}
	}
	if names, err := readNames(layout.StoreTrash(s.store)); err != nil || len(names) > 0 || s.exists(unused) {
		t.Errorf("the trash has %v, %v", names, err)
	}
	if again, _ := s.prune(Options{Budget: -1}); len(again) != 1 {
		t.Errorf("a second prune finds %v", again)
	}
}

func TestPruneGone(t *testing.T) {
	s := newSite(t)
	a, b := s.wheel("alpha"), s.wheel("beta")
	s.generation("one", "g1", false, a)
	s.generation("gone", "g1", false, a, b)
	s.write(filepath.Join(layout.Kept(s.state("gone")), "old"), 5000)
	s.must(os.RemoveAll(filepath.Join(s.dir, "gone")))
	r := s.load().Report()
	if r.Gone != 1 || r.GoneSize < blocks || r.GoneSize > 2*blocks || r.Unused != 0 || projectOf(t, r, "gone").Kept < 4096 {
		t.Errorf("%+v", r)
	}
	if actions, _ := s.prune(Options{Budget: -1}); len(actions) > 0 || !s.exists(s.state("gone")) {
		t.Errorf("without --gone: %v", actions)
	}
	actions, done := s.prune(Options{Budget: -1, Gone: true})
	if len(actions) != 2 || s.exists(s.state("gone")) || s.exists(b) || !s.exists(a) || !s.exists(s.state("one")) || done.Freed < blocks {
		t.Errorf("%v, freed %d", actions, done.Freed)
	}
}

// TestPruneAfterAKill has a deleted project in the trash, as a prune leaves it that is killed: the
// wheel that only it links is unused.
func TestPruneAfterAKill(t *testing.T) {
	s := newSite(t)
	a := s.wheel("alpha")
	s.generation("one", "g1", false, a)
	s.must(os.Mkdir(layout.StoreTrash(s.store), 0o700))
	trashed := filepath.Join(layout.StoreTrash(s.store), atomicfile.TempName())
	s.must(os.Rename(s.state("one"), trashed))
	actions, done := s.prune(Options{Budget: -1})
	if len(actions) != 2 || s.exists(a) || s.exists(trashed) || done.Freed < blocks {
		t.Errorf("%v, freed %d", actions, done.Freed)
	}
}

func TestPruneByProjectAgeAndBudget(t *testing.T) {
	s := newSite(t)
	a, b := s.wheel("alpha"), s.wheel("beta")
	s.generation("new", "g1", false, a)
	old := s.generation("old", "g1", false, b)
	s.write(filepath.Join(layout.Kept(s.state("old")), "file"), 10)
	long := time.Now().Add(-50 * 24 * time.Hour)
	s.must(os.Chtimes(layout.ProjectFile(s.state("old")), long, long))
	for name, o := range map[string]Options{
		"older":   {Budget: -1, Older: 30 * 24 * time.Hour},
		"budget":  {Budget: blocks + blocks/2},
		"project": {Budget: -1, Projects: []string{"old"}},
		"path":    {Budget: -1, Projects: []string{filepath.Join(s.dir, "old")}},
	} {
		doc, err := s.load().Prune(o)
		s.must(err)
		var kinds []string
		for _, i := range doc.Items {
			kinds = append(kinds, i.Kind+" "+filepath.Base(i.Path))
		}
		if !slices.Equal(kinds, []string{"generation g1", "wheel " + filepath.Base(b)}) || doc.Freed < blocks || doc.Freed > blocks+blocks/2 {
			t.Errorf("%s: %v, %d", name, kinds, doc.Freed)
		}
	}
	if doc, err := s.load().Prune(Options{Budget: 3 * blocks}); err != nil || len(doc.Items) > 0 {
		t.Errorf("below the budget: %+v, %v", doc, err)
	}
	if doc, err := s.load().Prune(Options{Budget: 0}); err != nil || len(doc.Items) != 4 || len(doc.Notes) != 1 {
		t.Errorf("without a budget: %+v, %v", doc, err)
	}
	if _, err := s.load().Prune(Options{Budget: -1, Projects: []string{"missing"}}); err == nil {
		t.Error("a project that does not exist is accepted")
	}
	s.prune(Options{Budget: -1, Older: 30 * 24 * time.Hour})
	if s.exists(old) || s.exists(b) || !s.exists(filepath.Join(layout.Kept(s.state("old")), "file")) {
		t.Error("not the generation, its wheel and nothing else was removed")
	}
}

// TestPruneKeepsRunningGenerations starts a program from a generation: it, and the wheel that
// only it uses, are kept.
func TestPruneKeepsRunningGenerations(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep program")
	}
	s := newSite(t)
	a := s.wheel("alpha")
	gen := s.generation("one", "g1", false, a)
	c := exec.Command(sleep, "60")
	c.Args[0] = filepath.Join(gen, "bin/python")
	s.must(c.Start())
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	actions, done := s.prune(Options{Budget: -1, Projects: []string{"one"}})
	if !strings.HasPrefix(actions["g1"], "kept process ") || !s.exists(gen) || !s.exists(a) || done.Freed != 0 || !done.IsPartial() {
		t.Errorf("%v", actions)
	}
	if got := actions[filepath.Base(a)]; got != "kept an environment that was kept uses it" {
		t.Errorf("the wheel is %q", got)
	}
	s.must(os.RemoveAll(filepath.Join(s.dir, "one")))
	s.must(os.MkdirAll(filepath.Join(s.dir, "two"), 0o755))
	if actions, _ := s.prune(Options{Budget: -1, Gone: true}); !strings.HasPrefix(actions[filepath.Base(s.state("one"))], "kept process ") {
		t.Errorf("a gone project with a program: %v", actions)
	}
}

// TestPruneWaitsForApplies shares the lock of the store, as an apply does.
func TestPruneWaitsForApplies(t *testing.T) {
	s := newSite(t)
	a := s.wheel("alpha")
	loaded := s.load()
	agreed, err := loaded.Prune(Options{Budget: -1})
	s.must(err)
	project := &session.Project{Checkout: &session.Checkout{Config: &session.Config{}, Root: s.dir}}
	lock, err := project.ShareStore(t.Context(), s.store, session.LockOptions{})
	s.must(err)
	done, err := Apply(context.Background(), &session.Config{}, loaded, Options{Budget: -1}, agreed, session.LockOptions{})
	if done != nil || err == nil || !strings.Contains(err.Error(), "another run uses the store") || !s.exists(a) {
		t.Errorf("%+v, %v", done, err)
	}
	s.must(lock.Release())
	if actions, _ := s.prune(Options{Budget: -1}); actions[filepath.Base(a)] != "removed" {
		t.Errorf("%v", actions)
	}
}

func TestAbsentStore(t *testing.T) {
	s := newSite(t)
	s.must(os.RemoveAll(s.store))
	if r := s.load().Report(); len(r.Parts) > 0 || r.Size != 0 || s.exists(s.store) {
		t.Errorf("%+v", r)
	}
}

// TestPruneKeepsOtherFiles has files of the user in every part of a store, all old: none is
// removed, and each is listed.
func TestPruneKeepsOtherFiles(t *testing.T) {
	s := newSite(t)
	s.generation("one", "g1", false, s.wheel("alpha"))
	others := []string{
		"cache/mine", "conda/mine/x", "conda/pkgs/mine", "dists/mine", "notes", "projects/x", "projects/x-0123456789ab",
		"tmp/lock-notes", "tmp/mine.whl", "tools/linux-x86_64/mine", "tools/mine/x", "trash/mine",
	}
	for _, name := range others {
		s.write(filepath.Join(s.store, name, "file"), 10)
	}
	old := time.Now().Add(-400 * 24 * time.Hour)
	s.must(filepath.WalkDir(s.store, func(name string, _ os.DirEntry, err error) error {
		s.must(err)
		return os.Chtimes(name, old, old)
	}))
	s.must(os.RemoveAll(filepath.Join(s.dir, "one")))
	actions, _ := s.prune(Options{Budget: 0, Older: time.Hour, Gone: true})
	if len(actions) != 2 {
		t.Errorf("%v, want the project and its wheel", actions)
	}
	for _, name := range others {
		if !s.exists(filepath.Join(s.store, name, "file")) {
			t.Errorf("%s was removed", name)
		}
	}
	notes := strings.Join(s.load().Report().Notes, "\n")
	if !strings.Contains(notes, "not made by reconcile, so never removed from the store: ") || !strings.Contains(notes, " and 7 more") {
		t.Errorf("%s", notes)
	}
}
