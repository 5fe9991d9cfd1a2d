package probes

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// generation creates a small sealed generation of the environment "local" and returns its
// folder.
func (m *fakeMachine) generation(name string) string {
	m.t.Helper()
	dir := layout.Generation(m.prober().state(), "local", name)
	base := filepath.Join(m.home, "py/bin")
	m.put(base+"/python3.10", "elf")
	m.put(dir+"/pyvenv.cfg", "home = "+base+"\n")
	m.link(base+"/python3.10", dir+"/bin/python")
	m.put(dir+"/reconcile/bin/python", "#!/bin/sh\nexec '"+dir+"/bin/python' \"$@\"\n")
	site := dir + "/lib/python3.10/site-packages"
	m.put(site+"/six.py", "")
	m.put(site+"/six-1.0.dist-info/METADATA", "Name: six\nVersion: 1.0\n")
	m.put(site+"/six-1.0.dist-info/RECORD", "six.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nsix-1.0.dist-info/METADATA,,23\nsix-1.0.dist-info/RECORD,,\n")
	skeleton, err := pyenv.Skeleton(dir)
	if err != nil {
		m.t.Fatal(err)
	}
	stamps, err := pyenv.TakeStamps(dir)
	if err != nil {
		m.t.Fatal(err)
	}
	m.put(dir+"/reconcile/stamps", string(stamps))
	seal, err := pyenv.EncodeSeal(pyenv.Seal{
		Digest: name, Python: "3.10.13", Base: base + "/python3.10", Created: time.Unix(0, 0).UTC().Format(time.RFC3339), Prefix: dir,
		Packages: []facts.Package{{Name: "six", Version: "1.0", Entry: "e"}}, Skeleton: skeleton,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.put(dir+"/reconcile/seal.json", string(seal))
	return dir
}

// activate makes a generation active.
func (m *fakeMachine) activate(name string) {
	m.t.Helper()
	venv := filepath.Join(m.root, ".venv")
	m.put(venv+"/.gitignore", "*\n")
	m.link("generation/reconcile/bin", venv+"/bin")
	m.link("generation/lib", venv+"/lib")
	m.link("generation/pyvenv.cfg", venv+"/pyvenv.cfg")
	if name != "" {
		m.link(layout.Generation(m.prober().state(), "local", name), venv+"/generation")
	}
}

func (m *fakeMachine) environment() (facts.Environment, string) {
	m.t.Helper()
	p := m.prober()
	p.Environments = map[string]layout.ActiveEnv{"local": {Path: ".venv", Type: "venv"}}
	a := p.answer(m.t.Context(), facts.EnvironmentKey("local"))
	if a.err != nil {
		return facts.Environment{}, a.err.Error()
	}
	return a.fact.(facts.Environment), ""
}

// TestEnvironmentEntry has every type of file at the path of the environment.
func TestEnvironmentEntry(t *testing.T) {
	tests := []struct {
		name, foreign, current, entry string
		do                            func(m *fakeMachine, venv string)
	}{
		{"absent", "", "", "absent", func(*fakeMachine, string) {}},
		{"created by reconcile", "", "g1", "", func(m *fakeMachine, _ string) { m.activate("g1") }},
		{"with other files", "", "g1", "", func(m *fakeMachine, venv string) { m.activate("g1"); m.put(venv+"/notes", "") }},
		{"empty", "", "", "bin is missing, lib is missing, pyvenv.cfg is missing", func(m *fakeMachine, venv string) { m.mkdir(venv) }},
		{"started", "", "", "bin is missing, lib is missing, pyvenv.cfg is missing", func(m *fakeMachine, venv string) { m.put(venv+"/.gitignore", "*\n") }},
		{"without a generation", "", "", "", func(m *fakeMachine, _ string) { m.activate("") }},
		{"wrong links", "", "g1", "bin points to /usr/bin, lib is not a link, pyvenv.cfg is missing", func(m *fakeMachine, venv string) {
			m.activate("g1")
			os.Remove(venv + "/bin")
			m.link("/usr/bin", venv+"/bin")
			os.Remove(venv + "/lib")
			m.mkdir(venv + "/lib")
			os.Remove(venv + "/pyvenv.cfg")
		}},
		{"generation missing", "", "g9", "generation g9 is missing", func(m *fakeMachine, _ string) { m.activate("g9") }},
		{"a file", "a file, not a directory", "", "", func(m *fakeMachine, venv string) { m.put(venv, "") }},
		{"a link", "a link to /somewhere", "", "", func(m *fakeMachine, venv string) { m.link("/somewhere", venv) }},
		{"another venv", "an environment that reconcile did not create", "", "", func(m *fakeMachine, venv string) {
			m.put(venv+"/pyvenv.cfg", "home = /usr/bin\n")
			m.mkdir(venv + "/bin")
		}},
		{"a folder", "a directory that reconcile did not create; it contains thesis.txt", "", "", func(m *fakeMachine, venv string) { m.put(venv+"/thesis.txt", "") }},
		{"a folder with its own .gitignore", "a directory that reconcile did not create; it contains .gitignore", "", "", func(m *fakeMachine, venv string) { m.put(venv+"/.gitignore", "*.pyc\n") }},
		{"of another project", "", "", "", func(m *fakeMachine, venv string) {
			m.activate("")
			m.link("/store/projects/train-00000000/envs/local/g1", venv+"/generation")
		}},
		{"of an earlier version", "", "", "", func(m *fakeMachine, venv string) {
			m.activate("")
			m.link("../.reconcile/linux-x86_64-00000000/envs/local/g1", venv+"/generation")
		}},
		{"of another environment", "a directory whose generation is ", "", "", func(m *fakeMachine, venv string) {
			m.activate("")
			m.link(layout.Generation(m.prober().state(), "remote", "g1"), venv+"/generation")
		}},
		{"outside the project", "a directory whose generation is /elsewhere/evil, which reconcile did not build here", "", "", func(m *fakeMachine, venv string) {
			m.activate("")
			m.link("/elsewhere/evil", venv+"/generation")
		}},
		{"generation is no link", "a directory whose generation is not a link", "", "", func(m *fakeMachine, venv string) { m.mkdir(venv + "/generation") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.generation("g1")
			tt.do(m, filepath.Join(m.root, ".venv"))
			e, reason := m.environment()
			if reason != "" {
				t.Fatal(reason)
			}
			foreign := e.Foreign
			if len(tt.foreign) > 0 && strings.HasPrefix(foreign, tt.foreign) {
				foreign = tt.foreign
			}
			if foreign != tt.foreign || e.Current != tt.current || e.Entry != tt.entry {
				t.Errorf("foreign %q, current %q, entry %q", e.Foreign, e.Current, e.Entry)
			}
		})
	}
}

func TestGenerations(t *testing.T) {
	m := newMachine(t)
	one, two := m.generation("g1"), m.generation("g2")
	half := filepath.Join(filepath.Dir(one), "g3")
	m.put(half+"/pyvenv.cfg", "")
	m.activate("g1")
	// Both are damaged; only the active one is checked.
	for _, dir := range []string{one, two} {
		if err := os.Remove(dir + "/lib/python3.10/site-packages/six.py"); err != nil {
			t.Fatal(err)
		}
	}
	e, reason := m.environment()
	if reason != "" {
		t.Fatal(reason)
	}
	sealed := func(name string) facts.Generation {
		return facts.Generation{
			Name: name, Digest: name, Python: "3.10.13", Base: m.home + "/py/bin/python3.10", Created: "1970-01-01T00:00:00Z",
			Packages: []facts.Package{{Name: "six", Version: "1.0", Entry: "e"}},
		}
	}
	g1 := sealed("g1")
	g1.Damage = []facts.Damage{{What: "missing", Path: "lib/python3.10/site-packages/six.py", Dist: "six"}}
	want := facts.Environment{Name: "local", Path: ".venv", Current: "g1", Generations: []facts.Generation{g1, sealed("g2")}, Unsealed: []string{"g3"}}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
}

// TestSeals damages the seals of the active generation and of another one.
func TestSeals(t *testing.T) {
	damaged := []facts.Damage{{What: "seal", Path: "reconcile/seal.json"}}
	m := newMachine(t)
	one, two := m.generation("g1"), m.generation("g2")
	m.activate("g1")
	m.put(one+"/reconcile/seal.json", "{}")
	m.put(two+"/reconcile/seal.json", "{}")
	e, reason := m.environment()
	if reason != "" || len(e.Unsealed) != 0 || len(e.Generations) != 2 || !reflect.DeepEqual(e.Generations[0].Damage, damaged) || !reflect.DeepEqual(e.Generations[1].Damage, damaged) {
		t.Errorf("invalid: %+v %s", e, reason)
	}
	os.Remove(one + "/reconcile/seal.json")
	os.Remove(two + "/reconcile/seal.json")
	e, reason = m.environment()
	if reason != "" || !reflect.DeepEqual(e.Unsealed, []string{"g2"}) || len(e.Generations) != 1 || !reflect.DeepEqual(e.Generations[0].Damage, damaged) {
		t.Errorf("removed: %+v %s", e, reason)
	}
	m.put(two+"/reconcile/seal.json", `{"version": 2}`)
	if e, reason = m.environment(); !strings.Contains(reason, "newer reconcile") {
		t.Errorf("newer: %+v %q", e, reason)
	}
}

// TestEnvironmentPaths reads a path through a link, and one outside the project.
func TestEnvironmentPaths(t *testing.T) {
	m := newMachine(t)
	m.link(m.home, filepath.Join(m.root, "envs"))
	p := m.prober()
	p.Environments = map[string]layout.ActiveEnv{"local": {Path: "envs/.venv", Type: "venv"}, "outside": {Path: m.home + "/.venv", Type: "venv"}}
	a := p.answer(t.Context(), facts.EnvironmentKey("local"))
	if e, ok := a.fact.(facts.Environment); !ok || !strings.HasPrefix(e.Foreign, "reached through the link envs -> ") {
		t.Errorf("%+v, %v", a.fact, a.err)
	}
	a = p.answer(t.Context(), facts.EnvironmentKey("outside"))
	if e, ok := a.fact.(facts.Environment); !ok || e.Entry != "absent" || e.Foreign != "" {
		t.Errorf("%+v, %v", a.fact, a.err)
	}
}
