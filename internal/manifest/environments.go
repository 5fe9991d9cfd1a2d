package manifest

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// An Environment is a Python environment of type venv or conda.
type Environment struct {
	Name      string
	Pos       diag.Pos
	Match     *Match // nil: chosen only by --env or a host
	Type      string // "venv", "conda"
	Python    string // minor version: "3.10"
	Packages  []lock.Requirement
	SmokeTest generation.SmokeTest
	Places    []Place
	Protect   bool
	Path      string   // of the link to the active generation
	Lock      string   // path
	Platforms []string // of the lock
	// CompileAll compiles all packages before the environment becomes active.
	CompileAll bool
	Note       string // shown to users of the environment, "" for none
	// RequirementsFile and EnvironmentFile are written from the pins; "" for none.
	RequirementsFile string
	EnvironmentFile  string // type conda only
	Conda            *Conda // nil for type venv
	CUDA             *CUDA
	GPU              *GPU

	pathPos, lockPos, requirementsPos, environmentPos diag.Pos
	installerPos                                      diag.Pos // of a key without effect
}

var (
	environmentShape = shape{what: "an environment", keys: []string{
		"type", "python", "packages", "match", "smoke_test", "directories", "protect", "cuda", "gpu",
		"path", "lock", "platforms", "installer", "compile", "note",
		"requirements_file",
		"name", "environment_file", "channels", "register", "engine", "conda_packages",
	}, required: 3, alias: alias{"prove", "smoke_test"}}
	packageShape = shape{what: "a package", keys: []string{"name", "version", "why", "extras", "platforms"}, required: 2}
)

// venvOnly and condaOnly are the keys of environmentShape that only one type has.
func venvOnly() []string  { return environmentShape.keys[15:16] }
func condaOnly() []string { return environmentShape.keys[16:] }

func (l *loader) environments(v value) {
	for key, val := range v.entries() {
		key.slug("an environment")
		f, ok := val.object(&environmentShape)
		if !ok {
			continue
		}
		e := &Environment{Name: key.node.Value, Pos: key.pos()}
		e.Type = f.get("type").choice("venv", "conda")
		e.Python = f.get("python").pythonMinor()
		e.Packages = readPackages(f.get("packages"), l.lockedVersions(f.get("lock")))
		e.Match = readMatch(f.get("match"))
		e.SmokeTest = readSmokeTest(f.get("smoke_test"))
		e.Places = readPlaces(f.get("directories"))
		e.Protect = f.get("protect").boolean()
		e.CUDA = readCUDA(f.get("cuda"))
		e.GPU = readGPU(f.get("gpu"))
		if e.Type != "" {
			e.readInstallation(f)
		}
		if e.Type == "conda" {
			e.readConda(f)
		}
		l.m.Environments = append(l.m.Environments, e)
	}
}

// readInstallation reads the paths of an environment, and its lock.
func (e *Environment) readInstallation(f fields) {
	others, other := condaOnly(), "conda"
	path, platforms := ".venv", "[macos-arm64, linux-x86_64]"
	if e.Type == "conda" {
		others, other = venvOnly(), "venv"
		path, platforms = layout.DefaultConda(e.Name), "[linux-x86_64]"
	}
	for _, key := range others {
		if v := f.get(key); v.given() && v.node.Kind != 0 {
			v.problem("unknown-key", fmt.Sprintf("only environments of type %s have the key %q", other, key), "", "remove it, or change the type")
		}
	}
	for _, example := range []string{"path: " + path, "lock: locks/pylock." + e.Name + ".toml", "platforms: " + platforms} {
		key, _, _ := strings.Cut(example, ":")
		if !f.get(key).given() && (key != "path" || e.Type != "conda") {
			f.problem("missing-key", fmt.Sprintf("an environment of type %s has no %q", e.Type, key), "", "add "+example)
		}
	}
	e.Path, e.pathPos = f.get("path").innerPath()
	if e.Type == "conda" && !f.get("path").given() {
		e.Path, e.pathPos = path, e.Pos
	}
	e.Lock, e.lockPos = f.get("lock").innerPath()
	if e.Lock != "" && !strings.HasSuffix(e.Lock, ".toml") {
		f.get("lock").problem("value", "the name of a lock must end in .toml", quote(e.Lock), "write locks/pylock."+e.Name+".toml")
	}
	e.Platforms = readPlatforms(f.get("platforms"))
	if v := f.get("installer"); v.given() {
		v.choice("auto", "uv", "pip")
		e.installerPos = v.pos()
	}
	if v := f.get("compile"); v.given() {
		e.CompileAll = v.choice("imports", "all") == "all"
	}
	e.Note = f.get("note").text()
	if e.Type == "venv" {
		e.RequirementsFile, e.requirementsPos = f.get("requirements_file").innerPath()
	}
}

func readPlatforms(v value) (platforms []string) {
	for item := range v.items("a platform") {
		if p := item.choice(lock.KnownPlatforms()...); p != "" && !slices.Contains(platforms, p) {
			platforms = append(platforms, p)
		} else if p != "" {
			item.problem("duplicate-item", quote(p)+" is listed twice", "", "remove one of them")
		}
	}
	if v.isEmptyList() {
		v.problem("value", "platforms is empty", "", "list one or more, such as macos-arm64, linux-x86_64")
	}
	return platforms
}

