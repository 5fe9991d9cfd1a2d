package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// fetches is how many wheels are fetched and unpacked at the same time.
const fetches = 8

// unpackWheels fetches the wheels that the store lacks, and unpacks them into it. Another
// project may do the same at the same time: of those that need one wheel, the first unpacks it.
func (t *task) unpackWheels(ctx context.Context, s resources.Unpack) error {
	for _, dir := range []string{layout.Dists(t.o.Store), layout.Temp(t.o.Store)} {
		p := t.own(dir)
		if err := makeDurably(p.root, p.rel, 0o700); err != nil {
			return err
		}
	}
	var missing []resources.Wheel
	var total int64
	for _, w := range s.Wheels {
		if _, err := t.entry(ctx, w); err != nil {
			missing = append(missing, w)
			total += w.Size
		} else if err := t.removeArchive(w); err != nil {
			return err
		}
	}
	slices.SortStableFunc(missing, func(a, b resources.Wheel) int { return cmp.Compare(b.Size, a.Size) }) // the largest takes longest
	if len(missing) == 0 {
		return nil
	}
	source, err := simpleindex.New(t.o.Index)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards done and progress
	var done int64
	progress := progress{task: t}
	report := func(bytes int64) {
		mu.Lock()
		defer mu.Unlock()
		done += bytes
		progress.report(min(done, total), total)
	}
	var g *errgroup.Group
	g, ctx = errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for _, w := range missing {
		g.Go(func() error {
			from, err := source.Index(w.Index)
			if err != nil {
				return err
			}
			return locked(ctx, t.archive(w)+".lock", func() error { return t.unpackWheel(ctx, from, w, report) })
		})
	}
	return g.Wait()
}

// attempts is how often an archive is fetched that another process removes, or that a file
// system damages, before it is unpacked.
const attempts = 2

// unpackWheel unpacks one wheel: the archive that an interrupted apply left, or else a new
// one. After an error that another apply may not have, such as a full disk, the archive
// remains. report receives the number of bytes since its last call.
func (t *task) unpackWheel(ctx context.Context, source *simpleindex.Source, w resources.Wheel, report func(bytes int64)) error {
	archive := t.archive(w)
	locked := lock.Wheel{File: w.File, Size: w.Size, SHA256: w.SHA256}
	unpack := func(fetched fs.FileInfo) error {
		_, err := wheels.UnpackFetched(ctx, archive, fetched, locked, w.Name, w.Version, layout.Dist(t.o.Store, w.SHA256.String()))
		return err
	}
	var last int64
	err := unpack(nil)
	for i := 0; i < attempts && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, wheels.ErrArchive)); i++ {
		if err := t.fetchArchive(ctx, source, w.Name, w.URL, locked, archive, func(bytes int64) {
			report(bytes - last)
			last = bytes
		}); err != nil {
			return err
		}
		fetched, _ := os.Lstat(archive) // nil if another process removed it
		err = unpack(fetched)
	}
	if errors.Is(err, wheels.ErrInvalid) {
		return errors.Join(&diag.Problem{
			Code: "apply.wheel", Summary: fmt.Sprintf("%s cannot be installed", w.File), Found: err.Error(),
			Hint: fmt.Sprintf("request another version of %s; the active generation was not changed", w.Name),
		}, t.removeArchive(w))
	}
	if err != nil {
		return err
	}
	report(max(0, w.Size-last)) // of an archive that was not fetched
	return t.removeArchive(w)
}

// fetchArchive fetches a wheel or a source archive: from the index, or from the address of a
// direct reference.
func (t *task) fetchArchive(ctx context.Context, source *simpleindex.Source, name, address string, locked lock.Wheel, archive string, progress func(bytes int64)) error {
	rel, inProject := strings.CutPrefix(address, "./")
	switch {
	case inProject:
		return t.copyArchive(ctx, rel, locked, archive)
	case address != "":
		return source.FetchURL(ctx, address, locked, archive, progress)
	}
	return source.Fetch(ctx, name, locked, archive, progress)
}

