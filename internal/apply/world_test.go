package apply

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spec is a resource whose methods are set by a test.
type spec struct {
	owns  facts.Key
	reads []facts.Key
	diff  func(facts.View) resources.Change
}

func (s *spec) Owns() facts.Key                    { return s.owns }
func (s *spec) Reads() []facts.Key                 { return append([]facts.Key{s.owns}, s.reads...) }
func (s *spec) Diff(v facts.View) resources.Change { return s.diff(v) }
func action(exists bool) resources.Action {
	return map[bool]resources.Action{false: resources.Create, true: resources.Update}[exists]
}

func field(p, a, d string) []resources.Field {
	return []resources.Field{{Path: p, Actual: a, Desired: d}}
}

func newResource(kind, name string, s resources.Spec) resources.Resource {
	return resources.Resource{Addr: resources.Addr{Kind: kind, Name: name}, Pos: diag.Pos{File: "manifest.yaml", Line: 1}, Spec: s}
}

// wantDir, wantFile, wantLink and wantGone are resources of paths.
func wantDir(p string, mode facts.Mode) resources.Resource {
	k := facts.PathKey(p)
	return newResource("directory", p, &spec{owns: k, diff: func(v facts.View) resources.Change {
		is := facts.Get[facts.Path](v, k)
		switch {
		case is.Type == facts.Absent:
			return resources.Change{
				Action: resources.Create, Fields: field("type", "", "directory"),
				Steps:    []resources.Step{resources.MakeDir{Path: p, Mode: mode}},
				Predicts: []facts.Fact{facts.Path{Path: p, Type: facts.Dir, Mode: mode}},
			}
		case is.Type != facts.Dir:
			return resources.Block(&diag.Problem{Code: "path.in-the-way", Summary: "the path exists"})
		case is.Mode != mode:
			return resources.Change{Action: resources.Update, Fields: field("mode", is.Mode.String(), mode.String()), Steps: []resources.Step{resources.SetMode{Path: p, Mode: mode}}}
		}
		return resources.Change{}
	}})
}

func wantFile(p, content string) resources.Resource {
	k := facts.PathKey(p)
	sum := facts.SHA256(sha256.Sum256([]byte(content)))
	return newResource("file", p, &spec{owns: k, diff: func(v facts.View) resources.Change {
		is := facts.Get[facts.Path](v, k)
		if is.Type == facts.Regular && is.SHA256 == sum {
			return resources.Change{}
		}
		return resources.Change{
			Action: action(is.Type != facts.Absent), Fields: field("sha256", is.SHA256.String(), sum.String()),
			Steps:    []resources.Step{resources.WriteFile{Path: p, Mode: 0o644, Content: content, Replaces: is.SHA256}},
			Predicts: []facts.Fact{facts.Path{Path: p, Type: facts.Regular, Mode: 0o644, SHA256: sum, Size: int64(len(content))}},
		}
	}})
}

func wantLink(p, target string) resources.Resource {
	k := facts.PathKey(p)
	return newResource("link", p, &spec{owns: k, diff: func(v facts.View) resources.Change {
		is := facts.Get[facts.Path](v, k)
		if is.Type == facts.Symlink && is.Target == target {
			return resources.Change{}
		}
		return resources.Change{
			Action: action(is.Type != facts.Absent), Fields: field("target", is.Target, target),
			Steps:    []resources.Step{resources.Link{Path: p, Target: target}},
			Predicts: []facts.Fact{facts.Path{Path: p, Type: facts.Symlink, Target: target}},
		}
	}})
}

func wantGone(p string) resources.Resource {
	k := facts.PathKey(p)
	return newResource("gone", p, &spec{owns: k, diff: func(v facts.View) resources.Change {
		if facts.Get[facts.Path](v, k).Type == facts.Absent {
			return resources.Change{}
		}
		return resources.Change{Action: resources.Delete, Steps: []resources.Step{resources.Remove{Path: p}}, Predicts: []facts.Fact{facts.Path{Path: p, Type: facts.Absent}}}
	}})
}

