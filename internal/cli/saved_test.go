package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/planfile"
	"github.com/reconcile-ml/reconcile/internal/state"
)

// files returns the mode and content of everything below the project, by path, and of the
// store if ours is set.
func (d *randomProject) files(ours bool) map[string]string {
	all := map[string]string{}
	top := d.root
	if ours {
		top = filepath.Dir(d.root)
	}
	err := filepath.WalkDir(top, func(at string, e fs.DirEntry, err error) error {
		if err != nil || at == d.root {
			return err
		}
		name, err := filepath.Rel(d.root, at)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		all[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(at)
			all[name] += " " + string(text)
			return err
		}
		return nil
	})
	check(d.t, err)
	return all
}

// changeMachine draws changes between plan and apply.
func (d *randomProject) changeMachine() {
	d.editFiles("meanwhile")
	for _, at := range []string{"a", "a/c", "b", "always", "x.txt", "a/x.txt", "unrelated"} {
		full := filepath.Join(d.root, at)
		var err error
		switch rapid.SampledFrom([]string{"", "", "", "directory", "wanted", "chmod", "gone"}).Draw(d.t, "meanwhile to "+at) {
		case "directory":
			_ = os.Mkdir(full, 0o755) // the path may exist, or its parent may be missing
		case "wanted":
			if strings.HasSuffix(at, ".txt") {
				_ = os.WriteFile(full, []byte("one"), 0o644)
			}
		case "chmod":
			if info, lost := os.Lstat(full); lost == nil {
				err = os.Chmod(full, info.Mode().Perm()^0o010)
			}
		case "gone":
			err = os.RemoveAll(full)
		}
		check(d.t, err)
	}
	switch rapid.IntRange(0, 14).Draw(d.t, "meanwhile to the manifest") {
	case 0:
		text, err := os.ReadFile(filepath.Join(d.root, "manifest.yaml"))
		check(d.t, err)
		d.write("manifest.yaml", string(text)+"# edited\n")
	case 1:
		d.removeState()
	case 2:
		d.run("state", "forget", "directory.always") // which may not be in the state
	}
}

// plannedPaths returns the paths that the items of a saved plan own, and their parents.
func plannedPaths(t *rapid.T, doc *planfile.Document) map[string]bool {
	paths := map[string]bool{}
	for _, it := range doc.Items {
		if it.Action == "" {
			continue
		}
		if it.Reads[0].Kind != facts.KindPath {
			t.Fatalf("%s owns %s", it.Addr, it.Reads[0])
		}
		for at := it.Reads[0].Name; at != "."; at = filepath.Dir(at) {
			paths[at] = true
		}
	}
	return paths
}

// TestSavedPlanDoesNoMore draws a manifest, a state, and changes between plan and apply. The
// apply changes only paths of the plan, or is refused and changes nothing, and it succeeds
// once.
func TestSavedPlanDoesNoMore(t *testing.T) {
	done, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := newRandomProject(t)
		if rapid.Bool().Draw(t, "has a state") {
			d.writeManifest("before")
			d.want(0, "apply", "-y", "-q")
		}
		d.editFiles("before the plan")
		d.writeManifest("now")
		d.want(0, "plan", "--out", "saved", "-q")
		text, err := os.ReadFile(filepath.Join(d.root, "saved"))
		check(t, err)
		doc, err := planfile.Decode(text)
		check(t, err)
		if rapid.IntRange(0, 3).Draw(t, "something happens") > 0 {
			d.changeMachine()
		}
		before, all := d.files(false), d.files(true)
		code, out := d.run("apply", "saved")
		switch code {
		case 6:
			refused++
			d.checkSame(all, out)
			return
		case 0:
			done++
		default:
			t.Fatalf("exit code %d\n%s", code, out)
		}
		paths := plannedPaths(t, doc)
		after := d.files(false)
		changed := 0
		for at := range maps.Keys(union(before, after)) {
			if before[at] == after[at] {
				continue
			}
			changed++
			if !paths[at] {
				t.Fatalf("%s was %q and is %q, which is not in the plan:\n%s\n%s", at, before[at], after[at], text, out)
			}
		}
		d.want(0, "plan", "--detailed-exitcode")
		all = d.files(true)
		if code, out = d.run("apply", "saved"); changed > 0 && code != 6 {
			t.Fatalf("applied twice: exit code %d\n%s", code, out)
		}
		if code == 6 {
			d.checkSame(all, out)
		}
	})
	if !t.Failed() && (done == 0 || refused == 0) {
		t.Errorf("%d plans were applied and %d refused, want some of both", done, refused)
	}
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// checkSame checks that nothing has changed.
func (d *randomProject) checkSame(was map[string]string, out string) {
	is := d.files(true)
	for at := range union(was, is) {
		if was[at] != is[at] {
			d.t.Fatalf("refused, and %s was %q and is %q\n%s", at, was[at], is[at], out)
		}
	}
}

