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

// builder is a kind for tests: it makes a folder with the first usable Python.
type builder struct{ path, line string }

func (s *builder) Owns() facts.Key { return facts.PathKey(s.path) }

func (s *builder) Reads() []facts.Key {
	return []facts.Key{facts.PythonKey(s.line), s.Owns(), facts.ToolKey("uv")}
}

func (s *builder) Diff(v facts.View) resources.Change {
	if facts.Get[facts.Path](v, s.Owns()).Type == facts.Dir {
		return resources.Change{}
	}
	python, _ := facts.Get[facts.Pythons](v, facts.PythonKey(s.line)).Usable()
	uv := facts.Get[facts.Tool](v, facts.ToolKey("uv"))
	return resources.Change{Action: resources.Create, Steps: []resources.Step{
		resources.Run{Program: uv.Path, Args: []string{"venv", "--python=" + python.Path}},
		resources.Run{Program: "/project/.reconcile/tools/made/bin/python"},
		resources.Run{Program: "/project/.reconcile/tools/pinned", SHA256: facts.SHA256{9}},
	}}
}

func list() []resources.Resource {
	return []resources.Resource{
		{Addr: resources.Addr{Kind: "disk", Name: "storage"}, Spec: &disk.Spec{Path: "/data", WarnBelow: 100 * gb, FailBelow: 50 * gb}},
		{Addr: resources.Addr{Kind: "directory", Name: "data"}, Spec: &directory.Spec{Path: "data", Mode: 0o755}},
		{Addr: resources.Addr{Kind: "file", Name: "paths"}, Spec: &file.Spec{Path: "scripts/paths.py", Mode: 0o644, Content: "a secret that is no business of a plan\n"}},
		{Addr: resources.Addr{Kind: "builder", Name: "env"}, Spec: &builder{"env", "3.10"}},
	}
}

// world is a machine on which nothing is done yet, but what the caller says.
func world(more ...facts.Fact) *facts.Facts {
	f := facts.Of(
		facts.Project{Root: "/project", State: ".reconcile/linux-x86_64-1f2e3d4c"},
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

func circumstances() PlanInputs {
	return PlanInputs{
		Inputs:   map[string]facts.SHA256{"manifest.yaml": {1}, "locks/pylock.local.toml": {2}},
		Machine:  Machine{Host: "mac", Part: ".reconcile/linux-x86_64-1f2e3d4c", UID: 501, User: "ann"},
		Manifest: "manifest.yaml", Program: "1.2.3", State: State{Lineage: "abc", Serial: 7},
		Identify: func(path string) (facts.SHA256, bool) {
			return sha256.Sum256([]byte(path)), strings.HasPrefix(path, "/usr/")
		},
	}
}

func taken(t testing.TB, f *facts.Facts, c PlanInputs) *Document {
	t.Helper()
	p, err := planner.Make(list(), f)
	if err != nil {
		t.Fatal(err)
	}
	return New(p, f, c)
}

func plain(t testing.TB) *Document { return taken(t, world(), circumstances()) }

func codeOf(err error) string {
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		return p.Code
	}
	return ""
}

func TestAFileIsReadAsItWasWritten(t *testing.T) {
	d := plain(t)
	text := d.Encode()
	back, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Encode(), text) || back.ID() != d.ID() {
		t.Errorf("it came back as\n%s", back.Encode())
	}
	if why := back.Stale(d); why != nil {
		t.Errorf("the same plan does not fit: %q", why)
	}
	if !bytes.Equal(plain(t).Encode(), text) {
		t.Error("the same plan is another file")
	}
	if bytes.Contains(text, []byte("secret")) {
		t.Errorf("the file tells what a file of the plan holds:\n%s", text)
	}
}

