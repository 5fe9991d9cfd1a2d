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
	Name     string
	Pos      diag.Pos
	Match    *Match             // nil for none; see Select
	Default  bool               // preferred if several match; see Select
	Type     string             // "venv", "conda"
	Python   string             // minor version: "3.10"
	Packages []lock.Requirement // of the key packages; Sources has all
	// Exact refuses requests that allow several versions.
	Exact bool
	// Files are files of the project that request more packages.
	Files []Reference
	// Editable installs the project itself, from its directory.
	Editable bool
	// Build lists the packages that may be built from source.
	Build     []Build
	Glibc     string // the oldest that the wheels may need: "2.28"; "" for the default
	MacOS     string // likewise: "14"
	SmokeTest generation.SmokeTest
	Places    []Place
	Protect   bool
	Path      string   // of the link to the active generation
	Lock      string   // path
	Platforms []string // of the lock
	// CompileAll compiles all packages before the environment becomes active.
	CompileAll bool
	Note       string // shown to users of the environment, "" for none
	// RequirementsFile and EnvironmentFile are written from the lock; "" for none.
	RequirementsFile string
	EnvironmentFile  string // type conda only
	Conda            *Conda // nil for type venv
	CUDA             *CUDA
	GPU              *GPU
	Pairs            *Pairs // nil for the default

	sources                                           Sources
	foreign                                           bool       // the lock is one of another tool
	unlockedBuilds                                    *lock.Lock // of another tool, without the requirements of builds
	projectPos                                        diag.Pos
	pathPos, lockPos, requirementsPos, environmentPos diag.Pos
	installerPos                                      diag.Pos // of a key without effect
}

var (
	environmentShape = shape{what: "an environment", keys: []string{
		"python", "type", "packages", "match", "smoke_test", "directories", "protect", "cuda", "gpu", "pairs",
		"path", "lock", "platforms", "installer", "compile", "note",
		"exact", "requirements", "project", "build", "glibc", "macos", "default",
		"requirements_file",
		"name", "environment_file", "channels", "register", "engine", "conda_packages",
	}, required: 1, alias: alias{"prove", "smoke_test"}}
	packageShape = shape{what: "a package", keys: []string{"name", "version", "why", "extras", "platforms", "index", "url"}, required: 1}
	buildShape   = shape{what: "a build", keys: []string{"name", "with"}, required: 1}
)

// A Reference names a file of the project that requests packages, and the extras and
// dependency groups of it.
type Reference struct {
	File  string   // relative to the project root
	Names []string // normalised
	Pos   diag.Pos
}

// A Build is a package that may be built from source.
type Build struct {
	Name string // normalised
	// With are normalised names of packages of the environment that must be installed for the
	// build; nil for the default.
	With []string
	Pos  diag.Pos
}

// venvOnly and condaOnly are the keys of environmentShape that only one type has.
func venvOnly() []string { return keysFrom("requirements_file")[:1] }

func condaOnly() []string { return keysFrom("name") }

// keysFrom returns the keys of environmentShape from one on.
func keysFrom(key string) []string {
	return environmentShape.keys[slices.Index(environmentShape.keys, key):]
}

