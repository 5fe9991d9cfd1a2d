package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Read reads a lock of a project. A missing file is the Problem lock.missing, an invalid
// one is one or more Problems with positions.
func Read(fsys fs.FS, path string) (*Lock, error) {
	data, err := rawfile.ReadFS(fsys, path, maxLock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Missing(path)
	}
	if err != nil {
		return nil, &diag.Problem{
			Code: "lock.unreadable", Pos: diag.Pos{File: path}, Summary: "the lock cannot be read", Found: rawfile.Reason(err),
			Hint: "move it away, then " + relock,
		}
	}
	return Decode(data, path)
}

// Missing returns the Problem of a missing lock.
func Missing(path string) *diag.Problem {
	return &diag.Problem{
		Code: "lock.missing", Pos: diag.Pos{File: path},
		Summary: "there is no lock",
		Hint:    "run `reconcile lock`, and commit the file that it writes",
	}
}

// Decode reads a lock strictly. It returns all problems with their positions.
func Decode(data []byte, path string) (*Lock, error) {
	if len(data) > maxLock {
		return nil, &diag.Problem{Code: "lock.syntax", Pos: diag.Pos{File: path}, Summary: fmt.Sprintf("the lock is larger than %d MiB", maxLock>>20)}
	}
	var doc document
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, syntax(err, path)
	}
	r := reader{path: path, byVersion: map[string]diag.Pos{}}
	if l := r.lock(&doc); r.problems.Len() == 0 {
		return l, nil
	}
	// Positions cost more than reading, and only problems need them.
	r = reader{path: path, at: locate(data, path), byVersion: map[string]diag.Pos{}}
	r.lock(&doc)
	return nil, r.problems.Err()
}

// syntax turns an error of the TOML decoder into problems with positions.
func syntax(err error, path string) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var list diag.List
		for i := range strict.Errors {
			e := &strict.Errors[i]
			row, col := e.Position()
			list.Add(&diag.Problem{
				Code: "lock.unknown-key", Pos: diag.Pos{File: path, Line: row, Col: col},
				Summary: fmt.Sprintf("key %q is unknown", strings.Join(e.Key(), ".")), Hint: relock,
			})
		}
		return list.Err()
	}
	p := &diag.Problem{Code: "lock.syntax", Pos: diag.Pos{File: path}, Summary: strings.TrimPrefix(err.Error(), "toml: "), Hint: relock}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		p.Pos.Line, p.Pos.Col = decode.Position()
	}
	return p
}

const relock = "run `reconcile lock` to write it again"

// A reader turns a document into a lock and collects problems.
type reader struct {
	path      string
	at        positions
	byVersion map[string]diag.Pos // positions of packages, by "name==version"
	problems  diag.List
}

func (r *reader) problem(code string, pos diag.Pos, found, format string, args ...any) {
	if !pos.IsValid() {
		pos.File = r.path
	}
	r.problems.Add(&diag.Problem{Code: code, Pos: pos, Summary: fmt.Sprintf(format, args...), Found: found, Hint: relock})
}

func (r *reader) lock(doc *document) *Lock {
	if doc.LockVersion != Version {
		r.problem("lock.version", r.at["lock-version"], fmt.Sprintf("%q", doc.LockVersion), "lock-version is not %q", Version)
		return nil
	}
	tool := doc.Tool.Reconcile
	if tool.Format != format {
		r.problem("lock.version", r.at["tool.reconcile.format"], fmt.Sprint(tool.Format), "the lock was not written by this version of reconcile")
		return nil
	}
	minor, ok := minorOf(doc.RequiresPython)
	if !ok {
		r.problem("lock.python", r.at["requires-python"], fmt.Sprintf("%q", doc.RequiresPython), "requires-python does not name one Python minor version, such as \">=3.10,<3.11\"")
	}
	for _, p := range tool.Platforms {
		if !slices.Contains(KnownPlatforms(), p) {
			r.problem("lock.platform", r.at["tool.reconcile.platforms"], fmt.Sprintf("%q", p), "platform is unknown")
		}
	}
	l := &Lock{Path: r.path, RequiresPython: doc.RequiresPython, Platforms: tool.Platforms, Requests: tool.Requests}
	l.Conda = r.conda(tool.Conda, tool.Platforms)
	for i := range doc.Packages {
		if p, ok := r.pkg(i, &doc.Packages[i], &tool); ok {
			l.Packages = append(l.Packages, p)
		}
	}
	if r.problems.Len() > 0 {
		return nil
	}
	r.duplicates(l)
	r.assign(l, minor)
	slices.SortStableFunc(l.Packages, comparePackages)
	if l.Conda != nil {
		slices.SortFunc(l.Conda.Packages, compareConda) // also sorts doc, which has no problems in this part
	}
	return l
}

