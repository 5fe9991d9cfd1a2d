package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// Read reads the lock at a path of a project. A file that is not there is the
// Problem lock.missing, one that cannot be used is one or more Problems with
// their places.
func Read(fsys fs.FS, path string) (*Lock, error) {
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Missing(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return Decode(data, path)
}

// Missing is the Problem of an environment whose lock does not exist.
func Missing(path string) *diag.Problem {
	return &diag.Problem{
		Code: "lock.missing", Pos: diag.Pos{File: path},
		Summary: "there is no lock",
		Hint:    "run `reconcile lock`, and commit the file that it writes",
	}
}

// Decode reads a lock strictly: every problem is found in one go, each with its
// place in the file.
func Decode(data []byte, path string) (*Lock, error) {
	if len(data) > maxLock {
		return nil, &diag.Problem{Code: "lock.syntax", Pos: diag.Pos{File: path}, Summary: fmt.Sprintf("the lock is larger than %d MiB", maxLock>>20)}
	}
	var doc document
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, syntax(err, path)
	}
	r := reader{path: path, places: map[string]diag.Pos{}}
	if l := r.lock(&doc); r.problems.Len() == 0 {
		return l, nil
	}
	// Places cost more than reading, and only problems need them.
	r = reader{path: path, at: locate(data, path), places: map[string]diag.Pos{}}
	r.lock(&doc)
	return nil, r.problems.Err()
}

// syntax turns what the TOML decoder says into problems with places.
func syntax(err error, path string) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var list diag.List
		for i := range strict.Errors {
			e := &strict.Errors[i]
			row, col := e.Position()
			list.Add(&diag.Problem{
				Code: "lock.unknown-key", Pos: diag.Pos{File: path, Line: row, Col: col},
				Summary: fmt.Sprintf("key %q is not known", strings.Join(e.Key(), ".")), Hint: relock,
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

const relock = "run `reconcile lock` to write it anew"

// A reader turns a document into a lock and collects what is wrong with it.
type reader struct {
	path     string
	at       positions
	places   map[string]diag.Pos // of packages, by "name==version"
	problems diag.List
}

func (r *reader) problem(code string, pos diag.Pos, found, format string, args ...any) {
	if !pos.IsValid() {
		pos.File = r.path
	}
	r.problems.Add(&diag.Problem{Code: code, Pos: pos, Summary: fmt.Sprintf(format, args...), Found: found, Hint: relock})
}

func (r *reader) lock(doc *document) *Lock {
	if doc.LockVersion != Version {
		r.problem("lock.version", r.at.keys["lock-version"], fmt.Sprintf("%q", doc.LockVersion), "lock-version is not %q", Version)
		return nil
	}
	tool := doc.Tool.Reconcile
	if tool.Format != format {
		r.problem("lock.version", r.at.keys["tool.reconcile.format"], fmt.Sprint(tool.Format), "the lock was not written by this version of reconcile")
		return nil
	}
	line, ok := lineOf(doc.RequiresPython)
	if !ok {
		r.problem("lock.python", r.at.keys["requires-python"], fmt.Sprintf("%q", doc.RequiresPython), "requires-python does not name one line of Python, such as \">=3.10,<3.11\"")
	}
	for _, p := range tool.Platforms {
		if !Known(p) {
			r.problem("lock.platform", r.at.keys["tool.reconcile.platforms"], fmt.Sprintf("%q", p), "platform is not known")
		}
	}
	l := &Lock{Path: r.path, RequiresPython: doc.RequiresPython, Platforms: tool.Platforms, Requests: tool.Requests}
	l.Conda = r.conda(tool.Conda, tool.Platforms)
	for i := range doc.Packages {
		if p, ok := r.pkg(i, &doc.Packages[i], &tool); ok {
			l.Packages = append(l.Packages, p)
		}
	}
	if r.problems.Len() == 0 {
		r.duplicates(l)
		r.assign(l, line)
	}
	slices.SortStableFunc(l.Packages, comparePackages)
	return l
}

// conda reads the part that conda installs.
func (r *reader) conda(doc *docConda, platforms []string) *Conda {
	if doc == nil {
		return nil
	}
	c := &Conda{Channels: doc.Channels, Requests: doc.Requests}
	seen := map[string]bool{}
	for i := range doc.Packages {
		d := &doc.Packages[i]
		p := CondaPackage{Platform: d.Platform, Package: rattler.Package{
			Name: d.Name, Version: d.Version, Build: d.Build, BuildNumber: d.BuildNumber, Channel: d.Channel, Subdir: d.Subdir,
			Noarch: d.Noarch, File: d.File, Size: d.Size, SHA256: d.SHA256, MD5: d.MD5, Depends: d.Depends, Constrains: d.Constrains,
			License: d.License, SitePackages: d.SitePackages,
		}}
		key := p.Platform + " " + p.Name
		wrong := checkConda(&p)
		switch {
		case wrong != "":
		case !slices.Contains(platforms, p.Platform):
			wrong = fmt.Sprintf("package %s is for %q, which is no platform of the lock", p.Name, p.Platform)
		case !slices.Contains(c.Channels, p.Channel):
			wrong = fmt.Sprintf("package %s is of channel %q, which the lock does not name", p.Name, p.Channel)
		case seen[key]:
			wrong = fmt.Sprintf("package %s is locked twice for %s", p.Name, p.Platform)
		}
		if wrong != "" {
			r.problem("lock.conda", r.at.condaPkg(i), "", "conda: %s", wrong)
			continue
		}
		seen[key] = true
		c.Packages = append(c.Packages, p)
	}
	slices.SortFunc(c.Packages, compareConda)
	return c
}

// comparePackages orders by name, then version.
func comparePackages(a, b Package) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
}

// pkg reads one package; false where it cannot be used.
func (r *reader) pkg(i int, d *docPackage, tool *docReconcile) (Package, bool) {
	at := r.at.pkg(i)
	p := Package{Name: pep.Normalize(d.Name), Version: d.Version}
	before := r.problems.Len()
	r.places[p.Name+"=="+p.Version] = at
	switch {
	case !pep.ValidName(d.Name):
		r.problem("lock.package", at, fmt.Sprintf("%q", d.Name), "package has no proper name")
		return p, false
	case !pep.ValidVersion(d.Version):
		r.problem("lock.package", at, fmt.Sprintf("%q", d.Version), "package %s has no proper version", d.Name)
		return p, false
	case d.VCS != nil || d.Directory != nil || d.Archive != nil:
		r.problem("lock.source", at, "", "package %s does not come from an index", d.Name)
		return p, false
	case len(d.Wheels) == 0:
		r.problem("lock.source", at, "", "package %s has no wheel, so it would have to be built from source", d.Name)
		return p, false
	}
	if d.Marker != "" {
		platforms, ok := parseMarker(d.Marker, tool.Platforms)
		if !ok {
			r.problem("lock.marker", at, d.Marker, "marker of %s does not name platforms of the lock", d.Name)
		}
		p.Platforms = platforms
	}
	for n := range d.Wheels {
		w := r.wheel(r.at.wheel(i, n), p, &d.Wheels[n])
		w.Unpacked = max(0, tool.Unpacked[w.File])
		p.Wheels = append(p.Wheels, w)
	}
	slices.SortFunc(p.Wheels, func(a, b Wheel) int { return strings.Compare(a.File, b.File) })
	return p, r.problems.Len() == before
}

// wheel reads one wheel.
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
		r.problem("lock.hash", at, fmt.Sprintf("%q", digest), "wheel %s has no proper sha256", w.File)
		w.SHA256 = facts.SHA256{}
	}
	return w
}

