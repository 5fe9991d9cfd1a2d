package foreignlock

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// source returns the source of a package, the zero value for wheels.
func source(p lock.Package) lock.Source {
	if p.Build == nil {
		return lock.Source{}
	}
	return p.Build.Source
}

func TestIs(t *testing.T) {
	for name, want := range map[string]bool{
		"uv.lock": true, "sub/poetry.lock": true, "pixi.lock": true, "pylock.toml": true, "pylock.dev.toml": true,
		"Cargo.lock": false, "uv.lock.bak": false, "pylock": false, "mypylock.toml": false,
	} {
		if Is(name) != want {
			t.Errorf("Is(%q) = %v", name, !want)
		}
	}
	if IsOurs([]byte("lock-version = \"1.0\"\ncreated-by = \"pip\"\n\n[[packages]]\nname = \"a\"\n")) {
		t.Error("a lock of pip is ours")
	}
	if IsOurs([]byte("lock-version = \"1.0\"\n\n[[packages]]\ncreated-by = \"reconcile\"\n")) {
		t.Error("a lock with a package that has the key is ours")
	}
	ours := (&lock.Lock{RequiresPython: ">=3.10,<3.11", Platforms: []string{"linux-x86_64"}}).Encode()
	for _, text := range []string{string(ours), strings.Replace(string(ours), "environments", "<<<<<<< HEAD\nenvironments", 1)} {
		if !IsOurs([]byte(text)) {
			t.Errorf("a lock of reconcile is not ours:\n%s", text)
		}
	}
}

// head is the beginning of a uv.lock with a project that depends on package a.
const head = `version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "demo"
version = "0.1"
source = { virtual = "." }
dependencies = [{ name = "a" }]

`

const sum = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"

// pkg returns package a of version 1.0 with a source and further lines.
func pkg(source, lines string) string {
	return head + "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { " + source + " }\n" + lines
}

const wheelLine = `wheels = [{ url = "https://files.example/a-1.0-py3-none-any.whl", hash = "sha256:` + sum + `", size = 10 }]` + "\n"

