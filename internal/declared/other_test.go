package declared

import (
	"slices"
	"strings"
	"testing"
)

func TestConda(t *testing.T) {
	check(t, files("environment.yml", `name: x
channels: [pytorch, nvidia, https://conda.anaconda.org/conda-forge, defaults, https://host/t/secret/x]
dependencies:
  - python=3.10
  - python >=3.9,<3.12
  - pytorch=2.1.2=py3.10_cuda12.1_*
  - nvidia::cuda-toolkit
  - numpy=1.26
  - pandas==2.1
  - scipy>=1.10, <2
  - faiss-gpu[version='1.7']
  - pip
  - pip:
      - transformers==4.31.0  # why
      - -r more.txt
      - git+https://code.test/peft.git
variables: {A: b}
`, "more.txt", "six\n"), "environment.yml", `
environment.yml:14:9: transformers==4.31.0
more.txt:1:1: six
environment.yml:16:9: @ git+https://code.test/peft.git
environment.yml:6:5: conda pytorch|2.1.2|true|py3.10_cuda12.1_*|
environment.yml:7:5: conda cuda-toolkit||false||nvidia
environment.yml:8:5: conda numpy|1.26.*|false||
environment.yml:9:5: conda pandas|2.1|true||
environment.yml:10:5: conda scipy|>=1.10,<2|false||
environment.yml:12:5: conda pip||false||
channels [pytorch nvidia conda-forge]
environment.yml:4:5: python ==3.10.*
environment.yml:5:5: python >=3.9,<3.12
environment.yml:2:69: not read: defaults: the channel defaults has license terms of Anaconda: conda-forge has most of its packages
environment.yml:2:79: not read: https://host/t/secret/x: a channel with an address or a label is not copied
environment.yml:11:5: not read: faiss-gpu[version='1.7']: a conda package with brackets is not read
environment.yml:17:12: not read: variables: an environment has no variables
`)
	for text, want := range map[string]string{
		"a: 1": "has no list of dependencies", "[": "is not one YAML mapping", "dependencies: ['=1']": "is not a conda package",
		"dependencies: [{npm: [a]}]": "environment.yml:1:16: a dependency must be", "dependencies:\n- pip:\n  - [a]": "must be one line",
	} {
		if _, err := Read(files("environment.yml", text), "environment.yml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSetupCfg(t *testing.T) {
	fsys := files("setup.cfg", `[metadata]
name = tool
version = attr: tool.__version__

[options]
python_requires = >=3.8
install_requires =
    numpy>=1.20
    # a comment
    importlib-metadata; python_version < "3.8"
[options.extras_require]
dev = pytest; ruff
docs = file: docs/requirements.txt
`, "docs/requirements.txt", "sphinx\n", "setup.py", "from setuptools import setup\nsetup()\n")
	const main = "setup.cfg:8:5: numpy>=1.20\nsetup.cfg:10:5: importlib-metadata ; python_version < \"3.8\"\n"
	const python = "setup.cfg:6:19: python >=3.8"
	check(t, fsys, "setup.cfg", main+python)
	set := check(t, fsys, "setup.py#dev,docs", main+"setup.cfg:12:7: pytest [dev]\nsetup.cfg:12:7: ruff [dev]\ndocs/requirements.txt:1:1: sphinx [docs]\n"+python)
	if set.Project.Name != "tool" || set.Project.Version != "" || !set.Project.Installable {
		t.Errorf("the project is %+v", set.Project)
	}
}

// setups are programs, in the shapes of public projects, with a requirements.txt that has six
// and idna.
var setups = map[string][2]string{
	"literals": {`from setuptools import setup, find_packages
VERSION = "1" ".0"
BASE = ["numpy>=1.20",  # why
        "torch"]
extras = {"dev": ["pytest"] + BASE[:0] if False else []}
more = {}
more["test"] = ["pytest", 'mock']
setup(
    name="lit", version=VERSION, python_requires=">=3.8",
    install_requires=BASE + ["tqdm; python_version < '3.12'"],
    extras_require=more, long_description=open("README.md").read(), packages=find_packages(),
)`, "setup.py:3:9: numpy>=1.20\nsetup.py:4:9: torch\nsetup.py:10:30: tqdm ; python_version < '3.12'\nsetup.py:7:17: pytest [test]\nsetup.py:7:27: mock [test]\nsetup.py:9:50: python >=3.8"},
	"function": {`import os
from setuptools import setup
def get_requires() -> list[str]:
    """Reads."""
    with open("requirements.txt", encoding="utf-8") as f:
        file_content = f.read()
        lines = [line.strip() for line in file_content.strip().split("\n") if not line.startswith("#")]
        return lines
def main():
    setup(name="f", install_requires=get_requires(), extras_require={"test": ["pytest"]})
if __name__ == "__main__":
    main()`, sixAndIdna + "setup.py:10:79: pytest [test]"},
	"with": {`from setuptools import setup
with open("README.md") as f:
    readme = f.read()
with open("requirements.txt") as f:
    required = f.read().splitlines()
setup(install_requires=required, extras_require={"test": ["pytest"]})`, sixAndIdna + "setup.py:6:59: pytest [test]"},
	"path": {`import pathlib
from setuptools import setup
here = pathlib.Path(__file__).parent
setup(install_requires=[r for r in (here / "requirements.txt").read_text().splitlines() if r and not r.startswith("#")], extras_require=dict(test=1))`,
		sixAndIdna + "setup.py:4:122: not read: extras_require: " + ComputedReason},
	"parameter": {`import os
import setuptools
def read(name="other.txt"):
    lines = []
    for line in open(os.path.join(os.path.dirname(__file__), name)).readlines():
        line = line.strip()
        if line and not line.startswith("-"):
            lines.append(line)
    return lines
setuptools.setup(install_requires=read("requirements.txt"), extras_require={"test": read("absent.txt"), "x": ["y"]})`,
		sixAndIdna + "setup.py:10:85: not read: extras_require[test]: " + ComputedReason},
	"platform": {`import platform
from setuptools import setup
def parse():
    lines = open("requirements.txt").read().splitlines()
    if "Darwin" in platform.system():
        lines.pop()
    return lines
setup(install_requires=parse())`, "setup.py:8:7: not read: install_requires: " + ComputedReason},
	"f-string": {`from setuptools import setup
v = "2"
setup(install_requires=["six", f"torch=={v}"])`, "setup.py:3:7: not read: install_requires: " + ComputedReason},
	"changed": {`from setuptools import setup
deps = ["six"]
if X:
    deps += ["y"]
other = ["z"]
other.append("w")
setup(install_requires=deps, tests_require=other, extras_require={"a": other, "b": ["b"]})`,
		"setup.py:7:7: not read: install_requires: " + ComputedReason},
	"table": {`import re
from setuptools import setup
_deps = [
    "numpy>=1.24.2",
    "protobuf<=3.20.2",  # conflicts
    "pytest", "ruff",
]
deps = {b: a for a, b in (re.findall(r"^(([^!=<>~ \[\]]+)(?:\[[^\]]+\])?(?:[!=<>~ ].*)?$)", x)[0] for x in _deps)}
def deps_list(*pkgs):
    return [deps[pkg] for pkg in pkgs]
extras = {}
extras["test"] = deps_list("pytest")
extras["quality"] = deps_list("ruff")
extras["dev"] = extras["quality"] + extras["test"]
install_requires = [
    deps["numpy"],
    deps["protobuf"],
]
setup(name="t", extras_require=extras, install_requires=install_requires)`,
		"setup.py:4:5: numpy>=1.24.2\nsetup.py:5:5: protobuf<=3.20.2\nsetup.py:6:5: pytest [test]"},
	"pathlib": {`import pathlib, setuptools
from pkg_resources import parse_requirements
with pathlib.Path('requirements.txt').open() as requirements_txt:
    install_requires = [str(requirement) for requirement in parse_requirements(requirements_txt)]
setuptools.setup(install_requires=install_requires, extras_require={"test": []})`, sixAndIdna},
	"table of another list": {`import re
from setuptools import setup
deps = {b: a for a, b in (re.findall("x", x)[0] for x in open("x"))}
setup(install_requires=[deps["a"]])`, "setup.py:4:7: not read: install_requires: " + ComputedReason},
	"conditions": {`import os
from setuptools import setup
extras = {"fixed": ["a"]}
if os.name == "nt":
    extras["test"] = []
else:
    extras["test"] = ["b"]
deps = ["c"]
if os.name == "nt": deps.append("d")
setup(extras_require=extras, install_requires=deps)`,
		"setup.py:5:22: not read: extras_require[test]: " + ComputedReason + "\nsetup.py:10:30: not read: install_requires: " + ComputedReason},
	"joined strings": {`from setuptools import setup
deps = {"six": "six>=1"}
setup(install_requires=[deps["six"] + "; python_version<'3.7'"])`, "setup.py:2:16: six>=1 ; python_version<'3.7'"},
	"two calls":    {"setup()\nsetup(install_requires=['a'])", "setup.py:1:1: not read: setup.py: it has no single call of setup"},
	"keywords":     {"setup(**config)", "setup.py:1:7: not read: **: " + ComputedReason},
	"unterminated": {"setup('''", "setup.py:1:1: not read: setup.py: it is not a Python program"},
}

const sixAndIdna = "requirements.txt:1:1: six\nrequirements.txt:2:1: idna\n"

func TestSetupPy(t *testing.T) {
	for name, c := range setups {
		t.Run(name, func(t *testing.T) {
			fsys := files("setup.py", c[0], "requirements.txt", "six\nidna\n", "README.md", "")
			offer, err := Offered(fsys, "setup.py")
			if err != nil {
				t.Fatal(err)
			}
			reference := "setup.py"
			if slices.Contains(offer.Extras, "test") {
				reference += "#test"
			}
			check(t, fsys, reference, c[1])
		})
	}
}

// TestSetupPyThatReadsItself tests that a requirements file with -e ., which setup.py reads, is
// not read without end.
func TestSetupPyThatReadsItself(t *testing.T) {
	fsys := files("setup.py", "setup(name='me', install_requires=open('requirements.txt').read().splitlines())", "requirements.txt", "-e .\nsix\n")
	check(t, fsys, "setup.py", "requirements.txt:2:1: six")
	check(t, fsys, "requirements.txt", "requirements.txt:1:1: -e me @ ./\nrequirements.txt:2:1: six")
}

func fuzz(f *testing.F, name string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fsys := files(name, text, "x/pyproject.toml", text, "y.txt", text)
		set, err := Read(fsys, name)
		offer, _ := Offered(fsys, name)
		Read(fsys, name+"#"+strings.Join(offer.Names(), ","))
		if set == nil || strings.Contains(content(set), "://u:sEcReT@") || err != nil && strings.Contains(err.Error(), "://u:sEcReT@") {
			t.Errorf("%q is %v, %v", text, set, err)
		}
	})
}

