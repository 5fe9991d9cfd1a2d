package lock

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// inputName is the name of the project that requests everything, in the input of uv.
const inputName = "reconcile-manifest"

// input returns the pyproject.toml that uv resolves for a platform. The named indexes are
// explicit: uv asks them for the packages that are bound to them, and no others.
func (r *resolver) input(platform string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[project]\nname = %s\nversion = \"0\"\nrequires-python = %s\ndependencies = [\n", quote(inputName), quote("=="+r.Python+".*"))
	bound, elsewhere := map[string][]Requirement{}, map[string]bool{}
	for _, p := range r.Packages {
		fmt.Fprintf(&b, "    %s,\n", quote(r.line(p)))
		name := pep.Normalize(p.Name)
		if p.Index != "" {
			bound[name] = append(bound[name], p)
		}
		elsewhere[name] = elsewhere[name] || p.Index == ""
	}
	b.WriteString("]\n")
	for _, x := range r.Indexes {
		fmt.Fprintf(&b, "\n[[tool.uv.index]]\nname = %s\nurl = %s\nexplicit = true\n", quote(x.Name), quote(x.URL))
	}
	b.WriteString("\n[tool.uv.sources]\n")
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		list := bound[name]
		if !elsewhere[name] && !slices.ContainsFunc(list, func(p Requirement) bool { return p.Index != list[0].Index }) {
			list = []Requirement{{Index: list[0].Index}} // uv refuses two sources for the same machines
		}
		var sources []string
		for _, p := range list {
			marker := ""
			if p.Marker != "" {
				marker = ", marker = " + quote(p.Marker)
			}
			sources = append(sources, "{index = "+quote(p.Index)+marker+"}")
		}
		fmt.Fprintf(&b, "%s = [%s]\n", quote(name), strings.Join(sources, ", "))
	}
	return b.String()
}

// settings returns the configuration file of uv: the metadata of the packages that are built, so
// that uv builds none, and the indexes that are searched for all packages.
func (r *resolver) settings() string {
	var b strings.Builder
	b.WriteString("dependency-metadata = [\n")
	for _, key := range slices.Sorted(maps.Keys(r.inspected)) {
		i := r.inspected[key]
		name, _, _ := strings.Cut(key, "==")
		fmt.Fprintf(&b, "    {name = %s, version = %s, requires-dist = %s, provides-extra = %s},\n", quote(name), quote(i.Version), quoteList(i.RequiresDist), quoteList(i.Extras))
	}
	for _, name := range slices.Sorted(maps.Keys(r.sourceOnly)) {
		fmt.Fprintf(&b, "    {name = %s, requires-dist = []},\n", quote(name)) // until its version is known
	}
	b.WriteString("]\n")
	for _, x := range r.Indexes {
		if x.Searched {
			fmt.Fprintf(&b, "\n[[index]]\nname = %s\nurl = %s\n", quote(x.Name), quote(x.URL))
		}
	}
	return b.String()
}

// overrides returns an overrides file; "" if there are none.
func (r *resolver) overrides() string {
	var b strings.Builder
	for _, o := range r.Overrides {
		b.WriteString(o.String() + "\n")
	}
	return b.String()
}

// line returns a requirement as uv reads it.
func (r *resolver) line(p Requirement) string {
	name := pep.Normalize(p.Name)
	if r.direct[name] != nil && p.URL != "" {
		p.URL = fileURL(filepath.Join(r.Dir, "stubs", stubName(name, r.direct[name].Version)))
	} else if path, ok := strings.CutPrefix(p.URL, "./"); ok {
		p.URL = fileURL(filepath.Join(r.Root, filepath.FromSlash(path)))
	}
	return p.String()
}

func fileURL(name string) string { return (&url.URL{Scheme: "file", Path: name}).String() }

