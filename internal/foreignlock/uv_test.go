package foreignlock

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// TestUVInstallsTheSame compares with `uv sync` for extras, groups, conflicts, markers, several
// versions of a package, a workspace, and sources of each kind.
func TestUVInstallsTheSame(t *testing.T) {
	p, x := newTools(t), newIndex(t)
	for _, v := range []string{"1.0", "2.0", "3.0"} {
		x.wheel(t, "num", v, "py3-none-any", "Requires-Dist: leaf; sys_platform == 'darwin'")
	}
	x.wheel(t, "torchy", "2.0+cu128", "cp311-cp311-manylinux_2_28_x86_64")
	x.wheel(t, "leaf", "1.0", "py3-none-any")
	x.wheel(t, "app", "1.0", "py3-none-any", "Provides-Extra: web", "Provides-Extra: all", "Requires-Dist: http; extra == 'web'", "Requires-Dist: app[web]; extra == 'all'", "Requires-Dist: back; python_full_version <= '3.11.0a6'", "Requires-Dist: num")
	x.wheel(t, "http", "1.0", "py3-none-any", "Requires-Dist: arm; platform_machine != 'x86_64'")
	x.wheel(t, "arm", "1.0", "py3-none-any")
	x.wheel(t, "back", "1.0", "py3-none-any")
	x.sdist(t, "old", "0.5")
	direct := newIndex(t)
	direct.wheel(t, "filed", "1.0", "py3-none-any", "Requires-Dist: leaf")
	direct.sdist(t, "packed", "2.0")
	for name, data := range direct.files {
		p.write(t, "files/"+name, string(data))
	}
	p.write(t, "libs/member/pyproject.toml", "[project]\nname = \"member\"\nversion = \"0.1\"\nrequires-python = \">=3.9\"\ndependencies = [\"leaf\"]\n[project.optional-dependencies]\nextra = [\"http\"]\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n")
	p.write(t, "pyproject.toml", `
[project]
name = "Demo_Project"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["app", "member[extra]", "filed", "packed", "old; sys_platform == 'linux' and platform_machine=='aarch64'", "leaf >= 0.5, < 2 ; python_version >= '3'"]
[project.optional-dependencies]
cpu = ["num==1.0"]
gpu = ["num==2.0"]
all = ["demo-project[web]", "app[all]"]
web = ["http"]
[dependency-groups]
dev = ["back", {include-group = "lint"}]
lint = ["arm"]
New_one = ["num==3.0"]
[tool.uv]
conflicts = [[{extra = "cpu"}, {extra = "gpu"}], [{group = "New_one"}, {extra = "gpu"}, {extra = "cpu"}]]
[tool.uv.sources]
member = { workspace = true }
filed = { path = "files/filed-1.0-py3-none-any.whl" }
packed = { path = "files/packed-2.0.tar.gz" }
[tool.uv.workspace]
members = ["libs/*"]
[[tool.uv.index]]
url = "`+x.URL+`/simple"
default = true
`)
	p.lock(t)
	for _, platform := range []string{"linux-aarch64", "macos-arm64"} {
		for _, s := range [][2][]string{
			{}, {{"cpu"}}, {{"gpu"}, {"dev"}}, {{"all"}, {"lint"}}, {{"web", "cpu"}, {"dev"}}, {nil, {"new-one"}}, {{"cpu", "gpu"}}, {{"gpu"}, {"new-one"}}, {{"nope"}}, {nil, {"nope"}},
		} {
			p.agree(t, platform, s[0], s[1])
		}
	}
}

