package probes

import (
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// condaTool finds conda or mamba, which are scripts of the Python of their own
// installation, and in newer versions of mamba a program. What is on PATH goes first,
// then what an activated shell names, then the usual places. The version is read from
// conda-meta of the installation.
func (p *Prober) condaTool(name string) facts.Tool {
	var candidates []string
	for _, dir := range p.pathDirs() {
		candidates = append(candidates, filepath.Join(dir, name))
	}
	for _, variable := range []string{"CONDA_EXE", "MAMBA_EXE"} {
		if exe := p.environ[variable]; filepath.IsAbs(exe) && filepath.Base(exe) == name {
			candidates = append(candidates, exe)
		}
	}
	for _, root := range p.condaRoots() {
		candidates = append(candidates, filepath.Join(root, "bin", name), filepath.Join(root, "condabin", name))
	}
	refused := facts.Tool{Name: name}
	for _, exe := range candidates {
		t, ok := p.condaProgram(name, exe)
		switch {
		case ok && t.Refused == "":
			return t
		case ok && refused.Refused == "":
			refused = t
		}
	}
	return refused
}

// condaProgram looks at one place. A program without an installation around it, such
// as a shim of a version manager, is none.
func (p *Prober) condaProgram(name, exe string) (facts.Tool, bool) {
	t := facts.Tool{Name: name, Path: exe, Source: "path"}
	real, ok := p.programAt(exe)
	if !ok {
		return t, false
	}
	root := filepath.Dir(filepath.Dir(real))
	if t.Version = installedVersion(root, name); t.Version == "" {
		return t, false
	}
	if othersWrite(real) {
		t.Refused = "any user of this machine can change " + exe
	}
	return t, true
}

// installedVersion returns the version of a package of an installation of conda, from the
// name of its record: conda-24.9.2-py312h7900ff3_0.json.
func installedVersion(root, name string) string {
	for _, record := range glob(root, "conda-meta/"+name+"-[0-9]*.json") {
		rest := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(record), ".json"), name+"-")
		version, build, ok := strings.Cut(rest, "-")
		if ok && build != "" && !strings.Contains(build, "-") {
			return version
		}
	}
	return ""
}
