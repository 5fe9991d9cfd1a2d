package declared

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const gpuProject = `[project]
name = "Chat"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = [
    "torch==2.9.1", # the engine
    'jsonargparse[signatures]>=4.31; python_version<"3.10"',
]
optional-dependencies.cpu = ["torch==2.9.1"]
optional-dependencies.gpu = ["torch==2.9.1", "triton"]
optional-dependencies.all = ["chat[gpu]", "rich"]
optional-dependencies.loop = ["chat[loop,all]"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[dependency-groups]
dev = [{include-group = "test"}, "ruff"]
test = ["pytest>=8"]
one = [{include-group = "two"}]
two = [{include-group = "one"}]

[tool.uv]
conflicts = [[{extra = "cpu"}, {extra = "gpu"}]]
constraint-dependencies = ["idna<4"]
override-dependencies = ["numpy==2"]

[tool.uv.sources]
torch = [
    {index = "pytorch-cpu", extra = "cpu"},
    {index = "pytorch-cu128", extra = "gpu"},
]

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://whl.test/cpu"
explicit = true

[[tool.uv.index]]
name = "main"
url = "https://user:secret@index.test/simple"
default = true
`

func TestProjectOfUV(t *testing.T) {
	fsys := files("pyproject.toml", gpuProject)
	const rest = `
constraint pyproject.toml:26:28: idna<4
override pyproject.toml:27:26: numpy==2
pyproject.toml:35:11 index explicit "pytorch-cpu" https://whl.test/cpu
pyproject.toml:40:11 index default "main" https://index.test/simple
pyproject.toml:4:19: python >=3.10
pyproject.toml:40:11: not read: https://***@index.test/simple: ` + credentialsReason
	const main = `
pyproject.toml:6:5: torch==2.9.1
pyproject.toml:7:5: jsonargparse[signatures]>=4.31 ; python_version<"3.10"`
	set := check(t, fsys, "pyproject.toml", main+rest)
	p := set.Project
	if p.Name != "Chat" || p.Version != "0.1.0" || p.Backend != "hatchling.build" || !p.Installable || len(p.BuildRequires) != 1 || p.Pos.String() != "pyproject.toml:2:8" {
		t.Errorf("the project is %+v", p)
	}
	const gpu = `
pyproject.toml:10:30: torch==2.9.1 from pytorch-cu128 [gpu]
pyproject.toml:10:46: triton [gpu]`
	check(t, fsys, "pyproject.toml#gpu", main+gpu+rest)
	check(t, fsys, "pyproject.toml#loop", main+gpu+"\npyproject.toml:11:43: rich [all]"+rest)
	check(t, fsys, "pyproject.toml#Dev", main+"\npyproject.toml:20:9: pytest>=8 [test]\npyproject.toml:19:34: ruff [dev]"+rest)
	_, err := Read(fsys, "pyproject.toml#one,cpus")
	for _, want := range []string{
		"pyproject.toml:22:25: group one includes itself\n  found: it includes two at pyproject.toml:21:25",
		"pyproject.toml: pyproject.toml has no extra or group \"cpus\"\n  found: it has all, cpu, dev, gpu, loop, one, test, two\n  hint: did you mean cpu?",
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v\nmisses %s", err, want)
		}
	}
	offer, err := Offered(fsys, "pyproject.toml")
	if err != nil || !slices.Equal(offer.Extras, []string{"all", "cpu", "gpu", "loop"}) || !slices.Equal(offer.Groups, []string{"dev", "one", "test", "two"}) ||
		!slices.Equal(offer.Default, []string{"dev"}) || fmt.Sprint(offer.Conflicts) != "[[cpu gpu]]" {
		t.Errorf("it offers %+v, %v", offer, err)
	}
}