// constraints returns a constraints file with the constraints of the project, and with the
// Python packages that conda installs; "" if there are none.
func (r *resolver) constraints() string {
	var lines []string
	for _, c := range r.Constraints {
		lines = append(lines, c.String()+"\n")
	}
	for name, version := range r.provided {
		lines = append(lines, Requirement{Name: name, Specifier: "==" + version}.String()+"\n")
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}

// inspectDirect reads the metadata of the requirements that are built from a direct reference,
// and writes a wheel with these metadata for each. uv resolves the wheels, so that it never
// builds.
func (r *resolver) inspectDirect(ctx context.Context) error {
	var problems diag.List
	for _, p := range r.Packages {
		source, ok := directSource(p.URL)
		name := pep.Normalize(p.Name)
		if !ok || r.direct[name] != nil {
			continue
		}
		if source.Git != "" && !ValidCommit(source.Commit) {
			source.Commit = cmp.Or(r.previousCommit(p, source), source.Commit)
		}
		i, err := r.inspect(ctx, Inspection{Source: source, Name: name, Python: r.Python})
		if err == nil {
			err = r.writeStub(name, i)
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			problems.AddErr(at(err, p.Pos))
			continue
		}
		r.direct[name] = i
	}
	return problems.Err()
}

// previousCommit returns the locked commit of a branch or a tag, which moves only with Upgrade;
// "" for none.
func (r *resolver) previousCommit(p Requirement, s Source) string {
	if r.Previous == nil || r.Upgrade || !slices.Contains(r.Previous.Requests, p.Request()) {
		return ""
	}
	for _, q := range r.Previous.Packages {
		if q.Name == pep.Normalize(p.Name) && q.Build != nil && q.Build.Git == s.Git && q.Build.Subdirectory == s.Subdirectory {
			return q.Build.Commit
		}
	}
	return ""
}

// reuseBuilds takes the metadata and the build requirements of packages that are built from the
// previous lock, if it was made for the same requests.
func (r *resolver) reuseBuilds() {
	if r.Previous == nil || r.Upgrade {
		return
	}
	same := slices.Equal(r.Previous.Requests, Requests(r.Packages, r.Constraints, r.Overrides)) && slices.Equal(r.Previous.Platforms, slices.Sorted(slices.Values(r.Platforms)))
	for _, p := range r.Previous.Packages {
		if _, permitted := r.Builds[p.Name]; !permitted || p.Build == nil || p.Build.File == "" || p.Build.URL != "" {
			continue
		}
		r.sourceOnly[p.Name] = true
		if same && r.Builds[p.Name].fits(p) {
			r.inspected[p.Name+"=="+p.Version] = &Inspected{
				Source: p.Build.Source, Version: p.Version, RequiresDist: r.lockedDependencies(p), Requires: p.Build.Requires, With: p.Build.With,
			}
		}
	}
}

// lockedDependencies returns the dependencies of a package in the previous lock, by PEP 508.
func (r *resolver) lockedDependencies(p Package) []string {
	var list []string
	for _, name := range p.Dependencies {
		for _, d := range r.Previous.Packages {
			if d.Name == name {
				list = append(list, Requirement{Name: name, Marker: r.Previous.marker(d)}.String())
			}
		}
	}
	return list
}

// at gives the problems of err that have no position one.
func at(err error, pos diag.Pos) error {
	for _, p := range diag.Problems(err) {
		if !p.Pos.IsValid() {
			p.Pos = pos
		}
	}
	return err
}

// directSource returns the source of a direct reference; false for a wheel.
func directSource(text string) (Source, bool) {
	if rest, ok := strings.CutPrefix(text, "git+"); ok {
		rest, fragment, _ := strings.Cut(rest, "#")
		host := strings.Index(rest, "://") + len("://")
		path := host + max(0, strings.IndexByte(rest[host:], '/'))
		split := len(rest) // for the default branch
		if at := strings.LastIndexByte(rest[path:], '@'); at >= 0 {
			split = path + at
		}
		return Source{Git: rest[:split], Commit: strings.TrimPrefix(rest[split:], "@"), Subdirectory: subdirectory(fragment)}, true
	}
	location, fragment, _ := strings.Cut(text, "#")
	file := location[strings.LastIndexByte(location, '/')+1:]
	switch {
	case text == "" || strings.HasSuffix(file, ".whl"):
		return Source{}, false
	case ValidArchive(file):
		s := Source{File: file, URL: location, Subdirectory: subdirectory(fragment)}
		if digest := fragmentValue(fragment, "sha256"); digest != "" {
			s.SHA256, _ = ParseDigest(digest) // CheckURL has checked it
		}
		return s, true
	}
	directory := strings.TrimSuffix(strings.TrimPrefix(location, "./"), "/")
	if directory == "" {
		directory = "."
	}
	return Source{Directory: directory}, strings.HasPrefix(location, "./")
}

// subdirectory returns that of the fragment of a URL.
func subdirectory(fragment string) string {
	return strings.Trim(fragmentValue(fragment, "subdirectory"), "/")
}

// fragmentValue returns the value of a key in the fragment of a URL, "" for none.
func fragmentValue(fragment, key string) string {
	for part := range strings.SplitSeq(fragment, "&") {
		if value, ok := strings.CutPrefix(part, key+"="); ok {
			return value
		}
	}
	return ""
}

// inspect calls Inspect.
func (r *resolver) inspect(ctx context.Context, in Inspection) (*Inspected, error) {
	if r.Inspect == nil {
		return nil, &diag.Problem{Code: "lock.source", Summary: in.Name + " would have to be built from source"}
	}
	in.Resolve = func(ctx context.Context, requirements []string) ([]Package, error) {
		return r.buildRequirements(ctx, in.Name, requirements)
	}
	return r.Inspect(ctx, in)
}

// buildRequirements resolves what a build backend needs: wheels only, for all platforms.
func (r *resolver) buildRequirements(ctx context.Context, name string, requirements []string) ([]Package, error) {
	dir, err := os.MkdirTemp(r.Dir, "build-")
	if err != nil {
		return nil, err
	}
	req := r.Request
	req.Dir = dir
	req.Conda, req.Packages, req.Constraints, req.Hashes, req.Builds, req.Inspect = nil, nil, nil, nil, nil, nil
	for _, text := range requirements {
		p, err := pep.ParseRequirement(text)
		if err != nil || p.URL != "" {
			return nil, &diag.Problem{
				Code: "lock.source", Summary: fmt.Sprintf("%s requires %q for its build, which is not a package of an index", name, text),
				Hint: "use a wheel of " + name + ": write its path in the project, such as \"" + name + " @ ./wheels/FILE.whl\"",
			}
		}
		req.Packages = append(req.Packages, Requirement{Name: p.Name, Extras: p.Extras, Specifier: pep.Specifier(p.Clauses), Marker: p.Marker})
	}
	req.Previous = r.previousBuild(name)
	l, err := Resolve(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("resolve what %s needs for its build: %w", name, err)
	}
	return l.Packages, nil
}

// previousBuild returns the requirements of the build of a package in the previous lock, as a
// lock; nil for none.
func (r *resolver) previousBuild(name string) *Lock {
	if r.Previous == nil {
		return nil
	}
	for _, p := range r.Previous.Packages {
		if p.Name == name && p.Build != nil {
			return &Lock{Path: r.Path, Platforms: r.Previous.Platforms, Packages: p.Build.Requires}
		}
	}
	return nil
}

// stubName returns the file name of a wheel that has only metadata.
func stubName(name, version string) string {
	return strings.ReplaceAll(name, "-", "_") + "-" + strings.ReplaceAll(version, "-", "_") + "-py3-none-any.whl"
}

// writeStub writes a wheel that has only metadata.
func (r *resolver) writeStub(name string, i *Inspected) error {
	dir := filepath.Join(r.Dir, "stubs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	metadata := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + i.Version + "\n"
	for _, extra := range i.Extras {
		metadata += "Provides-Extra: " + oneLine(extra) + "\n"
	}
	for _, d := range i.RequiresDist {
		metadata += "Requires-Dist: " + oneLine(d) + "\n"
	}
	info := strings.TrimSuffix(stubName(name, i.Version), "-py3-none-any.whl") + ".dist-info/"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{{"METADATA", metadata}, {"WHEEL", "Wheel-Version: 1.0\nGenerator: reconcile\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}, {"RECORD", ""}} {
		w, err := z.Create(info + f[0])
		if err == nil {
			_, err = w.Write([]byte(f[1]))
		}
		if err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stubName(name, i.Version)), b.Bytes(), 0o600)
}

// oneLine returns a text without line ends.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
