package packages

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// uv writes a pyproject.toml whose lock by uv has the same versions: the requests are the
// dependencies, and the locked versions are constraints.
func (x *exporter) uv() {
	for _, line := range x.head() {
		x.line("# %s", line)
	}
	x.line("# In a folder of its own: uv sync --python %s", x.Python)
	dependencies, sources := x.uvDependencies()
	x.line("[project]\nname = %s\nversion = \"0\"\nrequires-python = %s", quote(pep.Normalize(x.project.Manifest.Project+"-"+x.Name)), quote("=="+x.Python+".*"))
	x.list("dependencies", dependencies)
	x.line("\n[tool.uv]\npackage = false")
	var environments, constraints, overrides, isolated []string
	for _, platform := range slices.Sorted(slices.Values(x.locked.Platforms)) {
		environments = append(environments, lock.Marker([]string{platform}))
	}
	for _, p := range x.locked.Packages {
		if direct(p) == "" && localPath(p) == "" {
			constraints = append(constraints, lock.Requirement{Name: p.Name, Specifier: "==" + p.Version, Marker: x.marker(p)}.Request())
		}
		if p.Build != nil && len(p.Build.With) > 0 {
			isolated = append(isolated, p.Name)
		}
	}
	for _, r := range x.Sources().Overrides {
		if r.URL == "" {
			overrides = append(overrides, r.Request())
		}
	}
	x.list("environments", environments)
	x.list("constraint-dependencies", constraints)
	if len(overrides) > 0 {
		x.list("override-dependencies", overrides)
	}
	if len(isolated) > 0 {
		x.list("no-build-isolation-package", isolated)
	}
	if links := x.links(); len(links) > 0 {
		x.list("find-links", links)
	}
	for _, index := range x.indexes() {
		x.line("\n[[tool.uv.index]]\nname = %s\nurl = %s", quote(index.name), quote(index.url))
		if !index.searched {
			x.line("explicit = true")
		}
	}
	if len(sources) == 0 {
		return
	}
	x.line("\n[tool.uv.sources]")
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if list := sources[name]; len(list) == 1 {
			x.line("%s = {%s}", quote(name), list[0])
		} else {
			x.line("%s = [{%s}]", quote(name), strings.Join(list, "}, {"))
		}
	}
}

// list writes a list of strings.
func (x *exporter) list(key string, values []string) {
	x.line("%s = [", key)
	for _, v := range values {
		x.line("    %s,", quote(v))
	}
	x.line("]")
}

// uvDependencies returns the dependencies of the project, and where those come from that are not
// in the default index. uv has sources of the dependencies of a project only, so locked packages
// with one are dependencies too.
func (x *exporter) uvDependencies() (dependencies []string, sources map[string][]string) {
	sources = map[string][]string{}
	var listed []string
	for _, r := range x.requests {
		if r.Type != python || x.o.Platform != "" && !x.holds(r, x.o.Platform) {
			continue
		}
		q := r.python
		q.URL = ""
		listed = append(listed, r.Name)
		dependencies = append(dependencies, q.Request())
	}
	for _, p := range x.locked.Packages {
		source := x.uvSource(p)
		if source == "" {
			continue
		}
		if marker := x.marker(p); marker != "" {
			source += ", marker = " + quote(marker)
		}
		sources[p.Name] = append(sources[p.Name], source)
		if !slices.Contains(listed, p.Name) {
			dependencies = append(dependencies, lock.Requirement{Name: p.Name, Marker: x.marker(p)}.Request())
		}
	}
	slices.Sort(dependencies)
	return slices.Compact(dependencies), sources
}

// uvSource returns where uv gets a package from, "" for the default index.
func (x *exporter) uvSource(p lock.Package) string {
	if local := localPath(p); local != "" {
		text := "path = " + quote(x.dotted(local))
		if p.Build != nil && p.Build.Directory != "" {
			text += ", editable = true"
		}
		return text
	}
	switch b := p.Build; {
	case b != nil && b.Git != "":
		text := fmt.Sprintf("git = %s, rev = %s", quote(b.Git), quote(b.Commit))
		if b.Subdirectory != "" {
			text += ", subdirectory = " + quote(b.Subdirectory)
		}
		return text
	case direct(p) != "":
		reference, _, _ := strings.Cut(direct(p), "#")
		text := "url = " + quote(reference)
		if b != nil && b.Subdirectory != "" {
			text += ", subdirectory = " + quote(b.Subdirectory)
		}
		return text
	case p.Index != "":
		for _, index := range x.indexes() {
			if index.name == p.Index && !index.searched {
				return "index = " + quote(p.Index)
			}
		}
	}
	return ""
}