// sameVersion compares the version in a file name, where _ stands for -, with
// the one of the package.
func sameVersion(file, version string) bool {
	if file == version {
		return true
	}
	a, okA := pep.CanonicalVersion(strings.ReplaceAll(file, "_", "-"))
	b, okB := pep.CanonicalVersion(version)
	return okA && okB && a == b
}

// duplicates finds packages that one platform would install twice, and files
// with two digests.
func (r *reader) duplicates(l *Lock) {
	type key struct{ name, platform string }
	seen := map[key]bool{}
	for _, p := range l.Packages {
		for _, platform := range l.Platforms {
			if !p.needs(platform) {
				continue
			}
			if k := (key{p.Name, platform}); seen[k] {
				r.problem("lock.duplicate", r.placeOf(p), "", "package %s is locked twice for %s", p.Name, platform)
			} else {
				seen[k] = true
			}
		}
	}
}

// assign gives every wheel its platforms; a platform without a wheel is a
// problem.
func (r *reader) assign(l *Lock, line string) {
	rankings := make([]ranking, len(l.Platforms))
	for i, platform := range l.Platforms {
		rankings[i] = rank(line, platform)
	}
	for i := range l.Packages {
		p := &l.Packages[i]
		for _, platform := range p.assign(l.Platforms, rankings) {
			r.problem("lock.source", r.placeOf(*p), "", "package %s has no wheel for %s, so it would have to be built from source", p.Name, platform)
		}
	}
}

// placeOf returns the place of the last package of that name and version.
func (r *reader) placeOf(p Package) diag.Pos {
	return r.places[p.Name+"=="+p.Version]
}
