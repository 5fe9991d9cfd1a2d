package planfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/outputschema"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

const gb = int64(1e9)

// fakeBuilder is a kind for tests: it creates a directory with the first usable Python.
type fakeBuilder struct{ path, line string }

func (s *fakeBuilder) Owns() facts.Key { return facts.PathKey(s.path) }

func (s *fakeBuilder) Reads() []facts.Key {
	return []facts.Key{facts.PythonKey(s.line), s.Owns(), facts.ToolKey("uv")}
}

func (s *fakeBuilder) Diff(v facts.View) resources.Change {
	if facts.Get[facts.Path](v, s.Owns()).Type == facts.Dir {
		return resources.Change{}
	}
	python, _ := facts.Get[facts.Pythons](v, facts.PythonKey(s.line)).Usable()
	uv := facts.Get[facts.Tool](v, facts.ToolKey("uv"))
	return resources.Change{Action: resources.Create, Steps: []resources.Step{
		resources.Run{Program: uv.Path, Args: []string{"venv", "--python=" + python.Path}},
		resources.Run{Program: "/store/tools/made/bin/python"},
		resources.Run{Program: "/store/tools/pinned", SHA256: facts.SHA256{9}},
	}}
}

func list() []resources.Resource {
	return []resources.Resource{
		{Addr: resources.Addr{Kind: "disk", Name: "storage"}, Spec: &disk.Spec{Path: "/data", WarnBelow: 100 * gb, FailBelow: 50 * gb}},
		{Addr: resources.Addr{Kind: "directory", Name: "data"}, Spec: &directory.Spec{Path: "data", Mode: 0o755}},
		{Addr: resources.Addr{Kind: "file", Name: "paths"}, Spec: &file.Spec{Path: "scripts/paths.py", Mode: 0o644, Content: "a secret that must not be in a plan\n"}},
		{Addr: resources.Addr{Kind: "builder", Name: "env"}, Spec: &fakeBuilder{"env", "3.10"}},
	}
}

// machineFacts returns a machine without any resource, and more facts.
func machineFacts(more ...facts.Fact) *facts.Facts {
	f := facts.Of(
		facts.Project{Root: "/project", Store: "/store", State: "/store/projects/train-1f2e3d4c"},
		facts.Disk{Path: "/data", Free: 212 * gb, Total: 400 * gb, Writable: true},
		facts.Path{Path: "data", Type: facts.Absent},
		facts.Path{Path: "scripts/paths.py", Type: facts.Absent},
		facts.Path{Path: "env", Type: facts.Absent},
		facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Path: "/usr/bin/python3.10", Version: "3.10.13", Source: "system"}, {Path: "/opt/python3.10", Version: "3.10.1", Source: "path"}}},
		facts.Tool{Name: "uv", Path: "/usr/bin/uv", Version: "0.9.1", Source: "path"},
	)
	for _, fact := range more {
		f.Set(fact)
	}
	return f
}

func planInputs() PlanInputs {
	return PlanInputs{
		Inputs:   map[string]facts.SHA256{"manifest.yaml": {1}, "locks/pylock.local.toml": {2}},
		Machine:  Machine{Host: "mac", Part: "/store/projects/train-1f2e3d4c", UID: 501, User: "ann"},
		Manifest: "manifest.yaml", Program: "1.2.3", State: State{Lineage: "abc", Serial: 7},
		Identify: func(path string) (facts.SHA256, bool) {
			return sha256.Sum256([]byte(path)), strings.HasPrefix(path, "/usr/")
		},
	}
}

func record(t testing.TB, f *facts.Facts, c PlanInputs) *Document {
	t.Helper()
	p, err := planner.Make(list(), f)
	if err != nil {
		t.Fatal(err)
	}
	return New(p, f, c)
}

func newDocument(t testing.TB) *Document { return record(t, machineFacts(), planInputs()) }

func codeOf(err error) string {
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		return p.Code
	}
	return ""
}

func TestDecodeInvertsEncode(t *testing.T) {
	d := newDocument(t)
	text := d.Encode()
	back, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Encode(), text) || back.ID() != d.ID() {
		t.Errorf("decoded as\n%s", back.Encode())
	}
	if why := back.Stale(d); why != nil {
		t.Errorf("the same plan is stale: %q", why)
	}
	if !bytes.Equal(newDocument(t).Encode(), text) {
		t.Error("the same plan gives another file")
	}
	if bytes.Contains(text, []byte("secret")) {
		t.Errorf("the file contains the content of a planned file:\n%s", text)
	}
}