// wantRemoved is a path that is absent, after a checked removal of l.
func wantRemoved(l state.Left) resources.Resource {
	k := facts.PathKey(l.Path)
	return newResource("removed", l.Path, &spec{owns: k, diff: func(v facts.View) resources.Change {
		if facts.Get[facts.Path](v, k).Type == facts.Absent {
			return resources.Change{}
		}
		return resources.Change{
			Action:   resources.Delete,
			Steps:    []resources.Step{resources.Remove{Path: l.Path, Type: l.Type, SHA256: l.SHA256, Target: l.Target}},
			Predicts: []facts.Fact{facts.Path{Path: l.Path, Type: facts.Absent}},
		}
	}})
}

// wantMade is a path that exists once steps have run.
func wantMade(p string, steps ...resources.Step) resources.Resource {
	k := facts.PathKey(p)
	return newResource("made", p, &spec{owns: k, diff: func(v facts.View) resources.Change {
		is := facts.Get[facts.Path](v, k)
		if is.Type != facts.Absent {
			return resources.Change{}
		}
		return resources.Change{Action: resources.Create, Steps: steps, Predicts: []facts.Fact{facts.Path{Path: p, Type: facts.Regular}}}
	}})
}

// world is a project on disk.
type world struct {
	t      testing.TB
	root   string
	shared string // store; "" for one of its own
	jobs   int
	mu     sync.Mutex
	events []Event
}

func newWorld(t testing.TB) *world {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	w := &world{t: t, root: filepath.Join(root, "project"), jobs: 2}
	check(t, os.Mkdir(w.root, 0o755))
	check(t, os.MkdirAll(w.stateDir(), 0o700))
	return w
}

// store and state are the directories of the store and of the project's state in it.
func (w *world) store() string    { return cmp.Or(w.shared, w.root+".store") }
func (w *world) stateDir() string { return layout.State(w.store(), w.root) }

func (w *world) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(w.root, p)
}

func (w *world) write(p, content string) {
	w.t.Helper()
	check(w.t, os.MkdirAll(filepath.Dir(w.path(p)), 0o755))
	check(w.t, os.WriteFile(w.path(p), []byte(content), 0o644))
}

func (w *world) read(p string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(p))
	check(w.t, err)
	return string(text)
}

// probe probes paths and environments.
func (w *world) probe(_ context.Context, keys []facts.Key) *facts.Facts {
	f := &facts.Facts{}
	f.Grow(len(keys))
	for _, k := range keys {
		switch k.Kind {
		case facts.KindPath:
			p, err := probePath(w.root, k.Name)
			if err != nil {
				f.Fail(k, err.Error())
				continue
			}
			f.Set(p)
		case facts.KindEnvironment:
			f.Set(w.probeEnvironment(k.Name))
		default:
			f.Fail(k, "unknown kind")
		}
	}
	return f
}

func probePath(root, name string) (facts.Path, error) {
	full := filepath.FromSlash(name)
	if !filepath.IsAbs(full) {
		full = filepath.Join(root, full)
	}
	p := facts.Path{Path: name, Type: facts.Other}
	info, err := os.Lstat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Type = facts.Absent
		return p, nil
	case err != nil:
		return p, err
	case info.IsDir():
		p.Type, p.Mode = facts.Dir, facts.Mode(info.Mode().Perm())
	case info.Mode()&fs.ModeSymlink != 0:
		p.Type = facts.Symlink
		p.Target, err = os.Readlink(full)
	case info.Mode().IsRegular():
		p.Type, p.Mode, p.Size = facts.Regular, facts.Mode(info.Mode().Perm()), info.Size()
		var text []byte
		text, err = os.ReadFile(full)
		p.SHA256 = sha256.Sum256(text)
	}
	return p, err
}

