package sourcebuild

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

// An Inspector reads the metadata of sources while a lock is made. It runs the backend of a source
// only if its files do not determine the metadata or the requirements of the build.
type Inspector struct {
	Root     string              // of the project, absolute, links resolved
	Store    string              // absolute, of the user
	Python   string              // an interpreter of the minor version of the lock, "" if this machine has none
	Platform string              // of this machine, as in locks
	Packages *simpleindex.Source // for archives and for what builds require
	Git      Git
	Jobs     int
}

// Inspect implements lock.Request.Inspect.
func (i *Inspector) Inspect(ctx context.Context, in lock.Inspection) (*lock.Inspected, error) {
	for _, dir := range []string{layout.Dists(i.Store), layout.Temp(i.Store), filepath.Dir(layout.BuildLog(i.Store, "x", "x", strings.Repeat("0", 64)))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	temp := filepath.Join(layout.Temp(i.Store), atomicfile.TempName())
	if err := os.Mkdir(temp, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	s := &inspection{Inspector: i, Inspection: in, temp: temp}
	s.with = in.Rule.With
	if s.with == nil {
		s.with = lock.DefaultWith(pep.Normalize(in.Name))
	}
	return s.run(ctx)
}

// An inspection is one call of Inspect.
type inspection struct {
	*Inspector
	lock.Inspection
	temp string
	with []string
}

func (s *inspection) run(ctx context.Context) (*lock.Inspected, error) {
	dir, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	p, err := Open(dir)
	if err != nil {
		return nil, s.failed(err)
	}
	result := &lock.Inspected{Source: s.Source, With: s.with}
	requires := p.Requires
	if len(requires) > 0 {
		if result.Requires, err = s.Resolve(ctx, requires); err != nil {
			return nil, err
		}
	}
	meta := p.Static
	if meta == nil && len(s.with) > 0 {
		meta = p.Stated // a hook would need the packages of With, which are not resolved yet
	}
	switch {
	case len(s.with) > 0 && meta != nil, p.NeedsNoMore() && meta != nil:
	case s.Inspector.Python == "" && meta != nil:
		if p.Backend == "hatchling.build" && s.Directory != "" {
			if result.Requires, err = s.Resolve(ctx, append(slices.Clone(requires), "editables")); err != nil {
				return nil, err
			}
		}
	case s.Inspector.Python == "":
		return nil, &diag.Problem{
			Code: "build.failed", Summary: fmt.Sprintf("the metadata of %s are dynamic, and this machine has no Python %s to determine them", s.Name, s.Inspection.Python),
			Hint: fmt.Sprintf("install Python %s, or lock on a machine that has it", s.Inspection.Python),
		}
	default:
		if meta, err = s.ask(ctx, p, result, meta); err != nil {
			return nil, err
		}
	}
	if name := pep.Normalize(s.Name); name != "" && pep.Normalize(meta.Name) != name || s.Version != "" && !pep.SameVersion(meta.Version, s.Version) {
		return nil, &diag.Problem{
			Code: "build.metadata", Summary: fmt.Sprintf("the source of %s is that of another package or version", strings.TrimSpace(s.Name+" "+s.Version)), Found: meta.Name + " " + meta.Version,
			Hint: "correct the name or the version in the manifest, then run `reconcile lock`",
		}
	}
	if !pep.AllowsPython(meta.RequiresPython, s.Inspection.Python) {
		return nil, &diag.Problem{
			Code: "build.metadata", Summary: fmt.Sprintf("the source of %s is not for Python %s", strings.TrimSpace(s.Name+" "+s.Version), s.Inspection.Python), Found: "requires-python " + meta.RequiresPython,
			Hint: "set `python` of the environment to a version that it allows, then run `reconcile lock`",
		}
	}
	result.Version = meta.Version
	if v, ok := pep.CanonicalVersion(meta.Version); ok {
		result.Version = v
	}
	result.RequiresDist, result.Extras = meta.Requires, meta.Extras
	return result, nil
}

// ask calls the hooks of the backend for the requirements of the build, and for the metadata unless
// they are known.
func (s *inspection) ask(ctx context.Context, p *Project, result *lock.Inspected, meta *Metadata) (*Metadata, error) {
	editable := s.Directory != ""
	packages := result.Requires
	if len(s.with) > 0 {
		with, err := s.Resolve(ctx, append(slices.Clone(p.Requires), s.with...))
		if err != nil {
			return nil, err
		}
		packages = with
	}
	env, err := s.environment(ctx, packages)
	if err != nil {
		return nil, err
	}
	more, err := env.Requires(ctx, p, editable)
	if err != nil {
		return nil, err
	}
	if len(more) > 0 {
		all := append(slices.Clone(p.Requires), more...)
		if result.Requires, err = s.Resolve(ctx, all); err != nil {
			return nil, err
		}
		packages = result.Requires
		if len(s.with) > 0 {
			if packages, err = s.Resolve(ctx, append(all, s.with...)); err != nil {
				return nil, err
			}
		}
	}
	if meta != nil {
		return meta, nil
	}
	if len(more) > 0 {
		if env, err = s.environment(ctx, packages); err != nil {
			return nil, err
		}
	}
	m, err := env.Metadata(ctx, p, editable)
	return &m, err
}

// environment returns an environment with those of the packages that this platform needs.
func (s *inspection) environment(ctx context.Context, packages []lock.Package) (*Environment, error) {
	var entries []*wheels.Entry
	for _, p := range packages {
		if p.Platforms != nil && !slices.Contains(p.Platforms, s.Platform) {
			continue
		}
		n := slices.IndexFunc(p.Wheels, func(w lock.Wheel) bool { return slices.Contains(w.Platforms, s.Platform) })
		if n < 0 {
			return nil, &diag.Problem{
				Code: "build.failed", Summary: fmt.Sprintf("the metadata of %s are dynamic, and cannot be determined on this machine", s.Name),
				Found: fmt.Sprintf("%s, which its build needs, is not locked for %s", p.Name, s.Platform),
				Hint:  fmt.Sprintf("add %s to `platforms` of the environment, or lock on a machine of one of its platforms", s.Platform),
			}
		}
		source, err := s.Packages.Index(p.Index)
		if err != nil {
			return nil, err
		}
		e, err := s.entry(ctx, source, p, p.Wheels[n])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	work, err := os.MkdirTemp(s.temp, "work-")
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(fmt.Append(nil, s.Source))
	return NewEnvironment(ctx, Options{
		Name: s.Name, Version: s.Version, Python: s.Inspector.Python, Minor: s.Inspection.Python, Entries: entries, Jobs: s.Jobs, Work: work,
		Log: layout.BuildLog(s.Store, "lock-"+s.Name, s.Version, fmt.Sprintf("%x", key)), Kill: s.Git.Kill,
	})
}

// entry returns an unpacked wheel, which it fetches unless the store has it.
func (s *inspection) entry(ctx context.Context, source *simpleindex.Source, p lock.Package, w lock.Wheel) (*wheels.Entry, error) {
	dir := layout.Dist(s.Store, w.SHA256.String())
	if e, err := wheels.Open(dir); err == nil && e.Check(ctx) == nil {
		return e, nil
	}
	archive := filepath.Join(s.temp, w.SHA256.String()+".whl")
	if err := source.Fetch(ctx, p.Name, w, archive, nil); err != nil {
		return nil, err
	}
	return wheels.Unpack(ctx, archive, w, p.Name, p.Version, dir)
}

// open returns the directory of the source. It completes the size and the digest of an archive.
func (s *inspection) open(ctx context.Context) (string, error) {
	dir := filepath.Join(s.temp, "source")
	switch {
	case s.Directory != "":
		dir, err := Directory(s.Root, s.Directory)
		if err != nil {
			return "", s.failed(err)
		}
		return dir, nil
	case s.Source.Git != "":
		if !lock.ValidCommit(s.Commit) {
			commit, err := s.Inspector.Git.Resolve(ctx, s.Source.Git, s.Commit)
			if err != nil {
				return "", err
			}
			s.Commit = commit
		}
		if err := s.Inspector.Git.Checkout(ctx, s.Source.Git, s.Commit, s.Subdirectory, dir); err != nil {
			return "", err
		}
	default:
		archive, err := s.archive(ctx)
		if err != nil {
			return "", err
		}
		if err := Unpack(ctx, archive, s.File, dir); err != nil {
			return "", s.failed(err)
		}
	}
	sub, err := Subdirectory(dir, s.Subdirectory)
	if err != nil {
		return "", s.failed(err)
	}
	return sub, nil
}

// archive fetches or copies the archive, and returns its path.
func (s *inspection) archive(ctx context.Context) (string, error) {
	archive := filepath.Join(s.temp, "archive")
	if rel, ok := strings.CutPrefix(s.URL, "./"); ok {
		root, err := os.OpenRoot(s.Root)
		if err != nil {
			return "", err
		}
		defer root.Close()
		f, err := rawfile.OpenRoot(root, path.Clean(rel), 0)
		if err != nil {
			return "", s.failed(err)
		}
		defer f.Close()
		to, err := os.OpenFile(archive, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(to, f)
		if err := errors.Join(err, to.Close()); err != nil {
			return "", err
		}
		stated := s.SHA256
		if err := s.measure(archive); err != nil {
			return "", err
		}
		if !stated.IsZero() && s.SHA256 != stated {
			return "", s.failed(fmt.Errorf("%s has the sha256 %s, not %s", rel, s.SHA256, stated))
		}
		return archive, nil
	}
	source, err := s.Packages.Index(s.Inspection.Index)
	if err != nil {
		return "", err
	}
	wheel := lock.Wheel{File: s.File, Size: s.Size, SHA256: s.SHA256}
	switch {
	case s.URL != "" && s.SHA256.IsZero():
		if err := source.FetchUnknown(ctx, s.URL, s.File, archive); err != nil {
			return "", err
		}
		return archive, s.measure(archive)
	case s.URL != "":
		return archive, source.FetchURL(ctx, s.URL, wheel, archive, nil)
	}
	return archive, source.Fetch(ctx, s.Name, wheel, archive, nil)
}

// measure sets the size and the digest of the archive.
func (s *inspection) measure(archive string) error {
	f, err := rawfile.OpenFile(archive, rawfile.NoFollow)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if s.Size, err = io.Copy(sum, f); err == nil {
		s.SHA256 = [sha256.Size]byte(sum.Sum(nil))
	}
	return err
}

// failed returns the problem of a source that cannot be read.
func (s *inspection) failed(err error) error {
	return &diag.Problem{Code: "build.failed", Summary: fmt.Sprintf("the source of %s cannot be read", strings.TrimSpace(s.Name+" "+s.Version)), Found: err.Error(), Hint: "correct it in the manifest, then run `reconcile lock`"}
}
