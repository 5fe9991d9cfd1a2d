package apply

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/sourcebuild"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// build builds a package into the store, unless an intact result is there. Of several processes
// that need it, the first builds it.
func (t *task) build(ctx context.Context, s resources.Build) error {
	for _, dir := range []string{layout.Dists(t.o.Store), layout.Temp(t.o.Store), filepath.Dir(layout.BuildLog(t.o.Store, s.Name, s.Version, s.Key.String()))} {
		p := t.own(dir)
		if err := makeDurably(p.root, p.rel, 0o700); err != nil {
			return err
		}
	}
	result := resources.Wheel{Name: s.Name, Version: s.Version, SHA256: s.Key}
	if _, err := t.entry(ctx, result); err == nil {
		return t.removeArchive(result) // the lock that a killed process left
	}
	if err := t.unpackWheels(ctx, resources.Unpack{Wheels: s.Requires}); err != nil {
		return err
	}
	return locked(ctx, t.archive(result)+".lock", func() error {
		if _, err := t.entry(ctx, result); err == nil {
			return nil // another process has built it
		}
		return t.buildWheel(ctx, s)
	})
}

// buildWheel builds a package in a directory of its own.
func (t *task) buildWheel(ctx context.Context, s resources.Build) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	work, err := t.privateDir()
	if err != nil {
		return err
	}
	defer discard(work)
	source, err := t.source(ctx, s, work)
	if err != nil {
		return err
	}
	entries, err := t.buildEntries(s)
	if err != nil {
		return err
	}
	project, err := sourcebuild.Open(source)
	if err != nil {
		return &diag.Problem{Code: "build.failed", Summary: fmt.Sprintf("%s %s cannot be built from %s", s.Name, s.Version, s.Source), Found: err.Error(), Hint: "correct the source; the active generation was not changed"}
	}
	env, err := sourcebuild.NewEnvironment(ctx, sourcebuild.Options{
		Name: s.Name, Version: s.Version, Python: interpreter(gen), Minor: s.Python, Entries: entries, Jobs: t.o.Jobs, Work: filepath.Join(work.abs(), "work"),
		Log: layout.BuildLog(t.o.Store, s.Name, s.Version, s.Key.String()), Lock: t.o.Lock, Kill: t.o.Kill,
		Line: t.command("", nil).Line,
	})
	if err != nil {
		return withContext(ctx, err)
	}
	if !command.CanIsolate() {
		t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Action: t.item.Change.Action, Step: t.step, Text: fmt.Sprintf("the build of %s has network access, since this system refuses namespaces", s.Name)})
	}
	wheel, err := env.Wheel(ctx, project, s.Source.Directory != "")
	if err != nil {
		return withContext(ctx, err)
	}
	sum, err := hashFile(ctx, wheel)
	if err != nil {
		return err
	}
	_, err = wheels.Unpack(ctx, wheel, lock.Wheel{File: filepath.Base(wheel), SHA256: sum}, s.Name, s.Version, layout.Dist(t.o.Store, s.Key.String()))
	if errors.Is(err, wheels.ErrInvalid) {
		return &diag.Problem{
			Code: "build.metadata", Summary: fmt.Sprintf("the wheel that was built from %s cannot be installed", s.Source), Found: err.Error(),
			Hint: "run `reconcile lock` if the source changed; output of the build: " + env.Log,
		}
	}
	return err
}

func hashFile(ctx context.Context, name string) (sum [sha256.Size]byte, err error) {
	f, err := rawfile.OpenFile(name, rawfile.NoFollow)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	return rawfile.SHA256(ctx, f)
}

// buildEntries returns the unpacked packages of the environment of a build. A package of the
// environment replaces a requirement with the same name.
func (t *task) buildEntries(s resources.Build) ([]*wheels.Entry, error) {
	var entries []*wheels.Entry
	seen := map[string]bool{}
	for _, list := range [][]resources.Wheel{s.With, s.Requires} {
		for _, w := range list {
			if seen[w.Name] {
				continue
			}
			seen[w.Name] = true
			e, err := wheels.Open(layout.Dist(t.o.Store, w.SHA256.String()))
			if err != nil {
				return nil, storeChanged(err)
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// source returns the directory with the source of a build: one of the project, or one in work.
func (t *task) source(ctx context.Context, s resources.Build, work place) (string, error) {
	if err := work.root.Mkdir(work.rel+"/work", 0o700); err != nil {
		return "", err
	}
	dir := filepath.Join(work.abs(), "source")
	switch src := s.Source; {
	case src.Directory != "":
		var err error
		if dir, err = sourcebuild.Directory(t.o.Root, src.Directory); err != nil {
			return "", err
		}
	case src.Git != "":
		git := sourcebuild.Git{Cache: layout.Cache(t.o.Store, "git"), Env: t.o.IndexEnv, Redactor: t.o.Redactor, Kill: t.o.Kill}
		if err := git.Checkout(ctx, src.Git, src.Commit, src.Subdirectory, dir); err != nil {
			return "", withContext(ctx, err)
		}
	default:
		index, err := simpleindex.New(t.o.Index)
		if err == nil {
			index, err = index.Index(s.Index)
		}
		if err != nil {
			return "", err
		}
		archive := filepath.Join(work.abs(), "archive")
		progress := progress{task: t}
		locked := lock.Wheel{File: src.File, Size: src.Size, SHA256: src.SHA256}
		if err := t.fetchArchive(ctx, index, s.Name, src.URL, locked, archive, func(bytes int64) { progress.report(bytes, src.Size) }); err != nil {
			return "", err
		}
		if err := sourcebuild.Unpack(ctx, archive, src.File, dir); err != nil {
			if ctx.Err() != nil || systemError(err.Error()) != 0 {
				return "", err
			}
			return "", &diag.Problem{Code: "build.failed", Summary: fmt.Sprintf("the source of %s %s cannot be unpacked", s.Name, s.Version), Found: err.Error(), Hint: "use another version in the manifest; the active generation was not changed"}
		}
	}
	return sourcebuild.Subdirectory(dir, s.Source.Subdirectory)
}