// TestUVInstallsTheSameOfRandomProjects compares with `uv sync` for random dependency graphs.
func TestUVInstallsTheSameOfRandomProjects(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	for seed := range int64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p, x, rnd := newTools(t), newIndex(t), rand.New(rand.NewSource(seed))
			markers := []string{"", "", "", "; sys_platform == 'linux'", "; platform_machine == 'x86_64'", "; python_version < '3.10'", "; sys_platform == 'darwin' and python_version >= '3.9'", "; platform_system != 'Linux' or platform_machine == 'aarch64'"}
			extras := []string{"", "", "[x]", "[y]", "[x,y]"}
			const n = 12
			dependency := func(from int) string {
				return fmt.Sprintf("p%d%s%s", from+1+rnd.Intn(n-from), extras[rnd.Intn(len(extras))], markers[rnd.Intn(len(markers))])
			}
			for i := range n + 1 {
				for _, version := range []string{"1.0", "2.0"} {
					fields := []string{"Provides-Extra: x", "Provides-Extra: y"}
					for range rnd.Intn(3) {
						if i == n {
							break
						}
						d := dependency(i)
						if only := []string{"", "x", "y"}[rnd.Intn(3)]; only != "" {
							name, marker, _ := strings.Cut(d, ";")
							d = name + "; extra == '" + only + "'"
							if marker != "" {
								d = name + "; (" + marker + ") and extra == '" + only + "'"
							}
						}
						fields = append(fields, "Requires-Dist: "+d)
					}
					x.wheel(t, fmt.Sprintf("p%d", i), version, "py3-none-any", fields...)
				}
			}
			list := func() string {
				var items []string
				for range 1 + rnd.Intn(4) {
					items = append(items, fmt.Sprintf("%q", dependency(rnd.Intn(n/2))))
				}
				return "[" + strings.Join(items, ", ") + "]"
			}
			shared := rnd.Intn(n)
			p.write(t, "pyproject.toml", fmt.Sprintf("[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = %s\n[project.optional-dependencies]\na = [\"p%d==1.0\"]\nb = [\"p%d==2.0\"]\nc = %s\n[dependency-groups]\ng = %s\n[tool.uv]\nconflicts = [[{extra = \"a\"}, {extra = \"b\"}]]\n[[tool.uv.index]]\nurl = \"%s/simple\"\ndefault = true\n", list(), shared, shared, list(), list(), x.URL))
			p.lock(t)
			for _, s := range [][2][]string{{}, {{"a"}}, {{"b", "c"}, {"g"}}, {{"c"}}, {{"a", "c"}, {"g"}}} {
				p.agree(t, []string{"linux-x86_64", "linux-aarch64", "macos-arm64"}[rnd.Intn(3)], s[0], s[1])
			}
		})
	}
}

// TestUVIsStale compares with `uv lock --check` after edits of pyproject.toml.
func TestUVIsStale(t *testing.T) {
	p, x := newTools(t), newIndex(t)
	for _, name := range []string{"one", "two", "three"} {
		x.wheel(t, name, "1.0", "py3-none-any", "Provides-Extra: x")
	}
	project := `[project]
name = "demo"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["one >=0.5, <2", "two[x]==1.*; python_version < '3.13' and (sys_platform == 'linux' or platform_system == \"Darwin\")"]
[project.optional-dependencies]
gpu = ["three~=1.0"]
all = ["demo[gpu]", "one; sys_platform == 'linux'"]
[dependency-groups]
dev = ["three", {include-group = "lint"}]
lint = ["two"]
[tool.uv.sources]
three = { index = "local" }
[[tool.uv.index]]
url = "` + x.URL + `/simple"
default = true
[[tool.uv.index]]
name = "local"
url = "` + x.URL + `/simple/"
explicit = true
`
	p.write(t, "pyproject.toml", project)
	p.lock(t)
	for _, edit := range [][2]string{
		{"", ""}, {"one >=0.5, <2", "One<2.0 , >=0.5"}, {"# none", "# a comment"}, {"\"two\"]", "\"two\", ]"},
		{"python_version < '3.13' and (sys_platform == 'linux' or platform_system == \\\"Darwin\\\")", "(platform_system == 'Darwin' or sys_platform=='linux') and python_full_version<'3.13'"},
		{"<2\"", "<1.5\""}, {"two[x]", "two"}, {"3.13", "3.12"}, {"lint = [\"two\"]", "lint = []"}, {"three~=1.0", "three"}, {"\"one >=0.5, <2\", ", ""},
		{"{include-group = \"lint\"}", "\"two\""}, {">=3.9", ">=3.10"}, {"one; sys_platform == 'linux'", "one; sys_platform == 'darwin'"}, {"gpu = [", "gpus = ["}, {"name = \"demo\"", "name = \"other\""},
		{"three = { index = \"local\" }", ""}, {"lint = [\"two\"]", "lint = [\"two\"]\nmore = [\"one\"]"},
	} {
		edited := strings.ReplaceAll(project, edit[0], edit[1])
		if edit[0] == "" {
			edited = project
		}
		p.write(t, "pyproject.toml", edited)
		out, checked := p.run(t, "lock", "--check")
		_, err := p.read(t, Selection{Platforms: []string{"linux-x86_64"}, Indexes: map[string]string{x.URL + "/simple": "local"}})
		isStale := slices.ContainsFunc(diag.Problems(err), func(p *diag.Problem) bool { return p.Code == "lock.foreign-stale" })
		if isStale != (checked != nil) || err != nil && !isStale {
			t.Errorf("%q -> %q: %v\nuv: %v\n%s", edit[0], edit[1], err, checked, out)
		}
	}
}
