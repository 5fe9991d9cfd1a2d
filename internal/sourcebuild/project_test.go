package sourcebuild

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestProjectOfAnOldSource(t *testing.T) {
	p, err := Open(tree(t, map[string]string{"setup.py": "raise SystemExit"}))
	check(t, err)
	if p.Backend != "setuptools.build_meta:__legacy__" || !reflect.DeepEqual(p.Requires, []string{"setuptools", "wheel"}) || p.Static != nil {
		t.Errorf("%+v", p)
	}
	if _, err := Open(tree(t, map[string]string{"README": ""})); !errors.Is(err, ErrNoProject) {
		t.Errorf("%v", err)
	}
}

func TestStaticMetadata(t *testing.T) {
	const system = "[build-system]\nrequires = [\"hatchling>=1.20\"]\nbuild-backend = \"hatchling.build\"\n"
	const info = "Metadata-Version: 2.2\nName: Demo\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: six>=1\nProvides-Extra: x\nRequires-Dist: tqdm; extra == \"x\"\n\nRequires-Dist: description\n"
	full := &Metadata{Name: "Demo", Version: "1.0", RequiresPython: ">=3.8", Requires: []string{"six>=1", `tqdm; extra == "x"`}, Extras: []string{"x"}}
	for name, test := range map[string]struct {
		files map[string]string
		want  *Metadata
	}{
		"pyproject": {
			map[string]string{"pyproject.toml": system + "[project]\nname = \"Demo\"\nversion = \"1.0\"\nrequires-python = \">=3.8\"\ndependencies = [\"six>=1\"]\n[project.optional-dependencies]\nx = [\"tqdm; os_name == 'posix'\"]\n"},
			&Metadata{Name: "Demo", Version: "1.0", RequiresPython: ">=3.8", Requires: []string{"six>=1", `tqdm ; (os_name == 'posix') and extra == "x"`}, Extras: []string{"x"}},
		},
		"pyproject without dependencies":       {map[string]string{"pyproject.toml": system + "[project]\nname = \"Demo\"\nversion = \"1.0\"\n"}, &Metadata{Name: "Demo", Version: "1.0"}},
		"dynamic version":                      {map[string]string{"pyproject.toml": system + "[project]\nname = \"Demo\"\ndynamic = [\"version\"]\n"}, nil},
		"dynamic dependencies":                 {map[string]string{"pyproject.toml": system + "[project]\nname = \"Demo\"\nversion = \"1.0\"\ndynamic = [\"dependencies\"]\n"}, nil},
		"PKG-INFO":                             {map[string]string{"setup.py": "", "PKG-INFO": info}, full},
		"PKG-INFO of an old format":            {map[string]string{"setup.py": "", "PKG-INFO": strings.Replace(info, "2.2", "2.1", 1)}, nil},
		"PKG-INFO with dynamic requirements":   {map[string]string{"setup.py": "", "PKG-INFO": strings.Replace(info, "Requires-Python", "Dynamic: Requires-Dist\nRequires-Python", 1)}, nil},
		"PKG-INFO with another dynamic field":  {map[string]string{"setup.py": "", "PKG-INFO": strings.Replace(info, "Requires-Python", "Dynamic: Description\nRequires-Python", 1)}, full},
		"PKG-INFO with an invalid requirement": {map[string]string{"setup.py": "", "PKG-INFO": strings.Replace(info, "six>=1", "-r /etc/passwd", 1)}, nil},
	} {
		p, err := Open(tree(t, test.files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(p.Static, test.want) {
			t.Errorf("%s: %+v, not %+v", name, p.Static, test.want)
		}
	}
}

func TestInvalidProjects(t *testing.T) {
	for text, want := range map[string]string{
		"[build-system]\nbuild-backend = \"x\"":                                           "no requires",
		"[build-system]\nrequires = []\nbuild-backend = \"x\"\nbackend-path = [\"../y\"]": "outside",
		"[build-system]\nrequires = [\"-e .\"]":                                           "PEP 508",
		"[build-system]\nrequires = []\nbuild-backend = \"import os; os.x()\"":            "not a module",
		"[build-system": "toml",
	} {
		if _, err := Open(tree(t, map[string]string{"pyproject.toml": text})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseCore(f *testing.F) {
	f.Add([]byte("Metadata-Version: 2.2\nName: a\nVersion: 1\nRequires-Dist: b\n c\n\nd"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := parseCore(text)
		if c.static() && !c.complete() {
			t.Errorf("%+v", c)
		}
	})
}