func (l *loader) environments(v value) {
	for key, val := range v.entries() {
		key.slug("an environment")
		f, ok := val.object(&environmentShape)
		if !ok {
			continue
		}
		e := &Environment{Name: key.node.Value, Pos: key.pos()}
		e.Type = "venv"
		if v := f.get("type"); v.given() {
			e.Type = v.choice("venv", "conda")
		}
		e.Python = f.get("python").pythonMinor()
		e.Exact = f.get("exact").boolean()
		e.Packages = readPackages(f.get("packages"), e.Python, e.Exact, l.lockedVersions(f.get("lock")))
		e.readSources(f)
		e.Match = readMatch(f.get("match"))
		e.Default = f.get("default").boolean()
		e.SmokeTest = readSmokeTest(f.get("smoke_test"))
		e.Places = readPlaces(f.get("directories"))
		e.Protect = f.get("protect").boolean()
		e.CUDA = readCUDA(f.get("cuda"))
		e.GPU = readGPU(f.get("gpu"))
		e.Pairs = readPairs(f.get("pairs"))
		if e.Type != "" {
			e.readInstallation(f)
		}
		if e.Type == "conda" {
			e.readConda(f)
		}
		e.foreign = l.isForeign(e.Lock)
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
	if !f.get("platforms").given() {
		f.problem("missing-key", `an environment has no "platforms"`, "", "add platforms: "+platforms)
	}
	e.Path, e.pathPos = f.get("path").innerPath()
	if !f.get("path").given() {
		e.Path, e.pathPos = path, e.Pos
	}
	e.Lock, e.lockPos = f.get("lock").innerPath()
	if !f.get("lock").given() {
		e.Lock, e.lockPos = "locks/pylock."+e.Name+".toml", e.Pos
	}
	if e.Lock != "" && !strings.HasSuffix(e.Lock, ".toml") && !strings.HasSuffix(e.Lock, ".lock") {
		hint := "write locks/pylock." + e.Name + ".toml"
		if strings.HasSuffix(e.Lock, ".txt") {
			hint += ", and requirements: [" + e.Lock + "]: its pins and hashes are kept"
		}
		f.get("lock").problem("value", "the name of a lock must end in .toml or .lock", quote(e.Lock), hint)
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

// readSources reads where packages come from besides the key packages.
func (e *Environment) readSources(f fields) {
	for item := range f.get("requirements").items("a file of requirements") {
		text, ok := item.scalar()
		if !ok {
			continue
		}
		name, fragment, _ := strings.Cut(text, "#")
		r := Reference{File: name, Pos: item.pos()}
		for part := range strings.SplitSeq(fragment, ",") {
			if part = strings.TrimSpace(part); pep.ValidName(part) {
				r.Names = append(r.Names, pep.Normalize(part))
			} else if fragment != "" {
				item.problem("name", quote(part)+" is not the name of an extra or a dependency group", "", `write names and commas after #, such as "pyproject.toml#train,dev"`)
			}
		}
		if !fs.ValidPath(name) || name == "." {
			item.problem("path", "requirements must be files of the project", quote(name), "write a path relative to the project, such as requirements.txt")
			continue
		}
		if slices.ContainsFunc(e.Files, func(other Reference) bool { return other.File == r.File && slices.Equal(other.Names, r.Names) }) {
			item.problem("duplicate-item", quote(text)+" is listed twice", "", "remove one of them")
			continue
		}
		e.Files = append(e.Files, r)
	}
	if v := f.get("project"); v.given() {
		e.Editable, e.projectPos = v.choice("editable") != "", v.pos()
	}
	e.Build = readBuilds(f.get("build"))
	if v := f.get("glibc"); v.given() {
		e.Glibc = v.majorMinor("a version of glibc", "2.31")
		if minor, ok := strings.CutPrefix(e.Glibc, "2."); ok && len(minor) < 2 || ok && minor < "17" {
			v.problem("version", "glibc 2.17 is the oldest version that wheels can be locked for", quote(e.Glibc), `write glibc: "2.17"`)
		}
	}
	if v := f.get("macos"); v.given() {
		e.MacOS = v.macOS()
	}
}

// macOS reads a version of macOS, such as 14 or 13.3.
func (v value) macOS() string {
	s, ok := v.scalar()
	major, minor, two := strings.Cut(s, ".")
	_, err := strconv.ParseUint(major, 10, 8)
	if two && err == nil {
		_, err = strconv.ParseUint(minor, 10, 8)
	}
	if ok && err != nil {
		v.problem("version", "macos must be a version of macOS", quote(s), `write macos: "14"`)
	}
	return s
}

// readBuilds reads the packages that may be built from source: names, or mappings.
func readBuilds(v value) (builds []Build) {
	seen := map[string]diag.Pos{}
	for item := range v.items("a build") {
		b := Build{Pos: item.pos()}
		name := item
		if item.node.Kind == yaml.MappingNode {
			f, ok := item.object(&buildShape)
			if !ok || !f.get("name").given() {
				continue
			}
			name = f.get("name")
			if with := f.get("with"); with.given() {
				b.With = []string{}
				for other := range with.items("name") {
					if s := other.packageName(noVersion); s != "" {
						b.With = append(b.With, pep.Normalize(s))
					}
				}
			}
		}
		if b.Name = pep.Normalize(name.packageName(noVersion)); b.Name == "" {
			continue
		}
		if first, ok := seen[b.Name]; ok {
			name.duplicate("duplicate-item", quote(b.Name)+" is listed twice", first)
			continue
		}
		seen[b.Name] = b.Pos
		builds = append(builds, b)
	}
	return builds
}

// noVersion is a function for packageName without a lock.
func noVersion(string) string { return "" }

// readPackages reads requirements: texts by PEP 508, and mappings. If exact, each must have
// one version. A package may be requested again for other platforms, with python, the minor version
// of the environment. locked returns the locked version of a package for hints.
func readPackages(v value, python string, exact bool, locked func(name string) string) []lock.Requirement {
	list := []lock.Requirement{}
	seen := make(map[string][]lock.Requirement)
	for item := range v.items("a package") {
		var p lock.Requirement
		var ok bool
		if item.node.Kind == yaml.ScalarNode && item.node.Tag != "!!null" {
			p, ok = item.requirement(exact, locked)
		} else {
			p, ok = item.packageMapping(exact, locked)
		}
		if !ok {
			continue
		}
		key := pep.Normalize(p.Name)
		if i := slices.IndexFunc(seen[key], func(first lock.Requirement) bool { return overlap(first, p, python) }); i >= 0 {
			item.problemAt(p.Pos, "duplicate-item", quote(p.Name)+" is requested twice", "the first one at "+seen[key][i].Pos.String(), "remove one of them")
			continue
		}
		seen[key] = append(seen[key], p)
		list = append(list, p)
	}
	return list
}

// overlap reports whether two requirements hold on one platform.
func overlap(a, b lock.Requirement, python string) bool {
	for _, platform := range lock.KnownPlatforms() {
		env := lock.MarkerEnvironment(platform, python+".0")
		holdsA, ok := env.Holds(a.Marker)
		holdsB, okB := env.Holds(b.Marker)
		if ok && okB && holdsA && holdsB {
			return true
		}
	}
	return a.Marker == b.Marker
}

// requirement reads a requirement by PEP 508.
func (v value) requirement(exact bool, locked func(name string) string) (lock.Requirement, bool) {
	r, err := pep.ParseRequirement(v.node.Value)
	p := lock.Requirement{Name: r.Name, Extras: r.Extras, Specifier: pep.Specifier(r.Clauses), Marker: r.Marker, URL: r.URL, Pos: v.pos()}
	switch {
	case err != nil || len(v.node.Value) > maxText || len(r.Name) > 200:
		hint := `write a requirement such as "numpy>=1.26,<2", or ` + pinHint(v.node.Value, locked)
		if strings.HasPrefix(v.node.Value, ".") || strings.HasPrefix(v.node.Value, "git+") || strings.Contains(v.node.Value, "://") {
			hint = `write its name before it: "NAME @ ` + v.node.Value + `"`
		}
		v.problem("requirement", quote(v.node.Value)+" is not a requirement by PEP 508", "", hint)
		return p, false
	case r.Marker != "" && (strings.ContainsAny(r.Marker, "\n\r\\#") || !pep.ValidMarker(r.Marker)):
		v.problem("requirement", "the marker of "+r.Name+" is invalid", quote(r.Marker), `write it as in "torch>=2.9; sys_platform == 'linux'"`)
		return p, false
	case r.URL != "":
		return p, v.checkURL(r.URL)
	case exact && p.Pin() == "":
		v.problem("version", "not one exact version, and the environment is exact", quote(v.node.Value), "write "+pinHint(v.node.Value, locked)+", or remove `exact`")
		return p, false
	}
	return p, true
}

// packageMapping reads a requirement in the form of a mapping.
func (v value) packageMapping(exact bool, locked func(name string) string) (p lock.Requirement, ok bool) {
	f, ok := v.object(&packageShape)
	if !ok || !f.get("name").given() {
		return p, false
	}
	name, version := f.get("name"), f.get("version")
	p = lock.Requirement{Pos: name.pos(), Name: name.packageName(locked), Why: f.get("why").text()}
	ok = p.Name != ""
	if url := f.get("url"); url.given() {
		s, scalar := url.scalar()
		p.URL, ok = s, scalar && url.checkURL(s) && ok
		if version.given() {
			version.problem("version", "a package with a url has no version", "", "remove one of them")
		}
	} else if version.given() {
		p.Specifier = version.packageVersion(p.Name, exact, locked)
		ok = ok && p.Specifier != ""
	} else if exact {
		f.problem("missing-key", `a package has no "version", and the environment is exact`, "", "write "+pinHint(p.Name, locked)+", or remove `exact`")
		return p, false
	}
	for extra := range f.get("extras").items("name") {
		if s := extra.packageName(locked); s != "" {
			p.Extras = append(p.Extras, s)
		}
	}
	if only := readPlatforms(f.get("platforms")); len(only) > 0 {
		p.Marker = lock.Marker(only)
	}
	if index := f.get("index"); index.given() {
		p.Index, _ = index.slug("an index")
	}
	return p, ok
}

// checkURL reports an invalid direct reference.
func (v value) checkURL(text string) bool {
	problem, hint := lock.CheckURL(text)
	if problem != "" {
		v.problem("url", problem, "", hint)
	}
	return problem == ""
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

// packageVersion reads the version of a package as a specifier: one version, or unless exact a
// range.
func (v value) packageVersion(name string, exact bool, locked func(name string) string) string {
	s, ok := v.scalar()
	if !ok {
		return ""
	}
	if pep.ValidVersion(s) {
		return "==" + s
	}
	if clauses, ok := pep.ParseClauses(s); ok && !exact && len(clauses) > 0 {
		return pep.Specifier(clauses)
	}
	hint := "write one exact version, such as 2.1.0"
	if version := locked(name); version != "" {
		hint = "write the locked version: version: " + version
	} else if version := firstVersion(s); version != "" {
		hint = "write an exact version, such as version: " + version
	}
	if !exact {
		v.problem("version", "not a version or a specifier by PEP 440", quote(s), `write one version, such as 2.1.0, or a range, such as ">=2.1,<3"`)
		return ""
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
