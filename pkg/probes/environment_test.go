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

// generation lays out a small sealed generation of the environment "local" and
// returns its folder.
func (w *world) generation(name string) string {
	w.t.Helper()
	dir := filepath.Join(w.root, layout.Generation(w.prober().state(), "local", name))
	base := filepath.Join(w.home, "py/bin")
	w.put(base+"/python3.10", "elf")
	w.put(dir+"/pyvenv.cfg", "home = "+base+"\n")
	w.link(base+"/python3.10", dir+"/bin/python")
	w.put(dir+"/reconcile/bin/python", "#!/bin/sh\nexec '"+dir+"/bin/python' \"$@\"\n")
	site := dir + "/lib/python3.10/site-packages"
	w.put(site+"/six.py", "")
	w.put(site+"/six-1.0.dist-info/METADATA", "Name: six\nVersion: 1.0\n")
	w.put(site+"/six-1.0.dist-info/RECORD", "six.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nsix-1.0.dist-info/METADATA,,23\nsix-1.0.dist-info/RECORD,,\n")
	skeleton, err := pyenv.Skeleton(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	stamps, err := pyenv.TakeStamps(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(dir+"/reconcile/stamps", string(stamps))
	seal, err := pyenv.EncodeSeal(pyenv.Seal{
		Digest: name, Python: "3.10.13", Base: base + "/python3.10", Created: time.Unix(0, 0).UTC().Format(time.RFC3339), Prefix: dir,
		Packages: []facts.Package{{Name: "six", Version: "1.0", Entry: "e"}}, Skeleton: skeleton,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(dir+"/reconcile/seal.json", string(seal))
	return dir
}

// show makes a generation visible.
func (w *world) show(name string) {
	w.t.Helper()
	venv := filepath.Join(w.root, ".venv")
	w.put(venv+"/.gitignore", "*\n")
	w.link("generation/reconcile/bin", venv+"/bin")
	w.link("generation/lib", venv+"/lib")
	w.link("generation/pyvenv.cfg", venv+"/pyvenv.cfg")
	if name != "" {
		w.link("../"+layout.Generation(w.prober().state(), "local", name), venv+"/generation")
	}
}

func (w *world) environment() (facts.Environment, string) {
	w.t.Helper()
	p := w.prober()
	p.Environments = map[string]layout.ActiveEnv{"local": {Path: ".venv", Type: "venv"}}
	a := p.answer(w.t.Context(), facts.EnvironmentKey("local"))
	if a.err != nil {
		return facts.Environment{}, a.err.Error()
	}
	return a.fact.(facts.Environment), ""
}

// TestVisiblePlace has every sort of thing where the environment should be.
func TestVisiblePlace(t *testing.T) {
	tests := []struct {
		name, foreign, current, entry string
		do                            func(w *world, venv string)
	}{
		{"absent", "", "", "absent", func(*world, string) {}},
		{"ours", "", "g1", "", func(w *world, _ string) { w.show("g1") }},
		{"ours, with more in it", "", "g1", "", func(w *world, venv string) { w.show("g1"); w.put(venv+"/notes", "") }},
		{"empty", "", "", "bin is missing, lib is missing, pyvenv.cfg is missing", func(w *world, venv string) { w.mkdir(venv) }},
		{"begun", "", "", "bin is missing, lib is missing, pyvenv.cfg is missing", func(w *world, venv string) { w.put(venv+"/.gitignore", "*\n") }},
		{"not yet switched", "", "", "", func(w *world, _ string) { w.show("") }},
		{"links lost", "", "g1", "bin leads to /usr/bin, lib is not a link, pyvenv.cfg is missing", func(w *world, venv string) {
			w.show("g1")
			os.Remove(venv + "/bin")
			w.link("/usr/bin", venv+"/bin")
			os.Remove(venv + "/lib")
			w.mkdir(venv + "/lib")
			os.Remove(venv + "/pyvenv.cfg")
		}},
		{"generation gone", "", "g9", "generation g9 is gone", func(w *world, _ string) { w.show("g9") }},
		{"a file", "a file, not a directory", "", "", func(w *world, venv string) { w.put(venv, "") }},
		{"a link", "a link to /somewhere", "", "", func(w *world, venv string) { w.link("/somewhere", venv) }},
		{"another venv", "an environment that reconcile did not make", "", "", func(w *world, venv string) {
			w.put(venv+"/pyvenv.cfg", "home = /usr/bin\n")
			w.mkdir(venv + "/bin")
		}},
		{"a folder", "a directory that reconcile did not make; it holds thesis.txt", "", "", func(w *world, venv string) { w.put(venv+"/thesis.txt", "") }},
		{"a folder with its own .gitignore", "a directory that reconcile did not make; it holds .gitignore", "", "", func(w *world, venv string) { w.put(venv+"/.gitignore", "*.pyc\n") }},
		{"of another machine", "an environment of another machine: its generation is ../.reconcile/macos-arm64-00000000/envs/local/g1", "", "", func(w *world, venv string) {
			w.show("")
			w.link("../.reconcile/macos-arm64-00000000/envs/local/g1", venv+"/generation")
		}},
		{"of another environment", "an environment of another machine: its generation is ../.reconcile/", "", "", func(w *world, venv string) {
			w.show("")
			w.link("../"+layout.Generation(w.prober().state(), "remote", "g1"), venv+"/generation")
		}},
		{"leads out", "a directory whose generation is /elsewhere/evil, which reconcile did not build here", "", "", func(w *world, venv string) {
			w.show("")
			w.link("/elsewhere/evil", venv+"/generation")
		}},
		{"generation is no link", "a directory whose generation is not a link", "", "", func(w *world, venv string) { w.mkdir(venv + "/generation") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.generation("g1")
			tt.do(w, filepath.Join(w.root, ".venv"))
			e, reason := w.environment()
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
	w := newWorld(t)
	one, two := w.generation("g1"), w.generation("g2")
	half := filepath.Join(filepath.Dir(one), "g3")
	w.put(half+"/pyvenv.cfg", "")
	w.show("g1")
	// Damage in both; only that of the visible one is looked for.
	for _, dir := range []string{one, two} {
		if err := os.Remove(dir + "/lib/python3.10/site-packages/six.py"); err != nil {
			t.Fatal(err)
		}
	}
	e, reason := w.environment()
	if reason != "" {
		t.Fatal(reason)
	}
	sealed := func(name string) facts.Generation {
		return facts.Generation{
			Name: name, Digest: name, Python: "3.10.13", Base: w.home + "/py/bin/python3.10", Created: "1970-01-01T00:00:00Z",
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

// TestSeals damages the seal of the visible generation and of another one.
func TestSeals(t *testing.T) {
	damaged := []facts.Damage{{What: "seal", Path: "reconcile/seal.json"}}
	w := newWorld(t)
	one, two := w.generation("g1"), w.generation("g2")
	w.show("g1")
	w.put(one+"/reconcile/seal.json", "{}")
	w.put(two+"/reconcile/seal.json", "{}")
	e, reason := w.environment()
	if reason != "" || len(e.Unsealed) != 0 || len(e.Generations) != 2 || !reflect.DeepEqual(e.Generations[0].Damage, damaged) || !reflect.DeepEqual(e.Generations[1].Damage, damaged) {
		t.Errorf("flipped: %+v %s", e, reason)
	}
	os.Remove(one + "/reconcile/seal.json")
	os.Remove(two + "/reconcile/seal.json")
	e, reason = w.environment()
	if reason != "" || !reflect.DeepEqual(e.Unsealed, []string{"g2"}) || len(e.Generations) != 1 || !reflect.DeepEqual(e.Generations[0].Damage, damaged) {
		t.Errorf("removed: %+v %s", e, reason)
	}
	w.put(two+"/reconcile/seal.json", `{"version": 2}`)
	if e, reason = w.environment(); !strings.Contains(reason, "newer reconcile") {
		t.Errorf("newer: %+v %q", e, reason)
	}
}

// TestPlacesOfOthers reads the place behind a link, and one outside the project.
func TestPlacesOfOthers(t *testing.T) {
	w := newWorld(t)
	w.link(w.home, filepath.Join(w.root, "envs"))
	p := w.prober()
	p.Environments = map[string]layout.ActiveEnv{"local": {Path: "envs/.venv", Type: "venv"}, "far": {Path: w.home + "/.venv", Type: "venv"}}
	a := p.answer(t.Context(), facts.EnvironmentKey("local"))
	if e, ok := a.fact.(facts.Environment); !ok || !strings.HasPrefix(e.Foreign, "the way to it leads through the link envs -> ") {
		t.Errorf("%+v, %v", a.fact, a.err)
	}
	a = p.answer(t.Context(), facts.EnvironmentKey("far"))
	if e, ok := a.fact.(facts.Environment); !ok || e.Entry != "absent" || e.Foreign != "" {
		t.Errorf("%+v, %v", a.fact, a.err)
	}
}