func TestSourcesOfUV(t *testing.T) {
	fsys := files("pyproject.toml", `[project]
name = "x"
dependencies = ["torch", "a", "b>=1; python_version < '3.12'", "c", "d", "e", "f", "g"]
[tool.uv]
package = false
dev-dependencies = ["pytest"]
[tool.uv.workspace]
members = ["packages/*"]
[tool.uv.sources]
torch = {index = "cu128", marker = "sys_platform == 'linux' or sys_platform == 'win32'"}
a = {git = "https://user:secret@code.test/a", tag = "v1", subdirectory = "py"}
b = {path = "libs/b", editable = true}
c = {workspace = true}
d = {url = "https://files.test/d.zip"}
e = {git = "ssh://git@code.test/e", rev = "abc"}
f = {path = "../f"}
g = {workspace = true}
`, "libs/b/pyproject.toml", "", "packages/one/pyproject.toml", "[project]\nname = 'C'\n")
	set := check(t, fsys, "pyproject.toml#dev", `
pyproject.toml:3:17: torch ; sys_platform == 'linux' or sys_platform == 'win32' from cu128
pyproject.toml:3:17: torch ; sys_platform != 'linux' and sys_platform != 'win32'
pyproject.toml:3:26: a @ git+https://code.test/a@v1#subdirectory=py
pyproject.toml:3:31: -e b>=1 @ ./libs/b ; python_version < '3.12'
pyproject.toml:3:64: -e c @ ./packages/one
pyproject.toml:3:69: d @ https://files.test/d.zip
pyproject.toml:3:74: e @ git+ssh://git@code.test/e@abc
pyproject.toml:3:79: f
pyproject.toml:3:84: g
pyproject.toml:6:21: pytest [dev]
pyproject.toml:3:26: not read: git+https://***@code.test/a@v1#subdirectory=py: `+credentialsReason+`
pyproject.toml:16:6: not read: tool.uv.sources.f: the path is outside of the project
pyproject.toml:17:6: not read: tool.uv.sources.g: no member of the workspace in this project has this name
`)
	if set.Project.Installable {
		t.Error("a project with package = false can be installed")
	}
}

func TestPoetry(t *testing.T) {
	fsys := files("pyproject.toml", `[tool.poetry]
name = "old"
version = "1.2"
[tool.poetry.dependencies]
python = "^3.9"
a = "^1.2.3"
b = "^0.2"
c = "~1.2"
d = "*"
e = "1.2.3"
f = ">=1, <2 !=1.5"
g = {version = "^0.0.3", extras = ["x", "y"], markers = "os_name == 'posix'", python = "<3.12", platform = "linux"}
h = {git = "https://code.test/h.git", branch = "main"}
i = {path = "libs/i", develop = true}
j = {version = "2.*", optional = true, source = "extra"}
k = "^1 || ^2"
l = [{version = "1.0", python = "<3.10"}, {version = "2.0", python = ">=3.10"}]
m = "^2.0rc1"
[tool.poetry.extras]
more = ["j"]
[tool.poetry.group.docs.dependencies]
sphinx = "*"
[tool.poetry.group.lint]
optional = true
[tool.poetry.group.lint.dependencies]
ruff = "*"
[tool.poetry.dev-dependencies]
pytest = "~7"
[[tool.poetry.source]]
name = "extra"
url = "https://index.test/simple/"
priority = "explicit"
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
`, "libs/i/x", "")
	const main = `
pyproject.toml:6:5: a>=1.2.3,<2
pyproject.toml:7:5: b>=0.2,<0.3
pyproject.toml:8:5: c>=1.2,<1.3
pyproject.toml:9:5: d
pyproject.toml:10:5: e==1.2.3
pyproject.toml:11:5: f>=1,<2,!=1.5
pyproject.toml:12:6: g[x,y]>=0.0.3,<0.0.4 ; os_name == 'posix' and sys_platform == 'linux' and python_version < '3.12'
pyproject.toml:13:6: h @ git+https://code.test/h.git@main
pyproject.toml:14:6: -e i @ ./libs/i
pyproject.toml:17:7: l==1.0 ; python_version < '3.10'
pyproject.toml:17:44: l==2.0 ; python_version >= '3.10'
pyproject.toml:18:5: m>=2.0rc1,<3`
	const rest = `
pyproject.toml:29:15 index explicit "extra" https://index.test/simple/
pyproject.toml:5:10: python >=3.9,<4
pyproject.toml:16:5: not read: k = ^1 || ^2: ` + alternativesReason
	set := check(t, fsys, "pyproject.toml", main+rest)
	if set.Project.Name != "old" || !set.Project.Installable {
		t.Errorf("the project is %+v", set.Project)
	}
	check(t, fsys, "pyproject.toml#more,dev", main+"\npyproject.toml:15:6: j==2.* from extra [more]\npyproject.toml:28:10: pytest>=7,<8 [dev]"+rest)
	offer, _ := Offered(fsys, "pyproject.toml")
	if !slices.Equal(offer.Names(), []string{"dev", "docs", "lint", "more"}) || !slices.Equal(offer.Default, []string{"docs", "dev"}) {
		t.Errorf("it offers %+v", offer)
	}
}

