package manifest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// An Environment is one Python environment, of type venv or conda.
type Environment struct {
	Name      string
	Pos       diag.Pos
	Match     *Match // nil: chosen by --env or a host alone
	Type      string // "venv", "conda"
	Python    string // line: "3.10"
	Packages  []lock.Pin
	Imports   []string // proved before the environment becomes visible
	Places    []Place  // directories that lie elsewhere with this environment
	Protect   bool
	Path      string   // the visible place
	Installer string   // "auto", "uv", "pip"
	Lock      string   // path of the lock
	Platforms []string // those of the lock
	Note      string   // what people should know who choose it, "" for nothing
	// RequirementsFile is where the pins are written with their reasons, "" for
	// nowhere; EnvironmentFile is that of conda.
	RequirementsFile string
	EnvironmentFile  string
	Conda            *Conda // nil for type venv
	CUDA             *CUDA
	GPU              *GPU
	QLoRA            *QLoRA
	TestCUDA         bool

	pathPos, lockPos, requirementsPos, environmentPos diag.Pos
}

var (
	environmentShape = shape{"an environment", []string{
		"type", "python", "packages", "match", "prove", "directories", "protect", "cuda", "gpu",
		"path", "lock", "platforms", "installer", "note",
		"requirements_file",
		"name", "environment_file", "channels", "register", "engine", "conda_packages",
	}, 3}
	packageShape = shape{"a package", []string{"name", "version", "why", "extras", "platforms"}, 2}
)

// The values of environmentShape from these on belong to one type alone.
const firstVenv, firstConda = 14, 15

func (l *loader) environments(n *yaml.Node) {
	l.entries(n, "environments", func(key, value *yaml.Node) {
		l.name(key, "an environment", isSlug, slugRule)
		var v [21]*yaml.Node
		if !l.object(value, &environmentShape, v[:]) {
			return
		}
		e := &Environment{Name: key.Value, Pos: l.at(key)}
		l.common(e, &v)
		switch e.Type {
		case "venv":
			l.foreign(v[firstConda:], environmentShape.keys[firstConda:], "conda")
			l.locked(e, value, &v)
			l.venv(e, &v)
		case "conda":
			l.foreign(v[firstVenv:firstConda], environmentShape.keys[firstVenv:firstConda], "venv")
			l.locked(e, value, &v)
			l.conda(e, value, &v)
		}
		l.m.Environments = append(l.m.Environments, e)
	})
}

// foreign reports keys that only the other type has.
func (l *loader) foreign(values []*yaml.Node, keys []string, other string) {
	for i, n := range values {
		if n != nil && n.Kind != 0 {
			l.problem(n, "unknown-key", fmt.Sprintf("%q belongs to environments of type %s", keys[i], other), "", "remove it, or change the type")
		}
	}
}

// common reads what both types have.
func (l *loader) common(e *Environment, v *[21]*yaml.Node) {
	if v[0] != nil {
		e.Type = l.choice(v[0], "type", "venv", "conda")
	}
	if v[1] != nil {
		e.Python = l.python(v[1])
	}
	e.Packages = l.packages(v[2], l.lockedVersions(v[10]))
	e.Match = l.match(v[3])
	l.prove(e, v[4])
	e.Places = l.places(v[5])
	e.Protect = v[6] != nil && l.boolean(v[6], "protect")
	e.CUDA = l.cuda(v[7])
	e.GPU = l.gpu(v[8])
}