func (w *world) probeEnvironment(name string) facts.Environment {
	e := facts.Environment{Name: name, Path: ".venv"}
	if target, err := os.Readlink(filepath.Join(w.root, ".venv", layout.GenerationLink)); err == nil {
		e.Current = path.Base(target)
	}
	dir := layout.Environment(w.stateDir(), name)
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if _, err := pyenv.ReadSeal(filepath.Join(dir, entry.Name())); err == nil {
			e.Generations = append(e.Generations, facts.Generation{Name: entry.Name()})
		} else if !atomicfile.IsTemp(entry.Name()) {
			e.Unsealed = append(e.Unsealed, entry.Name())
		}
	}
	return e
}

// plan returns the current plan for the resources.
func (w *world) plan(list ...resources.Resource) *planner.Plan {
	w.t.Helper()
	p, err := planner.Make(list, w.probe(context.Background(), planner.Keys(list)))
	check(w.t, err)
	return p
}

func (w *world) options() Options {
	return Options{
		Root: w.root, Store: w.store(), State: w.stateDir(), Probe: w.probe, Jobs: w.jobs, StallTimeout: 500 * time.Millisecond,
		Index: simpleindex.Settings{NoIndex: true, FindLinks: []string{w.wheelFolder()}},
		Events: func(ev Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, ev)
		},
	}
}

// apply executes a plan with a journal.
func (w *world) apply(ctx context.Context, p *planner.Plan, change ...func(*Options)) *Result {
	w.t.Helper()
	j, err := state.Open(layout.Journal(w.stateDir()), time.Now)
	check(w.t, err)
	o := w.options()
	o.Journal = j
	for _, c := range change {
		c(&o)
	}
	r := Run(ctx, p, o)
	check(w.t, j.Close())
	return r
}

// mustApply plans and applies, and expects success and then an empty plan.
func (w *world) mustApply(list ...resources.Resource) *Result {
	w.t.Helper()
	r := w.apply(context.Background(), w.plan(list...))
	if r.Count(Done)+r.Count(Unchanged) != len(r.Items) {
		w.t.Fatalf("not everything is done:\n%s", r)
	}
	if p := w.plan(list...); len(p.Items) != 0 {
		w.t.Fatalf("a second plan has %d items: %+v", len(p.Items), p.Items[0].Change)
	}
	w.checkClean()
	return r
}

// String returns a result for messages of tests.
func (r *Result) String() string {
	var b strings.Builder
	for _, it := range r.Items {
		fmt.Fprintf(&b, "%s %s %s %v\n", it.Addr, it.Action, it.Outcome, it.Cause)
	}
	return b.String()
}

// checkClean checks that there are no temporary files, that the trash is empty, and that the
// unpacked wheels are intact.
func (w *world) checkClean() {
	w.t.Helper()
	check(w.t, filepath.WalkDir(w.root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && atomicfile.IsTemp(e.Name()) {
			w.t.Errorf("left behind: %s", p)
		}
		return err
	}))
	if entries, err := os.ReadDir(layout.Trash(w.stateDir())); err == nil && len(entries) > 0 {
		w.t.Errorf("the trash contains %v", entries)
	}
	w.checkStore()
}

func (w *world) state() *state.State {
	w.t.Helper()
	s, err := state.Read(layout.Journal(w.stateDir()))
	check(w.t, err)
	return s
}

// outcome returns the result of one item.
func (r *Result) outcome(t testing.TB, addr string) ItemResult {
	t.Helper()
	for _, it := range r.Items {
		if it.Addr.String() == addr {
			return it
		}
	}
	t.Fatalf("no %s in\n%s", addr, r)
	return ItemResult{}
}

func (r *Result) want(t testing.TB, addr string, o Outcome, code string) *diag.Problem {
	t.Helper()
	it := r.outcome(t, addr)
	if it.Outcome != o || code != "" && (it.Cause == nil || it.Cause.Code != code) {
		t.Errorf("%s is %s, %v; want %s, %s", addr, it.Outcome, it.Cause, o, code)
	}
	if it.Cause == nil {
		return &diag.Problem{}
	}
	return it.Cause
}