func TestPoetryWithProjectTable(t *testing.T) {
	check(t, files("pyproject.toml", `[project]
name = "new"
dependencies = ["torch>=2", "six"]
[tool.poetry.dependencies]
torch = {source = "cu"}
`), "pyproject.toml", "pyproject.toml:3:17: torch>=2 from cu\npyproject.toml:3:29: six")
}

func TestPDMAndDynamic(t *testing.T) {
	check(t, files("pyproject.toml", `[project]
name = "p"
dynamic = ["version", "dependencies", "optional-dependencies"]
[tool.setuptools.dynamic]
dependencies = {file = ["requirements.txt"]}
optional-dependencies.test = {file = ["test.txt"]}
[tool.pdm.dev-dependencies]
dev = ["ruff", "-e file:///${PROJECT_ROOT}/sub"]
[[tool.pdm.source]]
name = "mine"
url = "https://index.test/simple"
`, "requirements.txt", "six\n--extra-index-url https://e.test/\n", "test.txt", "pytest\n", "sub/pyproject.toml", "[project]\nname='sub'"), "pyproject.toml#dev,test", `
requirements.txt:1:1: six
pyproject.toml:8:8: ruff [dev]
pyproject.toml:8:16: -e sub @ ./sub [dev]
test.txt:1:1: pytest [test]
requirements.txt:2:1 index extra "" https://e.test/
pyproject.toml:9:12 index extra "mine" https://index.test/simple
`)
	check(t, files("pyproject.toml", "[project]\nname = 'p'\ndynamic = ['dependencies']\n"), "pyproject.toml", `
pyproject.toml:3:12: not read: dependencies: `+ComputedReason)
	check(t, files("pyproject.toml", "[project]\nname = 'p'\ndynamic = ['dependencies']\n", "setup.py", "from setuptools import setup\nsetup(install_requires=['six'])"),
		"pyproject.toml", "setup.py:2:25: six")
	check(t, files("pyproject.toml", "[build-system]\nrequires = ['setuptools']\n", "setup.cfg", "[options]\ninstall_requires = six\n"), "pyproject.toml", "setup.cfg:2:20: six")
}

func TestErrorsOfPyproject(t *testing.T) {
	for text, want := range map[string]string{
		"[project\n":                                               "pyproject.toml:1:9: malformed TOML",
		"a = 1\na = 2\n":                                           "malformed TOML",
		"x = " + strings.Repeat("[", 2000):                         "values are nested too deeply",
		"[project]\ndependencies = ['a b', 1]\n":                   "pyproject.toml:2:17: \"a b\" is not a requirement\npyproject.toml:2:24: a requirement must be a string",
		"[project]\nrequires-python = '3.10'\n":                    "pyproject.toml:2:19: \"3.10\" is not a version specifier",
		"[project]\nname='x'\ndependencies=['x[dev]']\n":           "pyproject.toml:3:15: x has no extra \"dev\"",
		"[project]\ndependencies=['a ; b']\n":                      "pyproject.toml:2:15: \"b\" is not a marker",
		"[project]\ndependencies=['a==1', 'A==2']\n":               "A==2 contradicts a==1\n  found: the other one at pyproject.toml:2:15",
		"[project]\ndependencies=['a @ https://u:secret@h/x y']\n": "is not a requirement",
		"[project]\ndependencies=['a==1', 'a==2']\n[tool.uv]\noverride-dependencies=['a==2']": "",
	} {
		_, err := Read(files("pyproject.toml", text), "pyproject.toml")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q:\n%v\nwant %q", text, err, want)
		}
	}
}

// TestOnlySelectedGroupsAreReported tests that problems of other extras and groups are no
// problems of the reference.
func TestOnlySelectedGroupsAreReported(t *testing.T) {
	fsys := files("pyproject.toml", `[project]
name = "x"
dependencies = ["six"]
[project.optional-dependencies]
bad = ["a b"]
private = ["p @ https://${TOKEN}@code.test/p.zip"]
[dependency-groups]
odd = [{x = "y"}]
`)
	check(t, fsys, "pyproject.toml", "pyproject.toml:3:17: six")
	check(t, fsys, "pyproject.toml#bad,private,odd", `
pyproject.toml:3:17: six
pyproject.toml:6:12: not read: p @ https://***@code.test/p.zip: `+variableReason+`
error: pyproject.toml:5:8: "a b" is not a requirement
pyproject.toml:8:9: an item of a group must be a string or {include-group = NAME}
`)
}