// locked reads where an environment can be seen, its lock, and what installs it.
func (l *loader) locked(e *Environment, value *yaml.Node, v *[21]*yaml.Node) {
	place, platforms := ".venv", "[macos-arm64, linux-x86_64]"
	if e.Type == "conda" {
		place, platforms = layout.DefaultConda(e.Name), "[linux-x86_64]"
	}
	for i, example := range []string{"path: " + place, "lock: locks/pylock." + e.Name + ".toml", "platforms: " + platforms} {
		key := environmentShape.keys[9+i]
		if v[9+i] == nil && (key != "path" || e.Type != "conda") {
			l.problem(value, "missing-key", fmt.Sprintf("an environment of type %s has no %q", e.Type, key), "", "add "+example)
		}
	}
	e.Path, e.pathPos = l.placed(v[9], "path")
	if v[9] == nil && e.Type == "conda" {
		e.Path, e.pathPos = place, e.Pos
	}
	e.Lock, e.lockPos = l.placed(v[10], "lock")
	if e.Lock != "" && !strings.HasSuffix(e.Lock, ".toml") {
		l.problem(v[10], "value", "a lock ends in .toml", quote(e.Lock), "write locks/pylock."+e.Name+".toml")
	}
	e.Platforms = l.platforms(v[11])
	e.Installer = "auto"
	if v[12] != nil {
		e.Installer = l.choice(v[12], "installer", "auto", "uv", "pip")
	}
	e.Note = l.optionalText(v[13], "note")
}

// venv reads what only type venv has.
func (l *loader) venv(e *Environment, v *[21]*yaml.Node) {
	e.RequirementsFile, e.requirementsPos = l.placed(v[firstVenv], "requirements_file")
}

// platforms reads a list of platforms that a lock can be for.
func (l *loader) platforms(n *yaml.Node) (platforms []string) {
	for _, item := range l.items(n, "platforms") {
		if p := l.choice(item, "a platform", lock.KnownPlatforms()...); p != "" && !slices.Contains(platforms, p) {
			platforms = append(platforms, p)
		} else if p != "" {
			l.problem(item, "duplicate-item", quote(p)+" is listed twice", "", "remove one of them")
		}
	}
	if n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		l.problem(n, "value", "platforms is empty", "", "list some, such as macos-arm64, linux-x86_64")
	}
	return platforms
}

// placed reads a path inside the project, with its place in the manifest.
func (l *loader) placed(n *yaml.Node, what string) (string, diag.Pos) {
	if n == nil {
		return "", diag.Pos{}
	}
	p := l.path(n, what)
	if strings.HasPrefix(p, "/") {
		l.problem(n, "path", what+" must lie inside the project", quote(p), "write it relative to the manifest")
		p = ""
	}
	return p, l.at(n)
}

// python reads a line of Python, such as 3.10.
func (l *loader) python(n *yaml.Node) string {
	v, ok := l.scalar(n, "python")
	if !ok {
		return ""
	}
	parts := strings.Split(v, ".")
	minor := ""
	if len(parts) >= 2 {
		minor = parts[1]
	}
	number := 0
	_, err := fmt.Sscanf(minor, "%d", &number)
	line := parts[0] + "." + minor
	switch {
	case parts[0] != "3" || err != nil || fmt.Sprint(number) != minor:
		l.problem(n, "version", "python must be a line of Python 3", quote(v), `write python: "3.10"`)
	case len(parts) > 2:
		l.problem(n, "version", "python names a line, not a release: which release it is, is a fact of the machine", quote(v), fmt.Sprintf("write python: %q", line))
	case number < 8 || number > 99:
		l.problem(n, "version", "Python 3.8 is the oldest line that can be managed", quote(v), `write python: "3.10"`)
	default:
		return line
	}
	return ""
}

// packages reads pins. Names are compared as installers do. locked is for hints.
func (l *loader) packages(n *yaml.Node, locked func(name string) string) []lock.Pin {
	items := l.items(n, "packages")
	pins := make([]lock.Pin, 0, len(items))
	seen := make(map[string]diag.Pos, len(items))
	for _, item := range items {
		var v [5]*yaml.Node
		if item.Kind == yaml.ScalarNode && item.Tag != "!!null" {
			l.problem(item, "wrong-type", "a package must be a mapping", sort(item), "write "+pinOf(item.Value, locked))
			continue
		}
		if !l.object(item, &packageShape, v[:]) || v[0] == nil || v[1] == nil {
			continue
		}
		p := lock.Pin{Pos: l.at(v[0])}
		p.Name = l.packageName(v[0], locked)
		p.Version = l.pin(v[1], p.Name, locked)
		p.Why = l.optionalText(v[2], "why")
		for _, extra := range l.items(v[3], "extras") {
			if name := l.packageName(extra, locked); name != "" {
				p.Extras = append(p.Extras, name)
			}
		}
		if only := l.platforms(v[4]); len(only) > 0 {
			p.Marker = lock.Marker(only)
		}
		if p.Name == "" || p.Version == "" {
			continue
		}
		key := pep.Normalize(p.Name)
		if first, ok := seen[key]; ok {
			l.problem(v[0], "duplicate-item", quote(p.Name)+" is pinned twice", "the first one at "+first.String(), "remove one of them")
			continue
		}
		seen[key] = p.Pos
		pins = append(pins, p)
	}
	return pins
}