// savedManifest has three resources.
const savedManifest = `version: 1
project: saved
directories:
  data: {path: data}
files:
  - {path: a.txt, content: "a\n"}
  - {path: b.txt, content: "b\n"}
`

// newSavedSite returns a site with a saved plan, and the plan.
func newSavedSite(t *testing.T) (*site, *planfile.Document) {
	s := newSite(t, "")
	s.write("manifest.yaml", savedManifest)
	s.want(0, "plan", "--out", "saved")
	return s, s.savedPlan()
}

func (s *site) savedPlan() *planfile.Document {
	s.t.Helper()
	text, err := os.ReadFile(s.path("saved"))
	check(s.t, err)
	doc, err := planfile.Decode(text)
	check(s.t, err)
	return doc
}

// checkRefused checks that a plan is refused with a message that contains words.
func (s *site) checkRefused(words ...string) {
	s.t.Helper()
	if e := s.want(6, "apply", "saved"); !e.contains(words...) {
		s.t.Errorf("want %q\n%s", words, e)
	}
}

// TestForgedPlan checks that a changed plan with a correct checksum is refused, or does nothing
// that is not in the manifest.
func TestForgedPlan(t *testing.T) {
	for name, c := range map[string]struct {
		forge func(*planfile.Document)
		want  string // "" if the plan is applied
	}{
		"more items": {func(d *planfile.Document) {
			more := d.Items[0]
			more.Addr.Name = "evil"
			d.Items = append(d.Items, more)
		}, ""},
		"an item less":     {func(d *planfile.Document) { d.Items = d.Items[:len(d.Items)-1] }, "file.b.txt: no change was planned"},
		"another digest":   {func(d *planfile.Document) { d.Items[0].Digest = facts.SHA256{1} }, "directory.data: planned and now: create, but with other"},
		"another store":    {func(d *planfile.Document) { d.Machine.Part += "0" }, "it was made with the state in"},
		"another user":     {func(d *planfile.Document) { d.Machine.UID++ }, "it was made by user"},
		"another project":  {func(d *planfile.Document) { d.Root = "/elsewhere" }, "it was made for the project at /elsewhere"},
		"another manifest": {func(d *planfile.Document) { d.Inputs["manifest.yaml"] = facts.SHA256{} }, "manifest.yaml has changed since"},
		"another version":  {func(d *planfile.Document) { d.Program = "9.9" }, "it was made by reconcile 9.9"},
		"an input outside": {func(d *planfile.Document) { d.Inputs["../../etc/passwd"] = facts.SHA256{} }, "../../etc/passwd can no longer be read"},
		"another state":    {func(d *planfile.Document) { d.State.Lineage = "0" }, "the state of earlier applies is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, doc := newSavedSite(t)
			c.forge(doc)
			s.write("saved", string(doc.Encode()))
			if c.want == "" {
				s.want(0, "apply", "saved")
				s.want(0, "plan", "--detailed-exitcode")
				entries, err := os.ReadDir(s.root)
				check(t, err)
				if len(entries) != 5 { // a.txt, b.txt, data, manifest.yaml, saved
					t.Errorf("the project has %v", entries)
				}
				return
			}
			s.checkRefused(c.want)
			if _, err := os.Lstat(s.path("data")); err == nil {
				t.Error("a directory was created")
			}
			if _, err := os.Lstat(s.stateDir()); err == nil {
				t.Error("a state was created")
			}
		})
	}
}