// conda checks the part that conda installs.
func (r *reader) conda(c *Conda, platforms []string) *Conda {
	if c == nil {
		return nil
	}
	seen := map[string]bool{}
	for i := range c.Packages {
		p := &c.Packages[i]
		key := p.Platform + " " + p.Name
		problem := checkConda(p)
		switch {
		case problem != "":
		case !slices.Contains(platforms, p.Platform):
			problem = fmt.Sprintf("package %s is for %q, which is not a platform of the lock", p.Name, p.Platform)
		case !slices.Contains(c.Channels, p.Channel):
			problem = fmt.Sprintf("package %s is from %q, which is not a channel of the lock", p.Name, p.Channel)
		case seen[key]:
			problem = fmt.Sprintf("package %s is locked twice for %s", p.Name, p.Platform)
		}
		if problem != "" {
			r.problem("lock.conda", r.at.condaPkg(i), "", "conda: %s", problem)
		}
		seen[key] = true
	}
	return c
}

// comparePackages orders by name, then by version.
func comparePackages(a, b Package) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
}

// pkg reads one package; it returns false if the package is invalid.
func (r *reader) pkg(i int, d *docPackage, tool *docReconcile) (Package, bool) {
	at := r.at.pkg(i)
	p := Package{Name: pep.Normalize(d.Name), Version: d.Version}
	before := r.problems.Len()
	r.byVersion[p.Name+"=="+p.Version] = at
	switch {
	case !pep.ValidName(d.Name):
		r.problem("lock.package", at, fmt.Sprintf("%q", d.Name), "package has an invalid name")
		return p, false
	case !pep.ValidVersion(d.Version):
		r.problem("lock.package", at, fmt.Sprintf("%q", d.Version), "package %s has an invalid version", d.Name)
		return p, false
	case d.VCS != nil || d.Directory != nil || d.Archive != nil:
		r.problem("lock.source", at, "", "package %s does not come from an index", d.Name)
		return p, false
	case len(d.Wheels) == 0:
		r.problem("lock.source", at, "", "package %s has no wheel, so it would have to be built from source", d.Name)
		return p, false
	}
	if d.Marker != "" {
		var ok bool
		if p.Platforms, ok = parseMarker(d.Marker, tool.Platforms); !ok {
			r.problem("lock.marker", at, d.Marker, "marker of %s does not name platforms of the lock", d.Name)
		}
	}
	for n := range d.Wheels {
		w := r.wheel(r.at.wheel(i, n), p, &d.Wheels[n])
		w.Unpacked = max(0, tool.Unpacked[w.File])
		p.Wheels = append(p.Wheels, w)
	}
	slices.SortFunc(p.Wheels, compareWheels)
	return p, r.problems.Len() == before
}

func (r *reader) wheel(at diag.Pos, p Package, d *docWheel) Wheel {
	w := Wheel{File: d.file(), Size: d.Size}
	name, err := ParseWheel(w.File)
	switch {
	case err != nil:
		r.problem("lock.wheel", at, "", "%v", err)
	case name.Name != p.Name:
		r.problem("lock.wheel", at, w.File, "wheel does not belong to package %s", p.Name)
	case !sameVersion(name.Version, p.Version):
		r.problem("lock.wheel", at, w.File, "wheel is not of version %s of %s", p.Version, p.Name)
	}
	if d.Size < 0 {
		r.problem("lock.wheel", at, fmt.Sprint(d.Size), "size of %s is negative", w.File)
	}
	digest := d.Hashes["sha256"]
	if len(digest) != 64 || w.SHA256.UnmarshalText([]byte(strings.ToLower(digest))) != nil || w.SHA256.IsZero() {
		r.problem("lock.hash", at, fmt.Sprintf("%q", digest), "wheel %s has no valid sha256", w.File)
		w.SHA256 = facts.SHA256{}
	}
	return w
}

// sameVersion compares the version in a file name, in which _ replaces -, with that of the
// package.
func sameVersion(file, version string) bool {
	if file == version {
		return true
	}
	a, okA := pep.CanonicalVersion(strings.ReplaceAll(file, "_", "-"))
	b, okB := pep.CanonicalVersion(version)
	return okA && okB && a == b
}

// duplicates reports packages that are locked twice for a platform.
func (r *reader) duplicates(l *Lock) {
	seen := map[[2]string]bool{} // by name and platform
	for _, p := range l.Packages {
		for _, platform := range l.Platforms {
			key := [2]string{p.Name, platform}
			if seen[key] && p.needs(platform) {
				r.problem("lock.duplicate", r.byVersion[p.Name+"=="+p.Version], "", "package %s is locked twice for %s", p.Name, platform)
			}
			seen[key] = seen[key] || p.needs(platform)
		}
	}
}

// assign sets the platforms of every wheel, and reports platforms without a wheel.
func (r *reader) assign(l *Lock, minor string) {
	rankings := make([]ranking, len(l.Platforms))
	for i, platform := range l.Platforms {
		rankings[i] = rank(minor, platform)
	}
	for i := range l.Packages {
		p := &l.Packages[i]
		for _, platform := range p.assign(l.Platforms, rankings) {
			r.problem("lock.source", r.byVersion[p.Name+"=="+p.Version], "", "package %s has no wheel for %s, so it would have to be built from source", p.Name, platform)
		}
	}
}