// TestAnyByte changes every single byte of a file, and drops and adds some.
func TestAnyByte(t *testing.T) {
	text := plain(t).Encode()
	refused := func(what string, at int, changed []byte) {
		if _, err := Decode(changed); codeOf(err) != "saved.damaged" && codeOf(err) != "saved.newer" {
			t.Errorf("byte %d %s: %v", at, what, err)
		}
	}
	for at := range text {
		for _, bits := range []byte{1, 'a' ^ 'A', 0x80} {
			changed := bytes.Clone(text)
			changed[at] ^= bits
			refused("changed", at, changed)
		}
		if at%7 != 0 {
			continue
		}
		refused("dropped", at, slices.Delete(bytes.Clone(text), at, at+1))
		refused("doubled", at, slices.Insert(bytes.Clone(text), at, text[at]))
		refused("and a space", at, slices.Insert(bytes.Clone(text), at, ' '))
		refused("the end", at, text[:at])
	}
}

func TestOtherFiles(t *testing.T) {
	newer := bytes.Replace(plain(t).Encode(), []byte(`"version": 1`), []byte(`"version": 2`), 1)
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
		t.Error("a plan is known by its head")
	}
}

// FuzzDecode holds that whatever is taken for a plan is what would be written.
func FuzzDecode(f *testing.F) {
	f.Add(plain(f).Encode())
	f.Add((&Document{}).Encode())
	f.Add([]byte(`{"format":"reconcile-plan","plan":null,"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Decode(text)
		if err != nil {
			if code := codeOf(err); code != "saved.damaged" && code != "saved.newer" {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		if !bytes.Equal(d.Encode(), text) {
			t.Fatalf("read, but not as we write:\n%q", text)
		}
	})
}

// stale expects each text in one of the reasons, and no reason at all for none.
func stale(t *testing.T, saved, now *Document, want ...string) {
	t.Helper()
	why := saved.Stale(now)
	if len(want) == 0 && why != nil {
		t.Errorf("it does not fit: %q", why)
	}
	for _, text := range want {
		if !slices.ContainsFunc(why, func(line string) bool { return strings.Contains(line, text) }) {
			t.Errorf("no reason says %q: %q", text, why)
		}
	}
}

func TestWhatMakesAPlanStale(t *testing.T) {
	saved := plain(t)
	for name, c := range map[string]struct {
		now  []facts.Fact
		want []string
	}{
		"nothing":          {},
		"other free space": {now: []facts.Fact{facts.Disk{Path: "/data", Free: 150 * gb, Total: 400 * gb, Writable: true}}},
		"a directory came": {now: []facts.Fact{facts.Path{Path: "data", Type: facts.Dir, Mode: 0o755}}},
		"the folder is made": {now: []facts.Fact{
			facts.Path{Path: "env", Type: facts.Dir, Mode: 0o755}, facts.Tool{Name: "uv", Path: "/opt/uv"},
		}},
		"no room": {
			now:  []facts.Fact{facts.Disk{Path: "/data", Free: 41 * gb, Total: 400 * gb, Writable: true}},
			want: []string{"disk.storage: blocked now", "assumed 212 GB free on /data, now 41 GB"},
		},
		"little room": {
			now:  []facts.Fact{facts.Disk{Path: "/data", Free: 70 * gb, Total: 400 * gb, Writable: true}},
			want: []string{"disk.storage: warns now: ", "assumed 212 GB free on /data, now 70 GB"},
		},
		"a file came": {
			now:  []facts.Fact{facts.Path{Path: "scripts/paths.py", Type: facts.Regular, Mode: 0o644, Size: 120, SHA256: facts.SHA256{7}}},
			want: []string{"file.paths: was to create, and now it is to ", "assumed that scripts/paths.py is absent, now a file of 120 B"},
		},
		"another interpreter": {
			now:  []facts.Fact{facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Path: "/opt/python3.10", Version: "3.10.1"}}}},
			want: []string{"builder.env: is still to create, in another way", "assumed that Python 3.10 is 3.10.13 at /usr/bin/python3.10, now 3.10.1 at /opt/python3.10"},
		},
		"an interpreter that is not used": {
			now: []facts.Fact{facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Path: "/usr/bin/python3.10", Version: "3.10.13"}}}},
		},
	} {
		t.Run(name, func(t *testing.T) { stale(t, saved, taken(t, world(c.now...), circumstances()), c.want...) })
	}
	f := world()
	f.Fail(facts.PathKey("data"), "permission denied")
	stale(t, saved, taken(t, f, circumstances()), "directory.data: blocked now", "assumed that data is absent, now not known: permission denied")
}

// TestAThingThatAgreed is of a resource that was no item of the saved plan.
func TestAThingThatAgreed(t *testing.T) {
	saved := taken(t, world(facts.Path{Path: "data", Type: facts.Dir, Mode: 0o755}), circumstances())
	stale(t, saved, plain(t), "directory.data: nothing was to be done, and now it is to create", "data is now absent")
}

// TestAWarningThatWasShown may stay, and may go.
func TestAWarningThatWasShown(t *testing.T) {
	low := func(free int64) *Document {
		return taken(t, world(facts.Disk{Path: "/data", Free: free * gb, Total: 400 * gb, Writable: true}), circumstances())
	}
	stale(t, low(70), low(60))
	stale(t, low(70), low(200))
	stale(t, low(70), low(41), "blocked now")
}

func TestWhatElseAPlanIsBoundTo(t *testing.T) {
	saved := plain(t)
	for want, change := range map[string]func(*PlanInputs){
		"it was made by reconcile 1.2.3, and this is 1.2.4":     func(c *PlanInputs) { c.Program = "1.2.4" },
		"manifest.yaml has changed since":                       func(c *PlanInputs) { c.Inputs["manifest.yaml"] = facts.SHA256{3} },
		"locks/pylock.local.toml can no longer be read":         func(c *PlanInputs) { delete(c.Inputs, "locks/pylock.local.toml") },
		"templates/a.tmpl is read, which it was not":            func(c *PlanInputs) { c.Inputs["templates/a.tmpl"] = facts.SHA256{3} },
		"the memory of earlier applies is gone":                 func(c *PlanInputs) { c.State = State{} },
		"the memory of earlier applies is another one":          func(c *PlanInputs) { c.State.Lineage = "def" },
		"the memory of earlier applies is an older one":         func(c *PlanInputs) { c.State.Serial = 6 },
		"assumed that the program /usr/bin/uv is 0.9.1, sha256": func(c *PlanInputs) { c.Identify = replaced("/usr/bin/uv") },
		"assumed that the program /usr/bin/python3.10 is":       func(c *PlanInputs) { c.Identify = replaced("/usr/bin/python3.10") },
	} {
		c := circumstances()
		change(&c)
		stale(t, saved, taken(t, world(), c), want)
	}
	c := circumstances()
	c.State.Serial = 900 // other applies, of another environment
	stale(t, saved, taken(t, world(), c))
	c.State = State{}
	first := taken(t, world(), c)
	stale(t, first, first)
	stale(t, first, saved, "assumed that nothing was applied here yet")
	other := plain(t)
	other.Environment = "remote"
	stale(t, saved, other, "it was made for environment none, and this machine has remote now")
}

// replaced identifies one program as another than circumstances do.
func replaced(program string) func(string) (facts.SHA256, bool) {
	return func(path string) (facts.SHA256, bool) {
		if path == program {
			return facts.SHA256{77}, true
		}
		return circumstances().Identify(path)
	}
}

func TestProgramsAreIdentified(t *testing.T) {
	got := plain(t).Tools
	want := map[string]Tool{
		"/usr/bin/uv":         {SHA256: sha256.Sum256([]byte("/usr/bin/uv")), Version: "0.9.1"},
		"/usr/bin/python3.10": {SHA256: sha256.Sum256([]byte("/usr/bin/python3.10")), Version: "3.10.13"},
		"/project/.reconcile/tools/made/bin/python": {Absent: true},
		"/project/.reconcile/tools/pinned":          {SHA256: facts.SHA256{9}},
	}
	for path, tool := range want {
		if got[path] != tool {
			t.Errorf("%s is %+v, want %+v", path, got[path], tool)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d programs, want %d: %v", len(got), len(want), got)
	}
	// What the plan makes may be there already, below .reconcile alone.
	now := plain(t)
	now.Tools["/project/.reconcile/tools/made/bin/python"] = Tool{SHA256: facts.SHA256{5}}
	stale(t, plain(t), now)
	saved := plain(t)
	saved.Tools["/usr/bin/uv"] = Tool{Absent: true}
	stale(t, saved, plain(t), "assumed that the program /usr/bin/uv is absent")
	delete(saved.Tools, "/usr/bin/uv")
	stale(t, saved, plain(t), "/usr/bin/uv would be run, which the saved plan does not")
}

func TestElsewhere(t *testing.T) {
	d := plain(t)
	m := d.Machine
	if why := d.Mismatch(m, "/project", "manifest.yaml"); why != nil {
		t.Errorf("it does not belong where it was made: %q", why)
	}
	other := m
	other.Host, other.Part = "h100", ".reconcile/linux-x86_64-00000000"
	for want, why := range map[string][]string{
		"it was made on mac (linux-x86_64-1f2e3d4c), and this is h100 (linux-x86_64-00000000)": d.Mismatch(other, "/project", "manifest.yaml"),
		"it was made by user ann (501), and this is user 502":                                  d.Mismatch(Machine{Host: m.Host, Part: m.Part, UID: 502}, "/project", "manifest.yaml"),
		"it was made for the project at /project, and this is /other":                          d.Mismatch(m, "/other", "manifest.yaml"),
		"it was made from manifest.yaml, and this is lab.yaml":                                 d.Mismatch(m, "/project", "lab.yaml"),
	} {
		if !slices.Equal(why, []string{want}) {
			t.Errorf("%q, want %q", why, want)
		}
	}
	renamed := m
	renamed.Host, renamed.User = "mac-2", "anna" // names are for people
	if why := d.Mismatch(renamed, "/project", "manifest.yaml"); why != nil {
		t.Errorf("another name is no other machine: %q", why)
	}
}

// TestEveryFactHasWords shows that a person can see what any fact was.
func TestEveryFactHasWords(t *testing.T) {
	for _, f := range []facts.Fact{
		facts.Project{State: ".reconcile/x"}, facts.Host{Platform: "linux-x86_64"}, facts.GPU{Vendor: "none"}, facts.Nvidia{State: "ok", Driver: "535.1"},
		facts.Toolkit{}, facts.Index{URL: "public"}, facts.Path{Type: facts.Absent}, facts.Path{Type: facts.Regular}, facts.Path{Type: facts.Dir},
		facts.Path{Type: facts.Symlink, Target: "x"}, facts.Path{Type: facts.Absent, Parent: "file data"}, facts.Folder{}, facts.Tree{Users: []string{"this shell"}},
		facts.Disk{ReadOnly: true}, facts.Pythons{}, facts.Tool{}, facts.Tool{Path: "/x", Refused: "too old"}, facts.Tool{Path: "/x"},
		facts.Environment{}, facts.Environment{Foreign: "a file"}, facts.Environment{Current: "a", Entry: "no bin", Generations: []facts.Generation{{Name: "a", Damage: []facts.Damage{{What: "missing"}}}}},
		facts.Environment{Generations: []facts.Generation{{Name: "a"}}}, facts.Model{State: "absent"},
	} {
		text := assumed(f.Key(), Describe(f), "another")
		if Describe(f) == "" || strings.Contains(text, "this :") || !strings.Contains(text, "now another") {
			t.Errorf("%T is described as %q", f, text)
		}
	}
}

// TestSchema holds the published schema to what is written, warnings included.
func TestSchema(t *testing.T) {
	schema := outputschema.Load(t, "saved-plan")
	schema.Check(t, plain(t).Encode())
	schema.Check(t, taken(t, world(facts.Disk{Path: "/data", Free: 70 * gb, Writable: true}), circumstances()).Encode())
}
