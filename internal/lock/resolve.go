package lock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// A Request is the input of Resolve. Paths are absolute, except for Path.
type Request struct {
	Path      string   // of the lock, relative to the project root
	Python    string   // minor version: "3.10"
	Platforms []string // "macos-arm64", "linux-x86_64"
	Packages  []Requirement
	Previous  *Lock // its versions are kept if the pins allow it; nil for none
	Upgrade   bool  // do not keep them

	Conda       *CondaRequest // nil for environments of type venv
	UV          string
	UVSHA256    facts.SHA256              // of UV, checked at each start; zero for a program of the machine
	Interpreter string                    // a Python for uv, "" to let uv search for one
	Cache       string                    // of uv
	Dir         string                    // an empty folder, which others cannot write, for temporary files and the homes of programs
	IndexEnv    []string                  // KEY=value: index, CA, wheel folders, proxy of this machine
	Redactor    *redact.Redactor          // of the output of uv and py-rattler
	Line        func(stream, line string) // called for each line of uv's output; may be nil
	Client      *http.Client              // for the installed sizes of wheels; nil leaves them unknown
}

// Resolve resolves the pins for every platform. It runs uv, uses the network, and writes
// only to Dir and Cache. A pin that does not exist (lock.pin), pins that exclude each other
// (lock.conflict) and an index that does not answer (lock.index) are Problems.
func Resolve(ctx context.Context, req Request) (*Lock, error) {
	requires, ok := requiresPython(req.Python)
	if !ok {
		return nil, fmt.Errorf("lock %s: %q is not a Python minor version", req.Path, req.Python)
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	r := resolver{Request: req, sources: map[string]source{}}
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
	l := &Lock{
		Conda: conda,
		Path:  req.Path, RequiresPython: requires,
		Platforms: slices.Sorted(slices.Values(req.Platforms)),
		Packages:  r.merge(),
	}
	for _, p := range req.Packages {
		l.Requests = append(l.Requests, p.Request())
	}
	slices.Sort(l.Requests)
	r.unpacked(ctx, l)
	return l, nil
}

// check rejects values that are unsafe in a command line or a requirements file.
func (r Request) check() error {
	var list diag.List
	seen := map[string]bool{}
	for _, p := range r.Packages {
		name, summary := pep.Normalize(p.Name), ""
		switch {
		case !pep.ValidName(p.Name):
			summary = fmt.Sprintf("%q is not a valid package name", p.Name)
		case !validSpecifier(p.Specifier):
			summary = fmt.Sprintf("%q is not a version specifier for %s", p.Specifier, p.Name)
		case p.Marker == "" && seen[name]:
			summary = fmt.Sprintf("package %s is requested twice", p.Name)
		case strings.ContainsAny(p.Marker, "\n\r\\#"):
			summary = fmt.Sprintf("marker %q of %s is invalid", p.Marker, p.Name)
		}
		if summary != "" {
			list.Add(&diag.Problem{Code: "lock.pin", Pos: p.Pos, Summary: summary})
		}
		seen[name] = seen[name] || p.Marker == ""
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
}

// resolved are the packages of one platform.
type resolved struct {
	platform string
	packages []Package
}

// uvPlatform returns the name of a platform for uv, with the newest supported system.
func uvPlatform(platform string) string {
	switch platform {
	case "linux-x86_64":
		return fmt.Sprintf("x86_64-manylinux_2_%d", newestGlibc)
	case "linux-aarch64":
		return fmt.Sprintf("aarch64-manylinux_2_%d", newestGlibc)
	case "macos-arm64":
		return "aarch64-apple-darwin"
	}
	return "x86_64-apple-darwin"
}

// platform resolves the packages of a platform, each with one wheel.
func (r *resolver) platform(ctx context.Context, platform string) ([]Package, error) {
	var pins strings.Builder
	for _, p := range r.Packages {
		pins.WriteString(p.String() + "\n")
	}
	out := filepath.Join(r.Dir, "pylock."+platform+".toml")
	if keep := r.preferences(platform); len(keep.Packages) > 0 {
		if err := os.WriteFile(out, keep.Encode(), 0o600); err != nil {
			return nil, fmt.Errorf("prepare the lock for %s: %w", platform, err)
		}
	}
	output, err := r.compile(ctx, platform, pins.String(), out)
	if err != nil {
		return nil, r.explain(ctx, platform, output, err)
	}
	data, err := rawfile.ReadFile(out, maxLock, 0)
	if err != nil {
		return nil, fmt.Errorf("read the output of uv for %s: %w", platform, err)
	}
	packages, err := r.parse(data, platform)
	return withoutProvided(packages, r.provided), err
}

// compile runs `uv pip compile` on the text of a requirements file.
func (r *resolver) compile(ctx context.Context, platform, pins, out string) (string, error) {
	in := filepath.Join(r.Dir, platform+".in")
	if err := os.WriteFile(in, []byte(pins), 0o600); err != nil {
		return "", fmt.Errorf("prepare the pins for %s: %w", platform, err)
	}
	args := []string{
		"pip", "compile", "--no-config", "--no-python-downloads", "--cache-dir", r.Cache,
		"--python-version", r.Python, "--python-platform", uvPlatform(platform), "--only-binary", ":all:",
		"--no-header", "--no-annotate", "--color", "never", "--no-progress", "--output-file", out,
	}
	if r.Interpreter != "" {
		args = append(args, "--python", r.Interpreter)
	}
	if len(r.provided) > 0 {
		held := filepath.Join(r.Dir, platform+".constraints")
		if err := os.WriteFile(held, []byte(constraints(r.provided)), 0o600); err != nil {
			return "", fmt.Errorf("prepare the pins for %s: %w", platform, err)
		}
		args = append(args, "--constraints", held)
	}
	result, err := command.Run(ctx, command.Command{
		Program: r.UV, SHA256: r.UVSHA256, Args: append(args, "--", in), Env: r.IndexEnv, Dir: r.Dir, Private: r.Dir,
		Timeout: 10 * time.Minute, Redactor: r.Redactor, Line: r.Line,
	})
	return r.Redactor.String(string(result.Stderr)), err
}

// preferences returns the versions that uv should keep if the pins allow it: those of the
// previous lock, and those of other platforms, so that platforms do not differ needlessly.
func (r *resolver) preferences(platform string) *Lock {
	l := &Lock{Path: r.Path, Platforms: []string{platform}, RequiresPython: "==" + r.Python + ".*"}
	have := map[string]bool{}
	add := func(packages []Package) {
		for _, p := range packages {
			if !have[p.Name] {
				have[p.Name] = true
				l.Packages = append(l.Packages, Package{Name: p.Name, Version: p.Version, Wheels: p.Wheels})
			}
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
			key := p.Name + "==" + p.Version
			m, ok := byKey[key]
			if !ok {
				m = &Package{Name: p.Name, Version: p.Version}
				byKey[key] = m
			}
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
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, comparePackages)
	return packages
}

var (
	noVersion = regexpOnce(`there is no version of ([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9A-Za-z.!+_-]*[0-9A-Za-z])`)
	notFound  = regexpOnce(`([A-Za-z0-9._-]+) was not found in (?:the package registry|the provided package locations|the cache)`)
	noWheel   = regexpOnce(`([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9A-Za-z.!+_-]*[0-9A-Za-z]) has no (?:usable )?wheels`)
	secret    = regexpOnce(`://[^/@\s]+@`)
)

func regexpOnce(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// explain returns the Problem of a failure of uv.
func (r *resolver) explain(ctx context.Context, platform, output string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("resolve %s for %s: %w", r.Path, platform, context.Cause(ctx))
	}
	text := errorText(output)
	flat := strings.Join(strings.Fields(text), " ")
	for _, reason := range []struct {
		expr *regexp.Regexp
		what string
	}{{noVersion(), "does not exist"}, {noWheel(), "has no wheel for " + platform + " and Python " + r.Python}, {notFound(), "is not in the index"}} {
		m := reason.expr.FindStringSubmatch(flat)
		if m == nil {
			continue
		}
		if pin, ok := r.pin(m[1]); ok {
			return r.wrongPin(ctx, platform, pin, reason.what)
		}
	}
	if strings.Contains(text, "No solution found") {
		return r.conflict(platform, text)
	}
	if _, ok := indexerror.Unreachable(text); ok {
		return &diag.Problem{
			Code: "lock.index", Pos: diag.Pos{File: r.Path},
			Summary: "the package index could not be reached", Found: text,
			Hint: "check the network, or name a mirror in ~/.config/reconcile/config.yaml or RECONCILE_INDEX_URL; `reconcile facts` shows the settings, under \"index\"",
		}
	}
	return fmt.Errorf("resolve %s for %s with %s: %w\n%s", r.Path, platform, r.UV, err, text)
}

// errorText returns the output of uv without warnings and secrets.
func errorText(output string) string {
	var lines []string
	for line := range strings.Lines(secret().ReplaceAllString(output, "://***@")) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "warning:") {
			lines = append(lines, strings.TrimPrefix(line, "error: "))
		}
	}
	return strings.Join(lines, "\n")
}

// pin returns the pin of a package.
func (r *resolver) pin(name string) (Requirement, bool) {
	i := slices.IndexFunc(r.Packages, func(p Requirement) bool { return pep.Normalize(p.Name) == pep.Normalize(name) })
	if i < 0 {
		return Requirement{}, false
	}
	return r.Packages[i], true
}

// wrongPin returns the Problem of a pin that cannot be resolved. Its hint is the newest
// available version.
func (r *resolver) wrongPin(ctx context.Context, platform string, pin Requirement, what string) error {
	p := &diag.Problem{
		Code: "lock.pin", Pos: pin.Pos,
		Summary: fmt.Sprintf("%s%s %s", pin.Name, pin.Specifier, what),
		Hint:    fmt.Sprintf("change the version of %s in the manifest", pin.Name),
	}
	newest, err := r.newest(ctx, platform, pin.Name)
	if err != nil || newest == "" {
		p.Found = "no version of " + pin.Name + " for " + platform + " and Python " + r.Python
		p.Hint = "check the spelling of the name, and whether the index of this machine has it"
		return p
	}
	p.Found = fmt.Sprintf("%s %s is the newest version for %s and Python %s", pin.Name, newest, platform, r.Python)
	p.Hint = fmt.Sprintf("pin %s==%s, or another available version", pin.Name, newest)
	return p
}

// newest returns the newest version of a package for a platform, without the other pins.
func (r *resolver) newest(ctx context.Context, platform, name string) (string, error) {
	out := filepath.Join(r.Dir, "pylock.newest.toml")
	if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("clear %s: %w", out, err)
	}
	if _, err := r.compile(ctx, platform, name+"\n", out); err != nil {
		return "", err
	}
	data, err := rawfile.ReadFile(out, maxLock, 0)
	if err != nil {
		return "", fmt.Errorf("read the output of uv: %w", err)
	}
	packages, err := r.parse(data, platform)
	if err != nil {
		return "", err
	}
	for _, p := range packages {
		if p.Name == pep.Normalize(name) {
			return p.Version, nil
		}
	}
	return "", nil
}

// conflict returns the Problem of pins that exclude each other, at the first pin in the
// message of uv.
func (r *resolver) conflict(platform, text string) error {
	p := &diag.Problem{
		Code: "lock.conflict", Summary: "the pins cannot be installed together on " + platform,
		Found: strings.TrimSpace(strings.TrimPrefix(text, "No solution found when resolving dependencies\n")),
		Hint:  "change one of the versions named above",
	}
	for _, pin := range r.Packages {
		if strings.Contains(text, "require "+pep.Normalize(pin.Name)+"==") || strings.Contains(text, pep.Normalize(pin.Name)+pin.Specifier) {
			p.Pos = pin.Pos
			break
		}
	}
	return p
}