// TestChangedByteOfSavedPlanIsRefused changes a sample of the bytes, one at a time;
// internal/planfile tests all.
func TestChangedByteOfSavedPlanIsRefused(t *testing.T) {
	s, doc := newSavedSite(t)
	text := doc.Encode()
	for at := 0; at < len(text); at += 97 {
		changed := bytes.Clone(text)
		changed[at] ^= 1
		s.write("saved", string(changed))
		var out strings.Builder
		if code := Main([]string{"-C", s.root, "apply", "saved"}, Streams{nil, &out, &out}, s.env); code != 6 {
			t.Fatalf("byte %d: exit code %d\n%s", at, code, out.String())
		}
	}
	entries, err := os.ReadDir(s.root)
	check(t, err)
	if names := fmt.Sprint(slices.Collect(func(yield func(string) bool) {
		for _, e := range entries {
			yield(e.Name())
		}
	})); names != "[manifest.yaml saved]" {
		t.Errorf("the project has %s", names)
	}
}

// TestFirstPlanIsBoundToNoState checks that a plan that was saved before the first apply is
// refused afterwards, and that a plan with a state has another ID.
func TestFirstPlanIsBoundToNoState(t *testing.T) {
	s, doc := newSavedSite(t)
	s.want(0, "apply", "-y")
	check(t, os.RemoveAll(s.path("data")))
	check(t, os.Remove(s.path("a.txt")))
	check(t, os.Remove(s.path("b.txt")))
	s.checkRefused("assumed that nothing was applied here")
	s.want(0, "plan", "--out", "saved")
	if s.savedPlan().ID() == doc.ID() {
		t.Error("a plan with a state has the id of one without")
	}
	s.want(0, "apply", "saved")
}

// acquireLock acquires the lock of the site.
func (s *site) acquireLock() *state.Lock {
	s.t.Helper()
	found, err := filepath.Glob(s.store("projects/*/lock"))
	check(s.t, err)
	if len(found) != 1 {
		s.t.Fatalf("locks: %v", found)
	}
	lock, err := state.Acquire(s.t.Context(), found[0], state.LockOptions{Holder: state.Holder{PID: 1, Command: "a test"}})
	check(s.t, err)
	return lock
}

// TestSavedPlanIsComparedUnderLock changes the machine while the apply waits for the lock, and
// checks that the plan is refused.
func TestSavedPlanIsComparedUnderLock(t *testing.T) {
	t.Parallel()
	s, _ := newSavedSite(t)
	s.want(0, "apply", "-y")
	check(t, os.Remove(s.path("data")))
	check(t, os.Remove(s.path("b.txt")))
	s.want(0, "plan", "--out", "saved")
	lock := s.acquireLock()
	p := s.start("apply", "saved", "--lock-timeout", "1m")
	s.waitFor(p, "Waiting for")
	s.write("b.txt", "mine")
	check(t, lock.Release())
	if e := p.wait(); e.code != 6 || !e.contains("file.b.txt: planned: create, now: update", "saved.stale") {
		t.Errorf("a change during the wait: %s", e)
	}
	if text, err := os.ReadFile(s.path("b.txt")); err != nil || string(text) != "mine" || fileExists(s.path("data")) {
		t.Errorf("a file was changed: b.txt is %q (%v)", text, err)
	}
	check(t, os.Remove(s.path("b.txt"))) // the refused plan was not begun, so it can be applied
	s.want(0, "apply", "saved")
}

// TestSavedPlanIsAppliedOnceByTwoRuns checks that only one of two concurrent runs applies a plan.
func TestSavedPlanIsAppliedOnceByTwoRuns(t *testing.T) {
	t.Parallel()
	s, _ := newSavedSite(t)
	s.want(0, "apply", "-y")
	check(t, os.Remove(s.path("b.txt")))
	s.want(0, "plan", "--out", "saved")
	lock := s.acquireLock()
	var runs []*process
	for range 2 {
		p := s.start("apply", "saved", "--lock-timeout", "1m")
		s.waitFor(p, "Waiting for")
		runs = append(runs, p)
	}
	check(t, lock.Release())
	codes := map[int]int{}
	for _, p := range runs {
		e := p.wait()
		codes[e.code]++
		if e.code == 6 && !e.contains("saved.used") {
			t.Errorf("the second: %s", e)
		}
	}
	if codes[0] != 1 || codes[6] != 1 {
		t.Errorf("exit codes: %v", codes)
	}
}