func FuzzRequirementsFile(f *testing.F) {
	fuzz(f, "requirements.txt", "a==1\\\n --hash=sha256:x\n-r y.txt\n-e ./x[a]\ngit+https://u:sEcReT@h/x@r#egg=x&subdirectory=y", "-i https://u:sEcReT@h/?a=b\n\xff\xfe", "a @ https://u:sEcReT@h/x ; os_name == 'nt'")
}

func FuzzPyproject(f *testing.F) {
	fuzz(f, "pyproject.toml", gpuProject, "[tool.poetry.dependencies]\na = {git='https://u:sEcReT@h/a', python='^3'}\nb=[{path='x'}, '~1']", "a.b=[{c=[1,{d='e'}]}]\n[[t]]\n[t.u]\n[[t]]")
}

func FuzzCondaFile(f *testing.F) {
	fuzz(f, "environment.yml", "channels: [a]\ndependencies: [python=3.1, 'a::b=1=c', {pip: [x, -r y.txt]}]\n", "dependencies: &a [*a]")
}

func FuzzSetupPy(f *testing.F) {
	for _, s := range setups {
		f.Add(s[0])
	}
	fuzz(f, "setup.py", "a = a\nsetup(install_requires=a)", "x=y\ny=x\nsetup(extras_require=x)")
}

func FuzzSetupCfg(f *testing.F) {
	fuzz(f, "setup.cfg", "[options]\ninstall_requires = a; b\n [x]\n  c\n[options.extras_require]\nd: file: y.txt")
}