// TestDecodeRefusesAnyChangedByte changes every byte of a file, and drops and adds some.
func TestDecodeRefusesAnyChangedByte(t *testing.T) {
	text := newDocument(t).Encode()
	mustRefuse := func(what string, at int, changed []byte) {
		if _, err := Decode(changed); codeOf(err) != "saved.damaged" && codeOf(err) != "saved.newer" {
			t.Errorf("byte %d %s: %v", at, what, err)
		}
	}
	for at := range text {
		for _, bits := range []byte{1, 'a' ^ 'A', 0x80} {
			changed := bytes.Clone(text)
			changed[at] ^= bits
			mustRefuse("changed", at, changed)
		}
		if at%7 != 0 {
			continue
		}
		mustRefuse("dropped", at, slices.Delete(bytes.Clone(text), at, at+1))
		mustRefuse("doubled", at, slices.Insert(bytes.Clone(text), at, text[at]))
		mustRefuse("and a space", at, slices.Insert(bytes.Clone(text), at, ' '))
		mustRefuse("the end", at, text[:at])
	}
}

func TestDecodeRefusesOtherFiles(t *testing.T) {
	newer := bytes.Replace(newDocument(t).Encode(), []byte(`"version": 1`), []byte(`"version": 2`), 1)
	for text, code := range map[string]string{
		"":                                   "saved.damaged",
		"version: 1\n":                       "saved.damaged",
		"{}":                                 "saved.damaged",
		`{"format": "reconcile-plan"}`:       "saved.damaged",
		`{"version": 1, "problems": []}`:     "saved.damaged",
		string(newer):                        "saved.newer",
		`{"format": "other", "version": 99}`: "saved.damaged",
	} {
		if _, err := Decode([]byte(text)); codeOf(err) != code {
			t.Errorf("%.40q: %v, want %s", text, err, code)
		}
	}
	if !IsPlan(newer) || IsPlan([]byte("{}")) || IsPlan(nil) {
		t.Error("IsPlan depends on the format alone")
	}
}

