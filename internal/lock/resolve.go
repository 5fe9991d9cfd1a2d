package lock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// A Request is the input of Resolve. Paths are absolute, except for Path.
type Request struct {
	Path      string   // of the lock, relative to the project root
	Python    string   // minor version: "3.10"
	Platforms []string // "macos-arm64", "linux-x86_64"
	Systems   Systems  // of the machines
	Packages  []Requirement
	// Constraints limit the versions of packages without requesting them.
	Constraints []Requirement
	// Overrides replace all other requirements of their packages.
	Overrides []Requirement
	// Hashes are the SHA-256 digests of the files that a package may have, by normalised name,
	// if the requirements files contain them.
	Hashes   map[string][]facts.SHA256
	Indexes  []Index              // besides the default ones
	Builds   map[string]BuildRule // packages that may be built from source, by normalised name
	Own      string               // normalised name of the project, "" if it has none
	Previous *Lock                // its versions are kept if the requirements allow it; nil for none
	Upgrade  bool                 // do not keep them

	Conda       *CondaRequest // nil for environments of type venv
	UV          string
	UVSHA256    facts.SHA256              // of UV, checked at each start; zero for a program of the machine
	Interpreter string                    // a Python for uv, "" to let uv search for one
	Cache       string                    // of uv
	Dir         string                    // an empty folder, which others cannot write, for temporary files and the homes of programs
	Root        string                    // of the project
	IndexEnv    []string                  // KEY=value: index, CA, wheel folders, proxy of this machine
	Redactor    *redact.Redactor          // of the output of uv and py-rattler
	Line        func(stream, line string) // called for each line of uv's output; may be nil
	Client      *http.Client              // for the installed sizes of wheels; nil leaves them unknown
	// Offers returns the files that an index has of a package; index is "" for the default
	// ones. It serves messages, and the check that no release is passed over; nil for none.
	Offers func(ctx context.Context, index, name string) ([]Offer, error)
	// Inspect returns the metadata of a source; nil refuses all sources.
	Inspect func(ctx context.Context, in Inspection) (*Inspected, error)
}

// An Index is an index with a name.
type Index struct {
	Name string
	URL  string // with the credentials of this machine
	// Searched reports that it is searched for all packages, before the default indexes. Others
	// have only the packages that are bound to them.
	Searched bool
}

// An Offer is a file of an index.
type Offer struct {
	File           string
	Version        string    // canonical
	Yanked         bool      // withdrawn by its authors
	RequiresPython string    // PEP 440, "" for any
	Uploaded       time.Time // zero if unknown
}

// Resolve resolves the requirements for every platform. It runs uv, uses the network, and
// writes only to Dir and Cache. A package that does not exist (lock.pin) or would have to be
// built (lock.source), requirements that exclude each other (lock.conflict) and an index that
// does not answer (lock.index) are Problems.
func Resolve(ctx context.Context, req Request) (*Lock, error) {
	requires, ok := requiresPython(req.Python)
	if !ok {
		return nil, fmt.Errorf("lock %s: %q is not a Python minor version", req.Path, req.Python)
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	r := newResolver(req)
	r.reuseBuilds()
	if err := r.inspectDirect(ctx); err != nil {
		return nil, err
	}
	var conda *Conda
	if req.Conda != nil {
		conda = &Conda{Channels: req.Conda.Channels, Requests: req.Conda.Specs}
	}
	for _, platform := range slices.Sorted(slices.Values(req.Platforms)) {
		if conda != nil {
			list, err := r.solve(ctx, platform)
			if err != nil {
				return nil, err
			}
			for _, p := range list {
				conda.Packages = append(conda.Packages, CondaPackage{platform, p})
			}
			r.provided = provided(list)
		}
		packages, err := r.platform(ctx, platform)
		if err != nil {
			return nil, err
		}
		r.resolved = append(r.resolved, resolved{platform, packages})
	}
	if err := r.refused(ctx); err != nil {
		return nil, err
	}
	l := &Lock{
		Conda: conda,
		Path:  req.Path, RequiresPython: requires, Systems: req.Systems,
		Platforms: slices.Sorted(slices.Values(req.Platforms)),
		Packages:  r.merge(),
	}
	l.Requests = Requests(req.Packages, req.Constraints, req.Overrides)
	if err := l.checkWith(); err != nil {
		return nil, err
	}
	r.unpacked(ctx, l)
	return l, nil
}

func newResolver(req Request) *resolver {
	return &resolver{Request: req, sources: map[string]source{}, sourceOnly: map[string]bool{}, inspected: map[string]*Inspected{}, direct: map[string]*Inspected{}}
}

// ResolveBuilds returns a lock of the packages with a Build alone, whose requirements it resolves:
// the lock of another tool does not have those.
func ResolveBuilds(ctx context.Context, req Request, packages []Package) (*Lock, error) {
	requires, ok := requiresPython(req.Python)
	if !ok {
		return nil, fmt.Errorf("lock %s: %q is not a Python minor version", req.Path, req.Python)
	}
	r := newResolver(req)
	l := &Lock{Path: req.Path, RequiresPython: requires, Systems: req.Systems, Platforms: slices.Sorted(slices.Values(req.Platforms))}
	var problems diag.List
	for _, p := range packages {
		if p.Build == nil {
			continue
		}
		i, err := r.inspect(ctx, Inspection{Source: p.Build.Source, Name: p.Name, Version: p.Version, Index: p.Index, Python: req.Python, Rule: req.Builds[p.Name]})
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			problems.AddErr(err)
			continue
		}
		p.Version, p.Build, p.Dependencies = i.Version, i.build(), nil
		l.Packages = append(l.Packages, p)
	}
	r.unpacked(ctx, l)
	return l, problems.Err()
}

