package planner_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/link"
)

// places are few, so that drawn resources, entries and files coincide.
var places = []string{"a", "b", "a/a", "a/b", "b/a", "a/a/a", "a/a/b", "b/a/b"}

func digest(text string) facts.SHA256 { return sha256.Sum256([]byte(text)) }

// A fakeMachine holds the existing paths.
type fakeMachine map[string]facts.Path

// drawMachine draws files, directories and links, each in an existing directory.
func drawMachine(t *rapid.T) fakeMachine {
	m := fakeMachine{}
	for _, at := range places {
		if up := path.Dir(at); up != "." && m[up].Type != facts.Dir {
			continue
		}
		switch rapid.SampledFrom([]string{"", "file", "dir", "dir", "link"}).Draw(t, "type of "+at) {
		case "file":
			m[at] = facts.Path{Path: at, Type: facts.Regular, Mode: 0o644, Size: 1, SHA256: digest(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "content of "+at))}
		case "dir":
			m[at] = facts.Path{Path: at, Type: facts.Dir, Mode: 0o755}
		case "link":
			m[at] = facts.Path{Path: at, Type: facts.Symlink, Target: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "target of "+at)}
		}
	}
	return m
}

// facts returns the facts of the machine. If t is not nil, some keys cannot be read.
func (m fakeMachine) facts(t *rapid.T) *facts.Facts {
	f := &facts.Facts{}
	for _, at := range places {
		if p, ok := m[at]; ok {
			f.Set(p)
		} else {
			f.Set(facts.Path{Path: at, Type: facts.Absent})
		}
		names := m.names(at)
		f.Set(facts.Folder{Path: at, Names: names, Entries: len(names)})
		if t != nil && rapid.IntRange(0, 20).Draw(t, "readable "+at) == 0 {
			f.Fail(facts.PathKey(at), "permission denied")
		}
	}
	return f
}

func (m fakeMachine) names(dir string) []string {
	var names []string
	for _, at := range places {
		if _, ok := m[at]; ok && path.Dir(at) == dir {
			names = append(names, path.Base(at))
		}
	}
	return names
}