// TestUVProblems checks the problems of locks that are damaged or hostile. The golden file has the
// messages.
func TestUVProblems(t *testing.T) {
	var b strings.Builder
	public := `registry = "` + publicIndex + `"`
	for _, c := range []struct{ name, text string }{
		{"valid", pkg(public, wheelLine)},
		{"no TOML", "version = 1\n<<<<<<< HEAD\n"},
		{"newer version", strings.Replace(head, "version = 1", "version = 2", 1)},
		{"no version", "requires-python = '>=3.10'"},
		{"other Python", strings.Replace(pkg(public, wheelLine), ">=3.10", ">=3.13", 1)},
		{"malformed Python", strings.Replace(pkg(public, wheelLine), ">=3.10", "new", 1)},
		{"other project", strings.Replace(head, `"demo"`, `"other"`, 1)},
		{"missing dependency", head},
		{"ambiguous dependency", pkg(public, wheelLine) + "[[package]]\nname = \"a\"\nversion = \"2.0\"\nsource = { " + public + " }\n"},
		{"malformed marker", strings.Replace(pkg(public, wheelLine), `{ name = "a" }`, `{ name = "a", marker = "os_name ==" }`, 1)},
		{"platform", strings.Replace(pkg(public, wheelLine), "revision = 3", `supported-markers = ["sys_platform == 'darwin'"]`, 1)},
		{"invalid name", strings.ReplaceAll(pkg(public, wheelLine), `"a"`, `"--index-url=x"`)},
		{"invalid version", strings.Replace(pkg(public, wheelLine), "version = \"1.0\"\nsource", "version = \"1.0; x\"\nsource", 1)},
		{"wheel of another package", strings.Replace(pkg(public, wheelLine), "a-1.0-py3", "b-1.0-py3", 1)},
		{"no digest", strings.Replace(pkg(public, wheelLine), "sha256:"+sum, "md5:00", 1)},
		{"zero digest", strings.Replace(pkg(public, wheelLine), sum, strings.Repeat("0", 64), 1)},
		{"negative size", strings.Replace(pkg(public, wheelLine), "size = 10", "size = -1", 1)},
		{"other platform only", strings.Replace(pkg(public, wheelLine), "py3-none-any", "cp312-cp312-win_amd64", 1)},
		{"newer system", strings.Replace(pkg(public, wheelLine), "py3-none-any", "cp312-cp312-manylinux_2_35_x86_64", 1)},
		{"source only", pkg(public, `sdist = { url = "https://files.example/a-1.0.tar.gz", hash = "sha256:`+sum+`" }`)},
		{"unknown index", pkg(`registry = "https://wheels.example/whl/cu128"`, wheelLine) + "[[package]]\nname = \"b\"\nversion = \"1\"\nsource = { " + public + " }\n"},
		{"index with a password", pkg(`registry = "https://user:secret@wheels.example/simple"`, wheelLine) + "[[package]]\nname = \"b\"\nversion = \"1\"\nsource = { " + public + " }\n"},
		{"repository", pkg(`git = "https://git.example/a.git?rev=main#`+strings.Repeat("a", 40)+`"`, "")},
		{"branch", pkg(`git = "https://git.example/a.git#main"`, "")},
		{"repository with a password", pkg(`git = "https://user:secret@git.example/a.git#`+strings.Repeat("a", 40)+`"`, "")},
		{"command as repository", pkg(`git = "ext::sh -c id#`+strings.Repeat("a", 40)+`"`, "")},
		{"subdirectory outside", pkg(`git = "https://git.example/a.git?subdirectory=../x#`+strings.Repeat("a", 40)+`"`, "")},
		{"directory outside", pkg(`editable = "../a"`, "")},
		{"absolute directory", pkg(`directory = "/etc"`, "")},
		{"wheel outside", pkg(`path = "../a-1.0-py3-none-any.whl"`, `wheels = [{ filename = "a-1.0-py3-none-any.whl", hash = "sha256:`+sum+`" }]`)},
		{"http URL", pkg(`url = "http://files.example/a-1.0-py3-none-any.whl"`, strings.Replace(wheelLine, "https", "http", 1))},
		{"URL with a password", pkg(`url = "https://user:secret@files.example/a-1.0-py3-none-any.whl"`, wheelLine)},
		{"archive that is none", pkg(`path = "a.exe"`, `sdist = { hash = "sha256:`+sum+`" }`)},
	} {
		l, err := Decode([]byte(c.text), "uv.lock", Selection{Project: []byte("[project]\nname = \"demo\"\n"), Python: "3.12", Platforms: []string{"linux-x86_64"}})
		fmt.Fprintf(&b, "== %s\n", c.name)
		switch {
		case err == nil:
			fmt.Fprintf(&b, "%s\n", names(l))
		case slices.ContainsFunc(diag.Problems(err), func(p *diag.Problem) bool { return p.Code == "internal" }):
			t.Errorf("%s: %v", c.name, err)
		default:
			fmt.Fprintf(&b, "%v (%s)\n", err, codes(err))
		}
		if strings.Contains(b.String(), "secret") {
			t.Fatalf("%s: the message has the password", c.name)
		}
	}
	golden.Check(t, "testdata/uv-problems.txt", []byte(b.String()))
}

