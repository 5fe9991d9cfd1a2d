package lock

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A source is the location of a wheel while the lock is made: a URL, or a path of this
// machine.
type source struct{ url, path string }

// parse reads the pylock that uv wrote for a platform, and keeps the best wheel of each
// package. again reports that the metadata of a package became known, so that the result may
// change.
func (r *resolver) parse(ctx context.Context, data []byte, platform string) (packages []Package, again bool, err error) {
	var doc document
	if err := toml.Unmarshal(data, &doc); err != nil {
		return nil, false, fmt.Errorf("read the output of uv for %s: %w", platform, err)
	}
	packages = make([]Package, 0, len(doc.Packages))
	best := Chooser(r.Python, []string{platform}, r.Systems)
	var problems diag.List
	for i := range doc.Packages {
		d := &doc.Packages[i]
		p := Package{Name: pep.Normalize(d.Name), Version: d.Version, Index: r.index(d.Name, platform)}
		switch {
		case r.direct[p.Name] != nil && d.Archive != nil:
			p.Build = r.direct[p.Name].build()
		case d.Archive != nil:
			problems.Add(r.archive(&p, d.Archive, platform))
		case len(d.Wheels) == 0 && r.sourceOnly[p.Name]:
			known, err := r.sdist(ctx, &p, d.Sdist)
			if err != nil {
				return nil, false, err
			}
			again = again || !known
		default:
			p.Wheels = r.wheels(p.Name, d.Wheels, platform)
			if i := best(p.Wheels)[0]; i >= 0 {
				p.Wheels = []Wheel{p.Wheels[i]}
			} else {
				problems.Add(r.noWheel(p, platform))
				continue
			}
		}
		packages = append(packages, p)
	}
	return packages, again, problems.Err()
}

// wheels returns the wheels of a package that have a digest, which must be one of the required.
func (r *resolver) wheels(name string, list []docWheel, platform string) (wheels []Wheel) {
	for _, w := range list {
		wheel := Wheel{File: w.file(), Size: w.Size, Platforms: []string{platform}}
		var ok bool
		if wheel.SHA256, ok = ParseDigest(w.Hashes["sha256"]); !ok {
			continue // an index without digests: the wheel could not be verified
		}
		if required := r.Hashes[name]; len(required) > 0 && !slices.Contains(required, wheel.SHA256) {
			continue
		}
		wheels = append(wheels, wheel)
		r.sources[wheel.File] = r.source(w)
	}
	return wheels
}

// archive adds the wheel of a direct reference to a package.
func (r *resolver) archive(p *Package, d *docWheel, platform string) *diag.Problem {
	p.Wheels = r.wheels(p.Name, []docWheel{*d}, platform)
	requirement, _ := r.requirement(p.Name)
	p.URL, _, _ = strings.Cut(requirement.URL, "#")
	if len(p.Wheels) == 0 || p.URL == "" || Chooser(r.Python, []string{platform}, r.Systems)(p.Wheels)[0] < 0 {
		return r.noWheel(*p, platform)
	}
	return nil
}

// sdist makes a package one that is built, if that is permitted: else refused reports it.
// known is false if its metadata were not known to uv.
func (r *resolver) sdist(ctx context.Context, p *Package, d *docWheel) (known bool, err error) {
	rule, permitted := r.Builds[p.Name]
	if !permitted || d == nil {
		p.Build = &Build{}
		return true, nil
	}
	key := p.Name + "==" + p.Version
	i := r.inspected[key]
	if known = i != nil; !known {
		in := Inspection{Name: p.Name, Version: p.Version, Index: p.Index, Python: r.Python, Rule: rule}
		in.File, in.Size = d.file(), d.Size
		var ok bool
		if in.SHA256, ok = ParseDigest(d.Hashes["sha256"]); !ok {
			return false, &diag.Problem{
				Code: "lock.source", Pos: r.pos(p.Name), Summary: fmt.Sprintf("the index has no sha256 of the source of %s==%s", p.Name, p.Version),
				Hint: "request a version that has wheels, or use an index that publishes digests",
			}
		}
		if i, err = r.inspect(ctx, in); err != nil {
			return false, at(err, r.pos(p.Name))
		}
		r.inspected[key] = i
	}
	p.Build = i.build()
	return known, nil
}

func (i *Inspected) build() *Build {
	return &Build{Source: i.Source, Requires: i.Requires, With: i.With}
}

// index returns the name of the index to which a package is bound on a platform.
func (r *resolver) index(name, platform string) string {
	for _, p := range r.Packages {
		if pep.Normalize(p.Name) == pep.Normalize(name) && p.Index != "" && r.holds(p.Marker, platform) {
			return p.Index
		}
	}
	return ""
}