// TestMoveByUserUpdatesState checks that a file that the user moved already is recorded
// under its new address.
func TestMoveByUserUpdatesState(t *testing.T) {
	from, to := resources.Addr{Kind: "file", Name: "old.txt"}, resources.Addr{Kind: "file", Name: "new.txt"}
	journal, err := state.Open(filepath.Join(t.TempDir(), "state.jsonl"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	left := state.Left{Path: "old.txt", Type: facts.Regular, SHA256: digest("x")}
	if err := journal.Done(state.Entry{Addr: from, Key: facts.PathKey("old.txt"), Ownership: state.Created, Left: left}); err != nil {
		t.Fatal(err)
	}
	before := planner.Prior{State: &journal.State, NewSpec: emptySpec, Moves: []planner.Move{{From: from, To: to}}}
	p, err := before.Make([]resources.Resource{{Addr: to, Spec: &file.Spec{Path: "new.txt", Content: "x"}}}, facts.Of(
		facts.Path{Path: "old.txt", Type: facts.Absent}, facts.Path{Path: "new.txt", Type: facts.Regular, Mode: 0o644, Size: 1, SHA256: digest("x")},
	))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 0 || len(p.StateChanges.Entries) != 1 || p.StateChanges.Entries[0].Addr != to || len(p.StateChanges.Forget) != 1 || p.StateChanges.Forget[0].Addr != from {
		t.Errorf("items %+v, state changes %+v", p.Items, p.StateChanges)
	}
}

// drawList draws the resources of a manifest.
func drawList(t *rapid.T) []resources.Resource {
	var list []resources.Resource
	for _, at := range places {
		r := resources.Resource{Addr: resources.Addr{Name: at}}
		switch rapid.SampledFrom([]string{"", "", "file", "directory", "link"}).Draw(t, "resource at "+at) {
		case "":
			continue
		case "file":
			r.Addr.Kind, r.Spec = "file", &file.Spec{Path: at, Content: "x"}
		case "directory":
			r.Addr.Kind, r.Spec = "directory", &directory.Spec{Path: at}
		case "link":
			r.Addr.Kind, r.Spec = "link", &link.Spec{Path: at, Target: "x"}
		}
		list = append(list, r)
	}
	return list
}

// drawState returns a state with correct and wrong entries for some of the places.
func drawState(t *rapid.T, dir string) *state.State {
	name := filepath.Join(dir, "state.jsonl")
	j, err := state.Open(name, func() time.Time { return time.Unix(0, 0) })
	if err != nil {
		t.Fatal(err)
	}
	var list []state.Entry
	for _, at := range places {
		e := state.Entry{Addr: resources.Addr{Name: at}, Key: facts.PathKey(at), Left: state.Left{Path: at}}
		switch rapid.SampledFrom([]string{"", "file", "directory", "link"}).Draw(t, "entry of "+at) {
		case "":
			continue
		case "file":
			e.Addr.Kind, e.Left.Type, e.Left.SHA256 = "file", facts.Regular, digest("x")
		case "directory":
			e.Addr.Kind, e.Left.Type = "directory", facts.Dir
		case "link":
			e.Addr.Kind, e.Left.Type, e.Left.Target = "link", facts.Symlink, "x"
		}
		e.Ownership = rapid.SampledFrom([]state.Ownership{state.Created, state.Created, state.Created, state.Adopted, state.Observed}).Draw(t, "ownership of "+at)
		e.Protect = rapid.IntRange(0, 6).Draw(t, "protected "+at) == 0
		if rapid.IntRange(0, 4).Draw(t, "moved "+at) == 0 {
			e.Addr.Name = "other-" + strings.ReplaceAll(at, "/", "-") // an address that is in no manifest
		}
		list = append(list, e)
	}
	if err := j.Done(list...); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := state.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPruneDeletesOnlyUnchangedCreatedResources draws manifests, states and machines. A
// plan must delete only created, unprotected and unchanged resources, and a directory only
// if it is empty by then.
func TestPruneDeletesOnlyUnchangedCreatedResources(t *testing.T) {
	dir := t.TempDir()
	n, deletes := 0, 0
	property := func(t *rapid.T) {
		n++
		m, list := drawMachine(t), drawList(t)
		before := planner.Prior{State: drawState(t, filepath.Join(dir, fmt.Sprint(n))), NewSpec: emptySpec}
		declared := resources.Addr{Kind: "file", Name: rapid.SampledFrom(places).Draw(t, "declared")}
		before.Declared = map[resources.Addr]bool{declared: true}
		f := m.facts(t)
		plan, err := before.Make(list, f)
		if err != nil {
			t.Skip("the manifest contradicts itself")
		}
		again, err := before.Make(list, f)
		if err != nil || !slices.EqualFunc(plan.Items, again.Items, sameItem) {
			t.Fatalf("equal inputs gave another plan: %v", err)
		}
		listed := map[resources.Addr]bool{}
		paths := map[string]bool{}
		for _, r := range list {
			listed[r.Addr] = true
			paths[r.Spec.Owns().Name] = true
		}
		for i := range plan.Items {
			item := &plan.Items[i]
			if item.Change.Action != resources.Delete {
				continue
			}
			deletes++
			e, known := before.State.Entry(item.Resource.Addr)
			switch {
			case !known || e.Ownership != state.Created || e.Protect:
				t.Fatalf("%s is deleted, and its entry is %+v", item.Resource.Addr, e)
			case listed[e.Addr] || e.Addr == declared || paths[e.Key.Name]:
				t.Fatalf("%s is deleted, and is in the manifest", item.Resource.Addr)
			case len(item.Change.Steps) != 1:
				t.Fatalf("%s is deleted in %d steps", item.Resource.Addr, len(item.Change.Steps))
			}
			if _, _, ok := f.Lookup(e.Key); !ok {
				t.Fatalf("%s is deleted, and could not be read", item.Resource.Addr)
			}
			step := item.Change.Steps[0].(resources.Remove)
			actual, exists := m[step.Path]
			if !exists || !e.Left.Is(actual) || step.Type != actual.Type || step.Path != e.Left.Path {
				t.Fatalf("%s is deleted, and is %+v, not %+v", step.Path, actual, e.Left)
			}
			if left := m.names(step.Path); actual.Type == facts.Dir && len(left) > 0 {
				t.Fatalf("the directory %s is deleted, and contains %q", step.Path, left)
			}
			delete(m, step.Path) // in the order of the plan: a directory must come last
			for at := range paths {
				if strings.HasPrefix(at, step.Path+"/") {
					t.Fatalf("%s is deleted, and contains %s of the manifest", step.Path, at)
				}
			}
		}
	}
	for round := 0; deletes == 0 && round < 10; round++ { // one round in ten draws no deletion
		rapid.Check(t, property)
	}
	if deletes == 0 {
		t.Error("no plan deleted anything")
	}
}

func sameItem(a, b planner.Item) bool {
	x, _ := resources.MarshalSteps(a.Change.Steps)
	y, _ := resources.MarshalSteps(b.Change.Steps)
	return a.Resource.Addr == b.Resource.Addr && a.Change.Action == b.Change.Action && bytes.Equal(x, y) && slices.Equal(a.After, b.After)
}

func TestNothingIsPrunedWithoutState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, list := drawMachine(t), drawList(t)
		for _, before := range []planner.Prior{{}, {State: &state.State{}, NewSpec: emptySpec}} {
			plan, err := before.Make(list, m.facts(t))
			if err != nil {
				t.Skip("the manifest contradicts itself")
			}
			if plan.Totals().Delete != 0 || !plan.StateChanges.IsEmpty() {
				t.Fatalf("%+v", plan)
			}
		}
	})
}