// CompleteBuilds sets the requirements of the builds of a lock from a lock of ResolveBuilds, which
// may be nil. It returns the names of the packages that builds does not have.
func (l *Lock) CompleteBuilds(builds *Lock) (missing []string) {
	for i := range l.Packages {
		p := &l.Packages[i]
		if p.Build == nil {
			continue
		}
		k := -1
		if builds != nil {
			k = slices.IndexFunc(builds.Packages, func(b Package) bool {
				return b.Name == p.Name && (p.Version == "" || b.Version == p.Version) && b.Build != nil && b.Build.sameSource(p.Build.Source)
			})
		}
		if k < 0 {
			missing = append(missing, p.Name)
			continue
		}
		p.Version, p.Build = builds.Packages[k].Version, builds.Packages[k].Build
	}
	return missing
}

// sameSource compares sources. The size of an archive is not always known.
func (s Source) sameSource(other Source) bool {
	s.Size, other.Size = 0, 0
	return s == other
}

// Requests returns all requirements in the form of locks, sorted.
func Requests(packages, constraints, overrides []Requirement) []string {
	var list []string
	for _, part := range []struct {
		of   []Requirement
		mark string
	}{{packages, ""}, {constraints, " (constraint)"}, {overrides, " (override)"}} {
		for _, p := range part.of {
			text := p.Request()
			if p.Index != "" {
				text += " (index " + p.Index + ")"
			}
			list = append(list, text+part.mark)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// check rejects values that are unsafe in a command line or a requirements file.
func (r Request) check() error {
	var list diag.List
	for _, p := range slices.Concat(r.Packages, r.Constraints, r.Overrides) {
		summary, hint := "", "correct it in the manifest or the file that requests it"
		urlProblem, urlHint := CheckURL(p.URL)
		switch {
		case !pep.ValidName(p.Name):
			summary = fmt.Sprintf("%q is not a valid package name", p.Name)
		case !validSpecifier(p.Specifier):
			summary = fmt.Sprintf("%q is not a version specifier for %s", p.Specifier, p.Name)
		case p.URL != "" && urlProblem != "" && !strings.HasPrefix(p.URL, "git+"):
			summary, hint = p.Name+": "+urlProblem, urlHint
		case strings.ContainsAny(p.Marker, "\n\r\\#"):
			summary = fmt.Sprintf("marker %q of %s is invalid", p.Marker, p.Name)
		case p.Index != "" && !slices.ContainsFunc(r.Indexes, func(x Index) bool { return x.Name == p.Index }):
			summary, hint = fmt.Sprintf("%s is bound to the index %q, which is unknown", p.Name, p.Index), fmt.Sprintf("add to `indexes` in the manifest: {name: %s, url: https://HOST/PATH}", p.Index)
		}
		if summary != "" {
			list.Add(&diag.Problem{Code: "lock.pin", Pos: p.Pos, Summary: summary, Hint: hint})
		}
	}
	for _, p := range r.Platforms {
		if !slices.Contains(KnownPlatforms(), p) {
			list.Add(&diag.Problem{Code: "lock.platform", Summary: fmt.Sprintf("platform %q is unknown", p), Hint: "use " + strings.Join(KnownPlatforms(), ", ")})
		}
	}
	return list.Err()
}

// validSpecifier reports whether s is a PEP 440 specifier; "" allows any version.
func validSpecifier(s string) bool {
	_, ok := pep.ParseClauses(s)
	return ok
}

// A resolver is one run of Resolve.
type resolver struct {
	Request
	resolved []resolved
	provided map[string]string // versions of the Python packages that conda installs on the current platform, by name
	sources  map[string]source // locations of wheels by file name; not stored

	sourceOnly map[string]bool       // packages without wheels, by name
	inspected  map[string]*Inspected // of sourceOnly, by name and version
	direct     map[string]*Inspected // requirements that are built from a direct reference, by name
}

// resolved are the packages of one platform.
type resolved struct {
	platform string
	packages []Package
}

// uvPlatform returns the name of a platform for uv, with the newest supported system.
func (r *resolver) uvPlatform(platform string) string {
	switch platform {
	case "linux-x86_64":
		return fmt.Sprintf("x86_64-manylinux_2_%d", r.Systems.uvGlibc())
	case "linux-aarch64":
		return fmt.Sprintf("aarch64-manylinux_2_%d", r.Systems.uvGlibc())
	case "macos-arm64":
		return "aarch64-apple-darwin"
	}
	return "x86_64-apple-darwin"
}

// uvGlibc returns the minor version of the newest glibc that uv knows and that is not newer than
// that of the systems.
func (s Systems) uvGlibc() int {
	switch minor := s.glibc(); {
	case minor < 28:
		return 17
	case minor < 31:
		return 28
	default:
		return min(minor, 40)
	}
}

// maxRounds is the maximum number of resolutions for one platform. Each finds one more package
// without wheels, or the metadata of one more version.
const maxRounds = 60

// platform resolves the packages of a platform, each with one wheel or a build.
func (r *resolver) platform(ctx context.Context, platform string) ([]Package, error) {
	out := filepath.Join(r.Dir, "pylock."+platform+".toml")
	for range maxRounds {
		if err := r.prefer(platform, out); err != nil {
			return nil, err
		}
		output, err := r.compile(ctx, platform, r.input(platform), out, "pylock.toml")
		if err != nil {
			if name := r.withoutWheels(ctx, output); name != "" {
				r.sourceOnly[name] = true
				continue
			}
			return nil, r.explain(ctx, platform, output, err)
		}
		data, err := rawfile.ReadFile(out, MaxSize, 0)
		if err != nil {
			return nil, fmt.Errorf("read the output of uv for %s: %w", platform, err)
		}
		packages, again, err := r.parse(ctx, data, platform)
		if err != nil {
			return nil, err
		}
		if again || r.findPassedOver(ctx, packages, platform) || r.findHeldBack(ctx, packages, platform) {
			continue
		}
		packages = withoutProvided(packages, r.provided)
		return packages, r.annotate(ctx, platform, packages)
	}
	return nil, fmt.Errorf("resolve %s for %s: no result after %d rounds", r.Path, platform, maxRounds)
}

// prefer writes the versions that uv should keep to its output file, where it expects them.
func (r *resolver) prefer(platform, out string) error {
	keep := r.preferences(platform)
	if len(keep.Packages) == 0 {
		return removeIfExists(out)
	}
	if err := os.WriteFile(out, keep.Encode(), 0o600); err != nil {
		return fmt.Errorf("prepare the lock for %s: %w", platform, err)
	}
	return nil
}

func removeIfExists(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("clear %s: %w", name, err)
	}
	return nil
}

// compile runs `uv pip compile` on a pyproject.toml. format is that of its output.
func (r *resolver) compile(ctx context.Context, platform, project, out, format string) (string, error) {
	dir := filepath.Join(r.Dir, "input-"+platform)
	in, settings := filepath.Join(dir, "pyproject.toml"), filepath.Join(dir, "uv.toml")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(in, []byte(project), 0o600), os.WriteFile(settings, []byte(r.settings()), 0o600)); err != nil {
		return "", fmt.Errorf("prepare the requirements for %s: %w", platform, err)
	}
	args := []string{
		"pip", "compile", "--config-file", settings, "--no-python-downloads", "--cache-dir", r.Cache,
		"--python-version", r.Python, "--python-platform", r.uvPlatform(platform), "--only-binary", ":all:",
		"--no-header", "--emit-index-annotation", "--color", "never", "--no-progress", "--format", format, "--output-file", out,
	}
	for _, name := range slices.Sorted(maps.Keys(r.sourceOnly)) {
		args = append(args, "--no-binary", name) // uv does not build it: the input has its metadata
	}
	if r.Interpreter != "" {
		args = append(args, "--python", r.Interpreter)
	}
	for _, limit := range [][2]string{{"--constraints", r.constraints()}, {"--overrides", r.overrides()}} {
		if limit[1] == "" {
			continue
		}
		file := filepath.Join(dir, strings.TrimPrefix(limit[0], "--")+".txt")
		if err := os.WriteFile(file, []byte(limit[1]), 0o600); err != nil {
			return "", fmt.Errorf("prepare the requirements for %s: %w", platform, err)
		}
		args = append(args, limit[0], file)
	}
	result, err := command.Run(ctx, command.Command{
		Program: r.UV, SHA256: r.UVSHA256, Args: append(args, "--", in), Env: append(slices.Clone(r.IndexEnv), "MACOSX_DEPLOYMENT_TARGET="+r.Systems.macOS()), Dir: r.Dir, Private: r.Dir,
		Timeout: 10 * time.Minute, Redactor: r.Redactor, Line: r.Line,
	})
	return r.Redactor.String(string(result.Stderr)), err
}

// preferences returns the versions that uv should keep if the requirements allow it: those of
// the previous lock, and those of other platforms, so that platforms do not differ needlessly.
func (r *resolver) preferences(platform string) *Lock {
	l := &Lock{Path: r.Path, Platforms: []string{platform}, RequiresPython: "==" + r.Python + ".*"}
	have := map[string]bool{}
	add := func(packages []Package) {
		for _, p := range packages {
			if have[p.Name] || p.URL != "" || p.Build != nil && (p.Build.File == "" || p.Build.URL != "") {
				continue // uv prefers versions of an index only
			}
			have[p.Name] = true
			one := Package{Name: p.Name, Version: p.Version, Wheels: p.Wheels}
			if p.Build != nil {
				one.Build = &Build{Source: p.Build.Source}
			}
			l.Packages = append(l.Packages, one)
		}
	}
	if r.Previous != nil && !r.Upgrade {
		for _, p := range r.Previous.Packages {
			if p.needs(platform) {
				add([]Package{p})
			}
		}
	}
	for _, other := range r.resolved {
		add(other.packages)
	}
	return l
}

// merge returns the packages of all platforms, one for each name and version.
func (r *resolver) merge() []Package {
	byKey := map[string]*Package{}
	for _, one := range r.resolved {
		for _, p := range one.packages {
			key := fmt.Sprintf("%s==%s %q %q %v", p.Name, p.Version, p.Index, p.URL, p.Build != nil)
			m, ok := byKey[key]
			if !ok {
				m = &Package{Name: p.Name, Version: p.Version, Index: p.Index, URL: p.URL, Build: p.Build}
				byKey[key] = m
			}
			m.Dependencies = append(m.Dependencies, p.Dependencies...)
			m.Platforms = append(m.Platforms, one.platform)
			for _, w := range p.Wheels {
				i := slices.IndexFunc(m.Wheels, func(o Wheel) bool { return o.File == w.File })
				if i < 0 {
					m.Wheels = append(m.Wheels, w)
					continue
				}
				m.Wheels[i].Platforms = append(m.Wheels[i].Platforms, one.platform)
			}
		}
	}
	packages := make([]Package, 0, len(byKey))
	for _, p := range byKey {
		if len(p.Platforms) == len(r.resolved) {
			p.Platforms = nil
		}
		slices.SortFunc(p.Wheels, compareWheels)
		slices.Sort(p.Dependencies)
		p.Dependencies = slices.Compact(p.Dependencies)
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, comparePackages)
	return packages
}
