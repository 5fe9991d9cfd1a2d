package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Read reads a lock of a project. A missing file is the Problem lock.missing, an invalid
// one is one or more Problems with positions.
func Read(fsys fs.FS, path string) (*Lock, error) {
	data, err := rawfile.ReadFS(fsys, path, MaxSize)
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
	if len(data) > MaxSize {
		return nil, &diag.Problem{Code: "lock.syntax", Pos: diag.Pos{File: path}, Summary: fmt.Sprintf("the lock is larger than %d MiB", MaxSize>>20), Hint: relock}
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
	l := &Lock{Path: r.path, RequiresPython: doc.RequiresPython, Platforms: tool.Platforms, Systems: Systems{tool.Glibc, tool.MacOS}, Requests: tool.Requests}
	l.Conda = r.conda(tool.Conda, tool.Platforms)
	for i := range doc.Packages {
		if p, ok := r.pkg(fmt.Sprintf("packages[%d]", i), &doc.Packages[i], &tool); ok {
			l.Packages = append(l.Packages, p)
		}
	}
	r.builds(l, &tool)
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
		problem := CheckConda(p)
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

// pkg reads one package; it returns false if the package is invalid. key is that of its
// position.
func (r *reader) pkg(key string, d *docPackage, tool *docReconcile) (Package, bool) {
	at := r.at[key]
	p := Package{Name: pep.Normalize(d.Name), Version: d.Version, Index: d.Tool.Reconcile.Index}
	before := r.problems.Len()
	r.byVersion[p.Name+"=="+p.Version] = at
	switch {
	case !pep.ValidName(d.Name):
		r.problem("lock.package", at, fmt.Sprintf("%q", d.Name), "package has an invalid name")
		return p, false
	case !pep.ValidVersion(d.Version):
		r.problem("lock.package", at, fmt.Sprintf("%q", d.Version), "package %s has an invalid version", d.Name)
		return p, false
	case p.Index != "" && !pep.ValidName(p.Index):
		r.problem("lock.package", at, fmt.Sprintf("%q", p.Index), "index of package %s has an invalid name", d.Name)
	}
	if d.Marker != "" {
		var ok bool
		if p.Platforms, ok = parseMarker(d.Marker, tool.Platforms); !ok {
			r.problem("lock.marker", at, d.Marker, "marker of %s does not name platforms of the lock", d.Name)
		}
	}
	for _, n := range d.Dependencies {
		if !pep.ValidName(n.Name) {
			r.problem("lock.package", at, fmt.Sprintf("%q", n.Name), "package %s has a dependency with an invalid name", d.Name)
		}
		p.Dependencies = append(p.Dependencies, pep.Normalize(n.Name))
	}
	r.files(key, d, &p, tool)
	return p, r.problems.Len() == before
}

// files reads the wheels of a package, or its source.
func (r *reader) files(key string, d *docPackage, p *Package, tool *docReconcile) {
	at := r.at[key]
	given := 0
	for _, is := range []bool{len(d.Wheels) > 0, d.Sdist != nil, d.VCS != nil, d.Directory != nil, d.Archive != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		r.problem("lock.source", at, "", "package %s does not have exactly one of wheels, sdist, vcs, directory and archive", d.Name)
		return
	}
	if d.Archive != nil && strings.HasSuffix(d.Archive.file(), ".whl") {
		p.URL = r.location(at, d.Archive)
		w := r.wheel(at, *p, d.Archive)
		w.Unpacked = max(0, tool.Unpacked[w.File])
		p.Wheels = []Wheel{w}
		return
	}
	for n := range d.Wheels {
		at := cmp.Or(r.at[fmt.Sprintf("%s.wheels[%d]", key, n)], at)
		w := r.wheel(at, *p, &d.Wheels[n])
		w.Unpacked = max(0, tool.Unpacked[w.File])
		p.Wheels = append(p.Wheels, w)
	}
	if len(p.Wheels) > 0 {
		slices.SortFunc(p.Wheels, compareWheels)
		return
	}
	p.Build = &Build{Source: r.source(at, d)}
}

// source reads the input of a build.
func (r *reader) source(at diag.Pos, d *docPackage) (s Source) {
	switch {
	case d.VCS != nil:
		s = Source{Git: d.VCS.URL, Commit: d.VCS.Commit, Subdirectory: d.VCS.Subdirectory}
		if !ValidGit(s.Git) || !ValidCommit(s.Commit) {
			r.problem("lock.source", at, fmt.Sprintf("commit %q", s.Commit), "package %s is not a full commit of a git repository", d.Name)
		}
	case d.Directory != nil:
		s = Source{Directory: r.inProject(at, d.Directory.Path)}
		if !d.Directory.Editable {
			r.problem("lock.source", at, "", "directory of package %s is not editable", d.Name)
		}
	default:
		archive := cmp.Or(d.Sdist, d.Archive)
		s = Source{File: archive.file(), Size: archive.Size, SHA256: r.digest(at, archive), Subdirectory: archive.Subdirectory}
		if d.Archive != nil {
			s.URL = r.location(at, archive)
		}
		if !ValidArchive(s.File) {
			r.problem("lock.source", at, fmt.Sprintf("%q", s.File), "source of package %s is not a .tar.gz or .zip archive", d.Name)
		}
	}
	if s.Subdirectory != "" && !fs.ValidPath(s.Subdirectory) {
		r.problem("lock.source", at, fmt.Sprintf("%q", s.Subdirectory), "subdirectory of package %s is not a path in its source", d.Name)
	}
	return s
}

// location returns the location of a direct reference.
func (r *reader) location(at diag.Pos, d *docWheel) string {
	if d.URL != "" {
		u, err := url.Parse(d.URL)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			r.problem("lock.source", at, "", "location of %s is not an https URL without credentials", d.file())
		}
		return d.URL
	}
	return "./" + r.inProject(at, d.Path)
}

// inProject returns a path that is relative to the directory of the lock relative to the
// project root. A path that leads outside is a problem.
func (r *reader) inProject(at diag.Pos, name string) string {
	inner := path.Join(path.Dir(r.path), name)
	if path.IsAbs(name) || !fs.ValidPath(inner) || strings.ContainsFunc(name, unicode.IsControl) {
		r.problem("lock.source", at, fmt.Sprintf("%q", name), "path is not in the project")
		return "."
	}
	return inner
}

// builds reads the requirements of the packages that are built.
func (r *reader) builds(l *Lock, tool *docReconcile) {
	n := 0
	for i := range tool.Builds {
		d := &tool.Builds[i]
		at := r.at[fmt.Sprintf("%s[%d]", buildTable, i)]
		p := slices.IndexFunc(l.Packages, func(p Package) bool {
			return p.Name == d.Name && p.Version == d.Version && p.Build != nil
		})
		if p < 0 {
			r.problem("lock.source", at, "", "package %s %s is not built", d.Name, d.Version)
		}
		for k := range d.Packages {
			required, ok := r.pkg(fmt.Sprintf("%s.packages[%d]", buildTable, n), &d.Packages[k], tool)
			n++
			if ok && len(required.Wheels) == 0 {
				r.problem("lock.source", at, "", "%s, which is needed to build %s, has no wheel", required.Name, d.Name)
			}
			if p >= 0 && ok {
				l.Packages[p].Build.Requires = append(l.Packages[p].Build.Requires, required)
			}
		}
		onlyBuilds := !slices.ContainsFunc(l.Packages, func(p Package) bool { return p.Build == nil })
		for _, name := range d.With {
			if !onlyBuilds && !slices.ContainsFunc(l.Packages, func(q Package) bool { return q.Name == name && q.Name != d.Name }) {
				r.problem("lock.source", at, fmt.Sprintf("%q", name), "package %s is built with a package that is not locked", d.Name)
			}
		}
		if p >= 0 {
			l.Packages[p].Build.With = d.With
		}
	}
}

func (r *reader) wheel(at diag.Pos, p Package, d *docWheel) Wheel {
	w := Wheel{File: d.file(), Size: d.Size}
	name, err := ParseWheel(w.File)
	switch {
	case err != nil:
		r.problem("lock.wheel", at, "", "%v", err)
	case name.Name != p.Name:
		r.problem("lock.wheel", at, w.File, "wheel does not belong to package %s", p.Name)
	case !pep.SameVersion(name.Version, p.Version):
		r.problem("lock.wheel", at, w.File, "wheel is not of version %s of %s", p.Version, p.Name)
	}
	if d.Size < 0 {
		r.problem("lock.wheel", at, fmt.Sprint(d.Size), "size of %s is negative", w.File)
	}
	w.SHA256 = r.digest(at, d)
	return w
}

// digest returns the digest of a file.
func (r *reader) digest(at diag.Pos, d *docWheel) facts.SHA256 {
	text := d.Hashes["sha256"]
	sum, ok := ParseDigest(text)
	if !ok {
		r.problem("lock.hash", at, fmt.Sprintf("%q", text), "%s has no valid sha256", d.file())
	}
	return sum
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
		rankings[i] = l.Systems.rank(minor, platform)
	}
	for i := range l.Packages {
		p := &l.Packages[i]
		for _, platform := range p.assign(l.Platforms, rankings) {
			r.problem("lock.source", r.byVersion[p.Name+"=="+p.Version], "", "package %s has no wheel for %s, so it would have to be built from source", p.Name, platform)
		}
	}
}