// pythonMinor reads a Python minor version, such as 3.10.
func (v value) pythonMinor() string {
	s, ok := v.scalar()
	if !ok {
		return ""
	}
	minor := pep.MajorMinor(s)
	number, err := strconv.ParseUint(strings.TrimPrefix(minor, "3."), 10, 16)
	switch {
	case err != nil || minor != fmt.Sprintf("3.%d", number):
		v.problem("version", "python must be a minor version of Python 3", quote(s), `write python: "3.10"`)
	case s != minor:
		v.problem("version", "python must be a minor version, not a release: each machine has its own release", quote(s), fmt.Sprintf("write python: %q", minor))
	case number < 8 || number > 99:
		v.problem("version", "Python 3.8 is the oldest minor version that can be managed", quote(s), `write python: "3.10"`)
	default:
		return minor
	}
	return ""
}

// readPackages reads pins. locked returns the locked version of a package for hints.
func readPackages(v value, locked func(name string) string) []lock.Requirement {
	pins := []lock.Requirement{}
	seen := make(map[string]diag.Pos)
	for item := range v.items("a package") {
		if item.node.Kind == yaml.ScalarNode && item.node.Tag != "!!null" {
			item.problem("wrong-type", "a package must be a mapping", item.found(), "write "+pinHint(item.node.Value, locked))
			continue
		}
		f, ok := item.object(&packageShape)
		if !ok || !f.get("name").given() || !f.get("version").given() {
			continue
		}
		name := f.get("name")
		p := lock.Requirement{Pos: name.pos(), Name: name.packageName(locked), Why: f.get("why").text()}
		version := f.get("version").packageVersion(p.Name, locked)
		for extra := range f.get("extras").items("name") {
			if s := extra.packageName(locked); s != "" {
				p.Extras = append(p.Extras, s)
			}
		}
		if only := readPlatforms(f.get("platforms")); len(only) > 0 {
			p.Marker = lock.Marker(only)
		}
		if p.Name == "" || version == "" {
			continue
		}
		p.Specifier = "==" + version
		key := pep.Normalize(p.Name)
		if first, ok := seen[key]; ok {
			name.duplicate("duplicate-item", quote(p.Name)+" is pinned twice", first)
			continue
		}
		seen[key] = p.Pos
		pins = append(pins, p)
	}
	return pins
}

// lockedVersions returns a function that returns the version of a package in a lock, or
// "". It reads the lock when it is first called.
func (l *loader) lockedVersions(v value) func(name string) string {
	read := sync.OnceValue(func() *lock.Lock {
		if !v.given() || !fs.ValidPath(v.node.Value) {
			return nil
		}
		if info, err := fs.Stat(l.fsys, v.node.Value); err != nil || !info.Mode().IsRegular() {
			return nil
		}
		locked, _ := lock.Read(l.fsys, v.node.Value) // Locked reports a damaged lock
		return locked
	})
	return func(name string) string {
		if locked := read(); locked != nil {
			if i := slices.IndexFunc(locked.Packages, func(p lock.Package) bool { return p.Name == pep.Normalize(name) }); i >= 0 {
				return locked.Packages[i].Version
			}
		}
		return ""
	}
}

// pinHint turns "pandas>=2.1" into a pin for hints, with the locked version, or the first
// version of the range.
func pinHint(requirement string, locked func(name string) string) string {
	name, version := requirement, ""
	if end := strings.IndexAny(requirement, "=<>!~ ;[@"); end >= 0 {
		name, version = requirement[:end], firstVersion(requirement[end:])
	}
	if !pep.ValidName(name) {
		name = "NAME"
	} else if v := locked(name); v != "" {
		version = v
	}
	if version == "" {
		version = "VERSION"
	}
	return fmt.Sprintf("{name: %s, version: %s}", name, version)
}

func (v value) packageName(locked func(name string) string) string {
	s, ok := v.scalar()
	if !ok || pep.ValidName(s) && len(s) <= 200 {
		return s
	}
	hint := "use letters, digits and - _ . between them"
	if strings.Contains(s, "[") {
		hint = "write extras in a separate list: extras: [NAME]"
	} else if strings.ContainsAny(s, "=<>~") {
		hint = "write " + pinHint(s, locked)
	}
	v.problem("name", quote(s)+" is not a valid package name", "", hint)
	return ""
}

// packageVersion reads one exact version of a package.
func (v value) packageVersion(name string, locked func(name string) string) string {
	s, ok := v.scalar()
	if !ok || pep.ValidVersion(s) {
		return s
	}
	hint := "write one exact version, such as 2.1.0"
	if version := locked(name); version != "" {
		hint = "write the locked version: version: " + version
	} else if version := firstVersion(s); version != "" {
		hint = "write an exact version, such as version: " + version
	}
	summary := "not a version by PEP 440"
	if strings.ContainsAny(s, "<>=~!*,^") || s == "latest" || s == "" {
		summary = "not one exact version"
	}
	v.problem("version", summary, quote(s), hint)
	return ""
}

// firstVersion returns the version that a range begins with, or "" if it is not in the
// range.
func firstVersion(s string) string {
	if s = strings.TrimSpace(s); strings.HasPrefix(s, "<") || strings.HasPrefix(s, "!") || strings.HasPrefix(s, ">") && !strings.HasPrefix(s, ">=") {
		return ""
	}
	s, _, _ = strings.Cut(s, ",")
	s, _, _ = strings.Cut(s, ";")
	s = strings.TrimLeft(strings.TrimSpace(s), "=<>~!^ ")
	if prefix, ok := strings.CutSuffix(s, ".*"); ok {
		s = prefix + ".0"
	}
	if pep.ValidVersion(s) {
		return s
	}
	return ""
}