// TestSavedPlanDetectsReplacedPrograms checks that a plan that builds an environment is refused
// after its interpreter or its lock was changed, but not after another environment's lock was.
func TestSavedPlanDetectsReplacedPrograms(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "alpha", version: "2.0"})
	s := newSite(t, strings.Replace(x.indexURL(), "://", "://robot:s3cret-canary@", 1))
	manifest := environmentManifest("alpha==1.0")
	_, environment, _ := strings.Cut(manifest, "environments:\n")
	other := strings.NewReplacer("  local:", "  other:", "path: .venv", "path: .venv-other", "local.toml", "other.toml", "gpu: none", "gpu: nvidia").Replace(environment)
	s.write("manifest.yaml", manifest+other)
	s.want(0, "lock", "--env", "local")
	s.want(0, "lock", "--env", "other")
	real := must(filepath.EvalSymlinks(python310()))
	prefix := filepath.Dir(filepath.Dir(real))
	pyenv := filepath.Join(filepath.Dir(s.root), "pyenv")
	own := filepath.Join(pyenv, "versions", filepath.Base(prefix))
	check(t, os.MkdirAll(filepath.Join(own, "bin"), 0o755))
	for _, name := range []string{"lib", "include"} {
		check(t, os.Symlink(filepath.Join(prefix, name), filepath.Join(own, name)))
	}
	program, err := os.ReadFile(real)
	check(t, err)
	python := filepath.Join(own, "bin/python3.10")
	check(t, os.WriteFile(python, program, 0o755))
	s = s.with("PYENV_ROOT=" + pyenv)
	plan := func() {
		t.Helper()
		s.want(0, "plan", "--env", "local", "--out", "saved")
	}
	plan()
	text, err := os.ReadFile(s.path("saved"))
	check(t, err)
	if strings.Contains(string(text), "canary") {
		t.Errorf("the plan contains the password of the index:\n%s", text)
	}
	if tool, known := s.savedPlan().Tools[python]; !known || tool.SHA256.IsZero() {
		t.Fatalf("the interpreter is not identified: %v", s.savedPlan().Tools)
	}
	check(t, os.WriteFile(python, append(bytes.Clone(program), 0), 0o755))
	s.checkRefused("assumed that the program " + python)
	check(t, os.WriteFile(python, program, 0o755))

	lock, err := os.ReadFile(s.path("locks/pylock.local.toml"))
	check(t, err)
	s.write("locks/pylock.local.toml", string(lock)+"# edited\n")
	s.checkRefused("locks/pylock.local.toml has changed since")
	s.write("locks/pylock.local.toml", string(lock))
	if _, err := os.Lstat(s.path(".venv")); err == nil {
		t.Fatal("an environment was built")
	}

	unrelated, err := os.ReadFile(s.path("locks/pylock.other.toml"))
	check(t, err)
	s.write("locks/pylock.other.toml", string(unrelated)+"# edited\n")
	s.want(0, "apply", "saved")
	s.wantImports("1.0", "alpha")
	s.want(0, "plan", "--env", "local", "--detailed-exitcode")

	// Another apply built the generation of the plan, and then it was rolled back.
	s.write("manifest.yaml", environmentManifest("alpha==2.0")+other)
	s.want(0, "lock", "--env", "local")
	plan()
	s.want(0, "apply", "-y", "--env", "local")
	if e := s.want(0, "apply", "saved"); !e.contains("Nothing to do") {
		t.Errorf("after another apply: %s", e)
	}
	s.want(0, "rollback", "--env", "local")
	s.checkRefused("venv.local: planned and now: update, but with other", "assumed that environment local is generation ", " of 1, now generation ", " of 2")
	s.wantImports("1.0", "alpha")
	s.checkNoPassword()
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