// holds reports whether a marker holds on a platform. One that cannot be evaluated holds.
func (r *resolver) holds(text, platform string) bool {
	if text == "" {
		return true
	}
	holds, ok := MarkerEnvironment(platform, r.Python).Holds(text)
	return holds || !ok
}

// source returns the location of a wheel. A relative path is relative to the output of uv.
func (r *resolver) source(w docWheel) source {
	switch {
	case w.URL != "":
		if path, ok := strings.CutPrefix(w.URL, "file://"); ok {
			return source{path: path}
		}
		return source{url: w.URL}
	case filepath.IsAbs(w.Path):
		return source{path: w.Path}
	}
	return source{path: filepath.Join(r.Dir, filepath.FromSlash(w.Path))}
}

// noWheel returns the Problem of a package without a wheel or without a digest.
func (r *resolver) noWheel(p Package, platform string) *diag.Problem {
	problem := &diag.Problem{
		Code: "lock.source", Pos: cmp.Or(r.pos(p.Name), diag.Pos{File: r.Path}),
		Summary: fmt.Sprintf("%s==%s has no wheel with a sha256 for %s and Python %s", p.Name, p.Version, platform, r.Python),
		Hint:    "request a version that has wheels, or remove " + platform + " from `platforms`",
	}
	if len(r.Hashes[p.Name]) > 0 {
		problem.Summary = fmt.Sprintf("no wheel of %s==%s for %s and Python %s has one of the hashes of the requirements file", p.Name, p.Version, platform, r.Python)
		problem.Hint = "add the hash to the file, or remove the hashes of " + p.Name
	}
	return problem
}

// annotate adds the dependencies of packages, which only the requirements format of uv has.
func (r *resolver) annotate(ctx context.Context, platform string, packages []Package) error {
	versions := make([]string, len(packages))
	for i, p := range packages {
		versions[i] = p.Name + "==" + p.Version + "\n"
	}
	out := filepath.Join(r.Dir, "annotated-"+platform+".txt")
	if err := removeIfExists(out); err != nil {
		return err
	}
	pinned := *r
	for _, p := range packages {
		if p.URL == "" && (p.Build == nil || p.Build.File != "" && p.Build.URL == "") {
			pinned.Constraints = append(slices.Clip(pinned.Constraints), Requirement{Name: p.Name, Specifier: "==" + p.Version})
		}
	}
	if output, err := pinned.compile(ctx, platform, r.input(platform), out, "requirements.txt"); err != nil {
		return r.explain(ctx, platform, output, err)
	}
	data, err := rawfile.ReadFile(out, MaxSize, 0)
	if err != nil {
		return fmt.Errorf("read the output of uv for %s: %w", platform, err)
	}
	parents, indexes := annotations(string(data))
	for i := range packages {
		for _, x := range r.Indexes {
			if x.Searched && packages[i].Index == "" && sameIndex(x.URL, indexes[packages[i].Name]) {
				packages[i].Index = x.Name
			}
		}
		packages[i].Dependencies = nil
		for child, list := range parents {
			if slices.Contains(list, packages[i].Name) && !r.isProvided(child) {
				packages[i].Dependencies = append(packages[i].Dependencies, child)
			}
		}
		slices.Sort(packages[i].Dependencies)
	}
	return nil
}

func (r *resolver) isProvided(name string) bool { return r.provided[name] != "" }

// sameIndex compares the URL of an index with the one that uv prints.
func sameIndex(index, printed string) bool {
	u, err := url.Parse(index)
	if err != nil || printed == "" {
		return false
	}
	p, err := url.Parse(printed)
	return err == nil && u.Host == p.Host && strings.TrimSuffix(u.Path, "/") == strings.TrimSuffix(p.Path, "/")
}

// annotations returns the packages that require each package, and the URL of its index, by name,
// of a requirements file that uv wrote:
//
//	six==1.17.0
//	    # via
//	    #   input (pyproject.toml)
//	    #   langdetect
//	    # from https://HOST/simple
func annotations(text string) (parents map[string][]string, indexes map[string]string) {
	parents, indexes = map[string][]string{}, map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		comment, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !isComment {
			if r, err := pep.ParseRequirement(strings.TrimSpace(line)); err == nil {
				name = pep.Normalize(r.Name)
			}
			continue
		}
		comment = strings.TrimSpace(comment)
		if from, ok := strings.CutPrefix(comment, "from "); ok {
			indexes[name] = from
			continue
		}
		parent := strings.TrimSpace(strings.TrimPrefix(comment, "via"))
		if pep.ValidName(parent) {
			parents[name] = append(parents[name], pep.Normalize(parent))
		}
	}
	return parents, indexes
}