// copyArchive copies a file of the project, so that it does not change while it is unpacked. The
// copy is compared with the lock.
func (t *task) copyArchive(ctx context.Context, rel string, locked lock.Wheel, archive string) error {
	from, err := rawfile.OpenRoot(t.root, rel, 0)
	if rawfile.IsAbsent(err) {
		return &diag.Problem{
			Code: "index.absent", Summary: fmt.Sprintf("%s is not in the project", rel),
			Hint: "restore the file, or change the manifest and run `reconcile lock`",
		}
	}
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(archive, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	sum, err := rawfile.SHA256(ctx, io.TeeReader(from, to))
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	if sum != locked.SHA256 {
		return errors.Join(&diag.Problem{
			Code: "apply.hash", Summary: fmt.Sprintf("%s differs from the lock, and was not installed", rel), Found: fmt.Sprintf("sha256 %x, not %s", sum, locked.SHA256),
			Hint: "run `reconcile lock` if the change is intended",
		}, os.Remove(archive))
	}
	return nil
}

// archive returns the absolute path of the archive of a wheel while it is unpacked.
func (t *task) archive(w resources.Wheel) string {
	return path.Join(layout.Temp(t.o.Store), w.SHA256.String()+".whl")
}

// removeArchive removes the archive of an unpacked wheel, if another project has not, and the
// lock that a killed one left.
func (t *task) removeArchive(w resources.Wheel) error {
	for _, name := range []string{t.archive(w), t.archive(w) + ".lock"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// fetchWheel fetches a wheel that stays packed.
func (t *task) fetchWheel(ctx context.Context, s resources.FetchWheel) error {
	p, err := t.placeWithParents(s.Path)
	if err != nil {
		return err
	}
	if p.root != t.store {
		return fmt.Errorf("%q is not in the store", s.Path)
	}
	source, err := simpleindex.New(t.o.Index)
	if err != nil {
		return err
	}
	progress := progress{task: t}
	locked := lock.Wheel{File: s.Wheel.File, Size: s.Wheel.Size, SHA256: s.Wheel.SHA256}
	return source.Fetch(ctx, s.Wheel.Name, locked, p.abs(), func(bytes int64) { progress.report(bytes, s.Wheel.Size) })
}

// entry returns the entry of a wheel in the store, if it is complete and unchanged.
func (t *task) entry(ctx context.Context, w resources.Wheel) (*wheels.Entry, error) {
	e, err := wheels.Open(layout.Dist(t.o.Store, w.SHA256.String()))
	if err == nil {
		err = e.Check(ctx)
	}
	return e, err
}

// assemble puts unpacked wheels into a generation.
func (t *task) assemble(ctx context.Context, s resources.Assemble) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	if seal, ok := t.sealStep(s.Generation); ok {
		if err := checkDuplicates(gen, seal); err != nil {
			return err
		}
	}
	entries := make([]*wheels.Entry, len(s.Wheels))
	for i, w := range s.Wheels {
		entries[i], err = wheels.Open(layout.Dist(t.o.Store, w.SHA256.String()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, wheels.ErrDamaged) {
			return storeChanged(err)
		}
		if err != nil {
			return err
		}
	}
	result, err := wheels.Assemble(ctx, gen.abs(), interpreter(gen), s.Python, entries, t.o.Jobs, nil)
	if _, ok := errors.AsType[*wheels.ChangedError](err); ok {
		return storeChanged(err)
	}
	if err != nil {
		return err
	}
	if len(result.Conflicts) > 0 {
		return conflictProblem(result.Conflicts)
	}
	if result.Method() == wheels.Copy {
		t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Text: "the file system of the store has neither clones nor hard links, so that packages are copied"})
	}
	t.verified = result.Verified
	t.entries = entries
	t.bytecode.sums = result.Digests
	return nil
}

// storeChanged returns the problem that a distribution was removed or changed after it was
// unpacked.
func storeChanged(err error) error {
	return &diag.Problem{
		Code: "apply.store", Summary: "an unpacked package in the store changed while it was being used", Found: err.Error(),
		Hint: "run `reconcile apply` again, which unpacks it again; the active generation was not changed",
	}
}

// conflictProblem returns the problem that packages have different files at one path.
func conflictProblem(conflicts []wheels.Conflict) error {
	found := make([]string, len(conflicts))
	for i, c := range conflicts {
		found[i] = fmt.Sprintf("%s: from %s and from %s", c.Path, cmp.Or(c.First, "the environment itself"), c.Name)
	}
	return &diag.Problem{
		Code: "apply.conflict", Summary: "two packages contain different files with the same path", Found: firstFiles(found),
		Hint: "remove one of them from the manifest, then run `reconcile lock`; the active generation was not changed",
	}
}