// TestSourceOnlyPackagesAreReportedTogether checks the permission to build.
func TestSourceOnlyPackagesAreReportedTogether(t *testing.T) {
	text := head
	text = strings.Replace(text, `[{ name = "a" }]`, `[{ name = "langdetect" }, { name = "pathtools" }, { name = "fast" }]`, 1)
	for _, name := range []string{"langdetect", "pathtools", "fast"} {
		text += fmt.Sprintf("[[package]]\nname = %q\nversion = \"1.0\"\nsource = { registry = %q }\nsdist = { url = \"https://files.example/%s-1.0.tar.gz\", hash = \"sha256:%s\", size = 7 }\n", name, publicIndex, name, sum)
	}
	text += fmt.Sprintf("wheels = [{ url = \"https://files.example/fast-1.0-cp312-cp312-manylinux_2_17_x86_64.whl\", hash = \"sha256:%s\" }]\n", sum)
	s := Selection{Project: []byte("[project]\nname = \"demo\"\n"), Python: "3.12", Platforms: []string{"linux-x86_64", "macos-arm64"}}
	_, err := Decode([]byte(text), "uv.lock", s)
	if list := diag.Problems(err); len(list) != 1 || list[0].Code != "lock.source" || !strings.Contains(list[0].Hint, "`build: [fast, langdetect, pathtools]`") || strings.Count(list[0].Found, "\n") != 2 {
		t.Errorf("got %v", err)
	}
	s.Build = func(string) bool { return true }
	l, err := Decode([]byte(text), "uv.lock", s)
	if err != nil {
		t.Fatal(err)
	}
	linux, err := l.For("linux-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	macos, err := l.For("macos-arm64")
	if err != nil {
		t.Fatal(err)
	}
	if len(linux) != 3 || linux[0].Build != nil || linux[1].Build == nil || linux[1].Build.File != "langdetect-1.0.tar.gz" || linux[1].Build.Size != 7 {
		t.Errorf("linux: %+v", linux)
	}
	if len(macos) != 3 || macos[0].Build == nil || len(macos[0].Wheels) != 0 {
		t.Errorf("macos: %+v", macos)
	}
}

// TestIndexes checks the names of indexes, and mirrors of the public one.
func TestIndexes(t *testing.T) {
	const torch, mirror = "https://wheels.example/whl/cu128", "https://mirror.example/simple"
	lines := func(a, b string) []byte {
		text := strings.Replace(head, `[{ name = "a" }]`, `[{ name = "a" }, { name = "b" }]`, 1)
		for name, registry := range map[string]string{"a": a, "b": b} {
			text += fmt.Sprintf("[[package]]\nname = %q\nversion = \"1.0+x.1\"\nsource = { registry = %q }\nwheels = [{ url = \"https://files.example/%s-1.0%%2Bx.1-py3-none-any.whl\", hash = \"sha256:%s\" }]\n", name, registry, name, sum)
		}
		return []byte(text)
	}
	for _, c := range []struct {
		a, b, project, want string
		indexes             map[string]string
	}{
		{publicIndex, torch + "/", "", " cu128", map[string]string{torch: "cu128"}},
		{publicIndex, torch, "", "lock.index-unknown", nil},
		{mirror, mirror, "", " ", nil},
		{mirror, mirror, "", "mine mine", map[string]string{mirror: "mine"}},
		{mirror, torch, "[[tool.uv.index]]\nname = \"t\"\nurl = \"" + torch + "\"\nexplicit = true\n", "lock.index-unknown", nil},
		{mirror, torch, "[[tool.uv.index]]\nname = \"t\"\nurl = \"" + torch + "\"\nexplicit = true\n", " cu128", map[string]string{torch: "cu128"}},
		{publicIndex, torch, "[[tool.uv.index]]\nname = \"t\"\nurl = \"" + torch + "\"\n", "`indexes: [public, {name: t, url: \"" + torch + "\"}]`", nil},
		{publicIndex, torch, "", "`{name: wheels-cu128-2, url: \"" + torch + "\"}`", map[string]string{"https://other.example": "wheels-cu128"}},
		{mirror, torch, "[[tool.uv.index]]\nurl = \"" + mirror + "/\"\ndefault = true\n", " cu128", map[string]string{torch: "cu128"}},
	} {
		l, err := Decode(lines(c.a, c.b), "uv.lock", Selection{Project: []byte("[project]\nname = \"demo\"\n" + c.project), Python: "3.12", Platforms: []string{"linux-x86_64"}, Indexes: c.indexes})
		got := codes(err)
		if err == nil {
			got = l.Packages[0].Index + " " + l.Packages[1].Index
			if file := l.Packages[0].Wheels[0].File; file != "a-1.0+x.1-py3-none-any.whl" {
				t.Errorf("file %s", file)
			}
		}
		if err != nil && strings.HasPrefix(c.want, "`") {
			_, got, _ = strings.Cut(diag.Problems(err)[0].Hint, ": ")
		}
		if got != c.want {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

// TestPylockInstallsTheSame compares with `uv pip install -r pylock.toml`, for a lock that uv
// exported.
func TestPylockInstallsTheSame(t *testing.T) {
	p, x := newTools(t), newIndex(t)
	x.wheel(t, "app", "1.0", "py3-none-any", "Requires-Dist: mac; sys_platform == 'darwin'", "Requires-Dist: arm; platform_machine == 'aarch64'", "Requires-Dist: old; python_version < '3.0'")
	x.wheel(t, "mac", "1.0", "py3-none-any")
	x.wheel(t, "arm", "1.0", "py3-none-any")
	x.wheel(t, "old", "1.0", "py3-none-any")
	x.wheel(t, "filed", "1.0", "py3-none-any")
	p.write(t, "files/filed-1.0-py3-none-any.whl", string(x.files["filed-1.0-py3-none-any.whl"]))
	p.write(t, "pyproject.toml", "[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"app\", \"filed\"]\n[tool.uv.sources]\nfiled = { path = \"files/filed-1.0-py3-none-any.whl\" }\n[[tool.uv.index]]\nurl = \""+x.URL+"/simple\"\ndefault = true\n")
	for _, args := range [][]string{{"lock"}, {"export", "-q", "--format", "pylock.toml", "-o", "pylock.toml"}, {"venv", "-q", "venv"}} {
		if out, err := p.run(t, args...); err != nil {
			t.Fatalf("uv %s: %v\n%s", args, err, out)
		}
	}
	for platform, system := range map[string]string{"linux-aarch64": "aarch64-manylinux_2_28", "macos-arm64": "aarch64-apple-darwin"} {
		out, err := p.run(t, "pip", "install", "--dry-run", "--python", filepath.Join(p.dir, "venv"), "--python-platform", system, "-r", "pylock.toml")
		if err != nil {
			t.Fatalf("uv pip install: %v\n%s", err, out)
		}
		l, err := Read(os.DirFS(p.dir), "pylock.toml", Selection{Python: p.python, Platforms: []string{platform}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := names(l), strings.Join(installs(out), " "); got != want {
			t.Errorf("%s: got %s, uv has %s", platform, got, want)
		}
	}
}

// TestPylock reads what uv does not export: extras and groups (PEP 751), and the lock of pip, which
// names no index.
func TestPylock(t *testing.T) {
	const text = `lock-version = "1.0"
created-by = "pdm"
requires-python = ">=3.10"
environments = ["sys_platform == 'linux'"]
extras = ["GPU_all"]
dependency-groups = ["dev"]
default-groups = ["dev"]

[[packages]]
name = "a"
version = "1.0"
dependencies = [{ name = "b" }, { name = "gone" }]
wheels = [{ name = "a-1.0-py3-none-any.whl", url = "https://files.example/1", hashes = { sha256 = "` + sum + `" } }]

[[packages]]
name = "b"
version = "1.0"
marker = "'gpu-all' in extras or 'dev' in dependency_groups"
wheels = [{ url = "` + publicFiles + `packages/b-1.0-py3-none-any.whl", hashes = { sha256 = "` + sum + `" } }]

[[packages]]
name = "c"
version = "1.0"
marker = "'dev' in dependency_groups"
vcs = { type = "git", url = "https://git.example/c", commit-id = "0123456789012345678901234567890123456789", subdirectory = "sub" }

[[packages]]
name = "d"
marker = "'dev' in dependency_groups"
directory = { path = "../d", editable = true }
`
	read := func(extras, groups, platform, python string) (string, error) {
		l, err := Decode([]byte(text), "locks/pylock.toml", Selection{Extras: strings.Fields(extras), Groups: strings.Fields(groups), Python: python, Platforms: []string{platform}})
		if err != nil {
			return codes(err), err
		}
		var list []string
		for _, p := range l.Packages {
			item := p.Name + p.URL
			if p.Build != nil {
				item += " " + p.Build.Git + p.Build.Directory
			}
			list = append(list, item+fmt.Sprint(p.Dependencies))
		}
		return strings.Join(list, ", "), nil
	}
	for _, c := range []struct{ extras, groups, platform, python, want string }{
		{"", "", "linux-x86_64", "3.12", "ahttps://files.example/1[]"},
		{"gpu-all", "", "linux-x86_64", "3.12", "ahttps://files.example/1[b], b[]"},
		{"", "dev", "linux-x86_64", "3.12", "ahttps://files.example/1[b], b[], c https://git.example/c[], d d[]"},
		{"cpu", "docs", "linux-x86_64", "3.12", "lock.selection lock.selection"},
		{"", "", "macos-arm64", "3.12", "lock.platform"},
		{"", "", "linux-x86_64", "3.9", "lock.python"},
	} {
		if got, err := read(c.extras, c.groups, c.platform, c.python); got != c.want {
			t.Errorf("%+v: got %s, %v", c, got, err)
		}
	}
}

func TestPixi(t *testing.T) {
	const conda = publicChannels + "conda-forge/"
	named := map[string]string{ // packages in the forms of versions 4, 6 and 7
		"4": `
- kind: conda
  name: python
  version: 3.12.1
  build: h1_2_cpython
  build_number: 2
  subdir: linux-64
  url: ` + conda + `linux-64/python-3.12.1-h1_2_cpython.conda
  sha256: ` + sum + `
  depends: [zlib]
- kind: conda
  name: cycler
  version: '1.0'
  build: pyhd8_0
  build_number: 0
  subdir: noarch
  noarch: python
  url: ` + conda + `noarch/cycler-1.0-pyhd8_0.conda
  sha256: ` + sum + `
  depends: [python >=3.8]
- kind: pypi
  name: A_b
  version: '1.0'
  url: ` + publicFiles + `a_b-1.0-py3-none-any.whl
  sha256: ` + sum + `
  requires_dist: [mine, gone]
- kind: pypi
  name: mine
  version: 0.1.0
  path: ./libs/mine
  sha256: ` + sum + `
  editable: true
`,
		"6": `
- conda: ` + conda + `linux-64/python-3.12.1-h1_2_cpython.conda
  build_number: 2
  sha256: ` + sum + `
  depends: [zlib]
- conda: ` + conda + `noarch/cycler-1.0-pyhd8_0.conda
  sha256: ` + sum + `
  depends: [python >=3.8]
- pypi: ` + publicFiles + `a_b-1.0-py3-none-any.whl
  name: a-b
  version: '1.0'
  sha256: ` + sum + `
  requires_dist: [mine, gone]
- pypi: ./libs/mine
  name: mine
  version: 0.1.0
  sha256: ` + sum + `
`,
	}
	named["7"] = named["6"]
	const environments = `
environments:
  default:
    channels:
    - url: ` + conda + `
    packages:
      PLATFORM:
      - conda: ` + conda + `linux-64/python-3.12.1-h1_2_cpython.conda
      - conda: ` + conda + `noarch/cycler-1.0-pyhd8_0.conda
      - pypi: ` + publicFiles + `a_b-1.0-py3-none-any.whl
      - pypi: ./libs/mine
packages:`
	for version, packages := range named {
		text := "version: " + version
		platform := "linux-64"
		if version == "7" {
			platform = "cuda"
			text += "\nplatforms:\n- name: cuda\n  subdir: linux-64"
		}
		text += strings.Replace(environments, "PLATFORM", platform, 1) + packages
		s := Selection{Python: "3.12", Platforms: []string{"linux-x86_64"}, Conda: true}
		l, err := Decode([]byte(text), "pixi.lock", s)
		if err != nil {
			t.Errorf("version %s: %v", version, err)
			continue
		}
		var got []string
		for _, c := range l.Conda.Packages {
			got = append(got, fmt.Sprint(c.Platform, " ", c.Name, " ", c.Version, " ", c.Build, " ", c.BuildNumber, " ", c.Channel, " ", c.Subdir, " ", c.Noarch))
		}
		want := "linux-x86_64 python 3.12.1 h1_2_cpython 2 conda-forge linux-64 , linux-x86_64 cycler 1.0 pyhd8_0 0 conda-forge noarch python"
		if strings.Join(got, ", ") != want || names(l) != "a-b==1.0 mine==0.1.0" || l.Packages[1].Build.Directory != "libs/mine" || !slices.Equal(l.Packages[0].Dependencies, []string{"mine"}) || !slices.Equal(l.Requests, []string{"a-b"}) {
			t.Errorf("version %s: %v, %+v, %v", version, got, l.Packages, l.Requests)
		}
		for want, change := range map[string]func(*Selection){
			"lock.conda":     func(s *Selection) { s.Conda = false },
			"lock.python":    func(s *Selection) { s.Python = "3.11" },
			"lock.platform":  func(s *Selection) { s.Platforms = []string{"macos-arm64"} },
			"lock.selection": func(s *Selection) { s.Groups = []string{"gpu"} },
		} {
			changed := s
			change(&changed)
			if _, err := Decode([]byte(text), "pixi.lock", changed); codes(err) != want {
				t.Errorf("version %s: %v, want %s", version, err, want)
			}
		}
	}
	for text, want := range map[string]string{"version: 99": "lock.version", "": "lock.version", "a: [": "lock.syntax", "version: 6\nenvironments: 5": "lock.syntax"} {
		if _, err := Decode([]byte(text), "pixi.lock", Selection{Python: "3.12", Platforms: []string{"linux-x86_64"}}); codes(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestEditable adds the project to a lock that does not have it.
func TestEditable(t *testing.T) {
	project, err := os.ReadFile("testdata/poetry-2.5/pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Read(os.DirFS("testdata"), "poetry-2.5/poetry.lock", Selection{Project: project, ProjectPath: "poetry-2.5/pyproject.toml", Python: "3.11", Platforms: []string{"linux-x86_64"}, Editable: true})
	if err != nil {
		t.Fatal(err)
	}
	if p := l.Packages[1]; names(l) != "app==1.0 demo==0.1.0 leaf==1.0 split==2.0" || source(p).Directory != "poetry-2.5" || !slices.Equal(p.Dependencies, []string{"app", "split"}) {
		t.Errorf("got %+v", l.Packages)
	}
	l, err = Decode([]byte(pkg("virtual = \"x\"", "")), "uv.lock", Selection{Project: []byte("[project]\nname = \"demo\"\n"), Python: "3.12", Platforms: []string{"linux-x86_64"}, Editable: true})
	if err != nil || names(l) != "demo==0.1" || source(l.Packages[0]).Directory != "." {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestReadErrors(t *testing.T) {
	fsys := fstest.MapFS{"other.lock": {Data: []byte("x")}}
	s := Selection{Python: "3.12", Platforms: []string{"linux-x86_64"}}
	for name, want := range map[string]string{"uv.lock": "lock.missing", "other.lock": "lock.unreadable"} {
		if _, err := Read(fsys, name, s); codes(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, python := range []string{"", "3", "2.7", "3.x", "3.12; x"} {
		if _, err := Decode(nil, "uv.lock", Selection{Python: python}); err == nil {
			t.Errorf("Python %q is accepted", python)
		}
	}
	if _, err := Decode(nil, "uv.lock", Selection{Python: "3.12", Platforms: []string{"amiga"}}); codes(err) != "lock.platform" {
		t.Errorf("got %v", err)
	}
}

// FuzzDecode checks that no lock leads outside the project, or to a program.
func FuzzDecode(f *testing.F) {
	public := `registry = "` + publicIndex + `"`
	f.Add("uv.lock", pkg(public, wheelLine), "[project]\nname = \"demo\"\n")
	f.Add("uv.lock", pkg(`git = "https://git.example/a.git?subdirectory=x#`+strings.Repeat("a", 40)+`"`, ""), "")
	f.Add("uv.lock", pkg(`editable = "libs/a"`, ""), "")
	f.Add("pylock.toml", "lock-version = '1.0'\n[[packages]]\nname='a'\nversion='1'\nmarker=\"'x' in extras\"\ndirectory={path='a'}", "")
	f.Add("pixi.lock", "version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n      - pypi: ./a\npackages:\n- pypi: ./a\n  name: a\n", "")
	for _, dir := range []string{"poetry-2.5", "poetry-1.8"} {
		var files [2]string
		for i, name := range []string{"poetry.lock", "pyproject.toml"} {
			data, err := os.ReadFile("testdata/" + dir + "/" + name)
			if err != nil {
				f.Fatal(err)
			}
			files[i] = string(data)
		}
		f.Add("poetry.lock", files[0], files[1])
	}
	f.Fuzz(func(t *testing.T, name, text, project string) {
		l, err := Decode([]byte(text), name, Selection{
			Project: []byte(project), Python: "3.12", Platforms: []string{"linux-x86_64", "macos-arm64"}, Conda: true, Editable: true,
			Build: func(string) bool { return true },
		})
		if err != nil {
			return
		}
		for _, p := range l.Packages {
			for _, location := range []string{p.URL, source(p).URL} {
				if location != "" && !strings.HasPrefix(location, "https://") && !(strings.HasPrefix(location, "./") && filepath.IsLocal(location)) {
					t.Errorf("location %q", location)
				}
			}
			if d := source(p).Directory; d != "" && !filepath.IsLocal(d) {
				t.Errorf("directory %q", d)
			}
			for _, w := range p.Wheels {
				if !filepath.IsLocal(w.File) || strings.ContainsAny(w.File, "/\\\n") || w.SHA256.IsZero() {
					t.Errorf("wheel %+v", w)
				}
			}
		}
	})
}