// FuzzDecode checks that Encode returns every text that Decode accepts.
func FuzzDecode(f *testing.F) {
	f.Add(newDocument(f).Encode())
	f.Add((&Document{}).Encode())
	f.Add([]byte(`{"format":"reconcile-plan","plan":null,"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Decode(text)
		if err != nil {
			if code := codeOf(err); code != "saved.damaged" && code != "saved.newer" {
				t.Fatalf("refused with another code: %v", err)
			}
			return
		}
		if !bytes.Equal(d.Encode(), text) {
			t.Fatalf("accepted, but encoded differently:\n%q", text)
		}
	})
}

// checkStale checks that each text is in one of the reasons; none means not stale.
func checkStale(t *testing.T, saved, now *Document, want ...string) {
	t.Helper()
	why := saved.Stale(now)
	if len(want) == 0 && why != nil {
		t.Errorf("stale: %q", why)
	}
	for _, text := range want {
		if !slices.ContainsFunc(why, func(line string) bool { return strings.Contains(line, text) }) {
			t.Errorf("no reason contains %q: %q", text, why)
		}
	}
}

func TestStale(t *testing.T) {
	saved := newDocument(t)
	for name, c := range map[string]struct {
		now  []facts.Fact
		want []string
	}{
		"nothing":           {},
		"other free space":  {now: []facts.Fact{facts.Disk{Path: "/data", Free: 150 * gb, Total: 400 * gb, Writable: true}}},
		"directory created": {now: []facts.Fact{facts.Path{Path: "data", Type: facts.Dir, Mode: 0o755}}},
		"environment built": {now: []facts.Fact{
			facts.Path{Path: "env", Type: facts.Dir, Mode: 0o755}, facts.Tool{Name: "uv", Path: "/opt/uv"},
		}},
		"disk full": {
			now:  []facts.Fact{facts.Disk{Path: "/data", Free: 41 * gb, Total: 400 * gb, Writable: true}},
			want: []string{"disk.storage: blocked now", "assumed 212 GB free on /data, now 41 GB"},
		},
		"disk low": {
			now:  []facts.Fact{facts.Disk{Path: "/data", Free: 70 * gb, Total: 400 * gb, Writable: true}},
			want: []string{"disk.storage: warns now: ", "assumed 212 GB free on /data, now 70 GB"},
		},
		"file created": {
			now:  []facts.Fact{facts.Path{Path: "scripts/paths.py", Type: facts.Regular, Mode: 0o644, Size: 120, SHA256: facts.SHA256{7}}},
			want: []string{"file.paths: planned: create, now: ", "assumed that scripts/paths.py is absent, now a file of 120 B"},
		},
		"other interpreter": {
			now:  []facts.Fact{facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Path: "/opt/python3.10", Version: "3.10.1"}}}},
			want: []string{"builder.env: planned and now: create, but with other steps", "assumed that Python 3.10 is 3.10.13 at /usr/bin/python3.10, now 3.10.1 at /opt/python3.10"},
		},
		"unused interpreter": {
			now: []facts.Fact{facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Path: "/usr/bin/python3.10", Version: "3.10.13"}}}},
		},
	} {
		t.Run(name, func(t *testing.T) { checkStale(t, saved, record(t, machineFacts(c.now...), planInputs()), c.want...) })
	}
	f := machineFacts()
	f.Fail(facts.PathKey("data"), "permission denied")
	checkStale(t, saved, record(t, f, planInputs()), "directory.data: blocked now", "assumed that data is absent, now unknown: permission denied")
}

// TestStaleNewItem tests a resource that was not an item of the saved plan.
func TestStaleNewItem(t *testing.T) {
	saved := record(t, machineFacts(facts.Path{Path: "data", Type: facts.Dir, Mode: 0o755}), planInputs())
	checkStale(t, saved, newDocument(t), "directory.data: no change was planned, now: create", "data is now absent")
}

// TestStaleWarning checks that a saved warning may persist or disappear.
func TestStaleWarning(t *testing.T) {
	low := func(free int64) *Document {
		return record(t, machineFacts(facts.Disk{Path: "/data", Free: free * gb, Total: 400 * gb, Writable: true}), planInputs())
	}
	checkStale(t, low(70), low(60))
	checkStale(t, low(70), low(200))
	checkStale(t, low(70), low(41), "blocked now")
}

func TestStaleInputs(t *testing.T) {
	saved := newDocument(t)
	for want, change := range map[string]func(*PlanInputs){
		"it was made by reconcile 1.2.3, but this is 1.2.4":     func(c *PlanInputs) { c.Program = "1.2.4" },
		"manifest.yaml has changed since":                       func(c *PlanInputs) { c.Inputs["manifest.yaml"] = facts.SHA256{3} },
		"locks/pylock.local.toml can no longer be read":         func(c *PlanInputs) { delete(c.Inputs, "locks/pylock.local.toml") },
		"templates/a.tmpl is an input now, and was not":         func(c *PlanInputs) { c.Inputs["templates/a.tmpl"] = facts.SHA256{3} },
		"the state of earlier applies is gone":                  func(c *PlanInputs) { c.State = State{} },
		"the state of earlier applies has another lineage":      func(c *PlanInputs) { c.State.Lineage = "def" },
		"the state of earlier applies is an older one":          func(c *PlanInputs) { c.State.Serial = 6 },
		"assumed that the program /usr/bin/uv is 0.9.1, sha256": func(c *PlanInputs) { c.Identify = identifyReplaced("/usr/bin/uv") },
		"assumed that the program /usr/bin/python3.10 is":       func(c *PlanInputs) { c.Identify = identifyReplaced("/usr/bin/python3.10") },
	} {
		c := planInputs()
		change(&c)
		checkStale(t, saved, record(t, machineFacts(), c), want)
	}
	c := planInputs()
	c.State.Serial = 900 // other applies, of another environment
	checkStale(t, saved, record(t, machineFacts(), c))
	c.State = State{}
	first := record(t, machineFacts(), c)
	checkStale(t, first, first)
	checkStale(t, first, saved, "assumed that nothing was applied here")
	other := newDocument(t)
	other.Environment = "remote"
	checkStale(t, saved, other, "it was made for no environment, but this machine has environment remote now")
}

// identifyReplaced identifies one program differently than planInputs.
func identifyReplaced(program string) func(string) (facts.SHA256, bool) {
	return func(path string) (facts.SHA256, bool) {
		if path == program {
			return facts.SHA256{77}, true
		}
		return planInputs().Identify(path)
	}
}

func TestTools(t *testing.T) {
	got := newDocument(t).Tools
	want := map[string]Tool{
		"/usr/bin/uv":                  {SHA256: sha256.Sum256([]byte("/usr/bin/uv")), Version: "0.9.1"},
		"/usr/bin/python3.10":          {SHA256: sha256.Sum256([]byte("/usr/bin/python3.10")), Version: "3.10.13"},
		"/store/tools/made/bin/python": {Absent: true},
		"/store/tools/pinned":          {SHA256: facts.SHA256{9}},
	}
	for path, tool := range want {
		if got[path] != tool {
			t.Errorf("%s is %+v, want %+v", path, got[path], tool)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d programs, want %d: %v", len(got), len(want), got)
	}
	// A program that the plan installs may be installed already, below .reconcile only.
	now := newDocument(t)
	now.Tools["/store/tools/made/bin/python"] = Tool{SHA256: facts.SHA256{5}}
	checkStale(t, newDocument(t), now)
	saved := newDocument(t)
	saved.Tools["/usr/bin/uv"] = Tool{Absent: true}
	checkStale(t, saved, newDocument(t), "assumed that the program /usr/bin/uv is absent")
	delete(saved.Tools, "/usr/bin/uv")
	checkStale(t, saved, newDocument(t), "it would run /usr/bin/uv, which the saved plan does not")
}

func TestMismatch(t *testing.T) {
	d := newDocument(t)
	m := d.Machine
	if why := d.Mismatch(m, "/project", "manifest.yaml"); why != nil {
		t.Errorf("mismatch where it was made: %q", why)
	}
	host, store := m, m
	host.Host, store.Part = "h100", "/other/projects/train-1f2e3d4c"
	for want, why := range map[string][]string{
		"it was made on mac, but this is h100": d.Mismatch(host, "/project", "manifest.yaml"),
		"it was made with the state in /store/projects/train-1f2e3d4c, but this is /other/projects/train-1f2e3d4c": d.Mismatch(store, "/project", "manifest.yaml"),
		"it was made by user ann (501), but this is user 502":                                                      d.Mismatch(Machine{Host: m.Host, Part: m.Part, UID: 502}, "/project", "manifest.yaml"),
		"it was made for the project at /project, but this is /other":                                              d.Mismatch(m, "/other", "manifest.yaml"),
		"it was made from manifest.yaml, but this is lab.yaml":                                                     d.Mismatch(m, "/project", "lab.yaml"),
	} {
		if !slices.Equal(why, []string{want}) {
			t.Errorf("%q, want %q", why, want)
		}
	}
}

// TestDescribe checks that every kind of fact has a description and a label.
func TestDescribe(t *testing.T) {
	described := map[facts.Kind]bool{}
	for _, f := range []facts.Fact{
		facts.Project{Store: "/store", State: "/store/projects/x"}, facts.Host{Platform: "linux-x86_64"}, facts.GPU{Vendor: "none"}, facts.Nvidia{State: "ok", Driver: "535.1"},
		facts.Toolkit{}, facts.Index{URL: "public"}, facts.Path{Type: facts.Absent}, facts.Path{Type: facts.Regular}, facts.Path{Type: facts.Dir},
		facts.Path{Type: facts.Symlink, Target: "x"}, facts.Path{Type: facts.Absent, Parent: "file data"}, facts.Folder{}, facts.Tree{Users: []string{"this shell"}},
		facts.Disk{ReadOnly: true}, facts.Pythons{}, facts.Tool{}, facts.Tool{Path: "/x", Refused: "too old"}, facts.Tool{Path: "/x"},
		facts.Environment{}, facts.Environment{Foreign: "a file"}, facts.Environment{Current: "a", Entry: "no bin", Generations: []facts.Generation{{Name: "a", Damage: []facts.Damage{{What: "missing"}}}}},
		facts.Environment{Generations: []facts.Generation{{Name: "a"}}}, facts.Model{State: "absent"},
	} {
		described[f.Key().Kind] = true
		text := assumed(f.Key(), Describe(f), "another")
		if Describe(f) == "" || strings.Contains(text, "this :") || !strings.Contains(text, "now another") {
			t.Errorf("%T is described as %q", f, text)
		}
	}
	for _, f := range facts.Zero() {
		if !described[f.Key().Kind] {
			t.Errorf("this test has no %T", f)
		}
	}
}

// TestSchema checks documents with and without warnings against the published schema.
func TestSchema(t *testing.T) {
	schema := outputschema.Load(t, "saved-plan")
	schema.Check(t, newDocument(t).Encode())
	schema.Check(t, record(t, machineFacts(facts.Disk{Path: "/data", Free: 70 * gb, Writable: true}), planInputs()).Encode())
}