// lockedVersions returns a function that answers which version of a package the
// lock at n has, or "". The lock is read when it is first asked.
func (l *loader) lockedVersions(n *yaml.Node) func(name string) string {
	read := sync.OnceValue(func() *lock.Lock {
		if n == nil || n.Kind != yaml.ScalarNode || !fs.ValidPath(n.Value) {
			return nil
		}
		if info, err := fs.Stat(l.fsys, n.Value); err != nil || !info.Mode().IsRegular() {
			return nil
		}
		locked, _ := lock.Read(l.fsys, n.Value) // a damaged one is reported elsewhere
		return locked
	})
	return func(name string) string {
		locked := read()
		if locked == nil {
			return ""
		}
		i := slices.IndexFunc(locked.Packages, func(p lock.Package) bool { return p.Name == pep.Normalize(name) })
		if i < 0 {
			return ""
		}
		return locked.Packages[i].Version
	}
}

// pinOf turns "pandas>=2.1" into the form of a pin, for hints: with the version
// that the lock has, else that of the range.
func pinOf(requirement string, locked func(name string) string) string {
	end := strings.IndexFunc(requirement, func(r rune) bool { return strings.ContainsRune("=<>!~ ;[@", r) })
	name, version := requirement, ""
	if end >= 0 {
		name, version = requirement[:end], exact(requirement[end:])
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

func (l *loader) packageName(n *yaml.Node, locked func(name string) string) string {
	v, ok := l.scalar(n, "name")
	if !ok || pep.ValidName(v) && len(v) <= 200 {
		return v
	}
	hint := "use letters, digits and - _ . between them"
	if strings.Contains(v, "[") {
		hint = "write extras in a list of their own: extras: [NAME]"
	} else if strings.ContainsAny(v, "=<>~") {
		hint = "write " + pinOf(v, locked)
	}
	l.problem(n, "name", quote(v)+" is no name of a package", "", hint)
	return ""
}

// pin reads the one exact version of a package.
func (l *loader) pin(n *yaml.Node, name string, locked func(name string) string) string {
	v, ok := l.scalar(n, "version")
	if !ok {
		return ""
	}
	if pep.ValidVersion(v) {
		return v
	}
	hint := "write one exact version, such as 2.1.0"
	if version := locked(name); version != "" {
		hint = "write the version that the lock has: version: " + version
	} else if version := exact(v); version != "" {
		hint = "write the pin, such as version: " + version
	}
	summary := "not a version by PEP 440"
	if strings.ContainsAny(v, "<>=~!*,^") || v == "latest" || v == "" {
		summary = "not one exact version"
	}
	l.problem(n, "version", summary, quote(v), hint)
	return ""
}

// exact finds the version that a range begins with, or "".
func exact(v string) string {
	if v = strings.TrimSpace(v); strings.HasPrefix(v, "<") || strings.HasPrefix(v, "!") || strings.HasPrefix(v, ">") && !strings.HasPrefix(v, ">=") {
		return "" // the version that is named is not in the range
	}
	v, _, _ = strings.Cut(v, ",")
	v, _, _ = strings.Cut(v, ";")
	v = strings.TrimLeft(strings.TrimSpace(v), "=<>~!^ ")
	if prefix, ok := strings.CutSuffix(v, ".*"); ok {
		v = prefix + ".0"
	}
	if pep.ValidVersion(v) {
		return v
	}
	return ""
}
