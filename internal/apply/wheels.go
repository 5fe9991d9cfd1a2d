package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// fetches is how many wheels are fetched and unpacked at the same time.
const fetches = 8

// unpackWheels fetches the wheels that the store lacks, and unpacks them into it. Another
// project may do the same for the same wheels at the same time.
func (t *task) unpackWheels(ctx context.Context, s resources.Unpack) error {
	for _, dir := range []string{layout.Dists(t.o.Store), layout.Temp(t.o.Store)} {
		p := t.own(dir)
		if err := makeDurably(p.root, p.rel, 0o700); err != nil {
			return err
		}
	}
	source, err := simpleindex.New(t.o.Index)
	if err != nil {
		return err
	}
	var missing []resources.Wheel
	var total int64
	for _, w := range s.Wheels {
		if _, err := t.entry(w); err != nil {
			missing = append(missing, w)
			total += w.Size
		}
	}
	var done atomic.Int64
	progress := progress{task: t}
	report := func(bytes int64) {
		t.transfers.Lock()
		defer t.transfers.Unlock()
		progress.report(min(done.Add(bytes), total), total)
	}
	var g *errgroup.Group
	g, ctx = errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for _, w := range missing {
		g.Go(func() error { return t.unpackWheel(ctx, source, w, report) })
	}
	return g.Wait()
}

// unpackWheel fetches one wheel and unpacks it. report receives the number of bytes since its
// last call.
func (t *task) unpackWheel(ctx context.Context, source *simpleindex.Source, w resources.Wheel, report func(bytes int64)) error {
	archive := path.Join(layout.Temp(t.o.Store), w.SHA256.String()+".whl")
	locked := lock.Wheel{File: w.File, Size: w.Size, SHA256: w.SHA256}
	var last int64
	err := source.Fetch(ctx, w.Name, locked, archive, func(bytes int64) {
		report(bytes - last)
		last = bytes
	})
	if err != nil {
		return err
	}
	_, err = wheels.Unpack(ctx, archive, locked, w.Name, w.Version, layout.Dist(t.o.Store, w.SHA256.String()))
	if errors.Is(err, wheels.ErrInvalid) {
		return &diag.Problem{
			Code: "apply.wheel", Summary: fmt.Sprintf("%s cannot be installed", w.File), Found: err.Error(),
			Hint: fmt.Sprintf("pin another version of %s; the active generation was not changed", w.Name),
		}
	}
	if err != nil {
		return err
	}
	if err := os.Remove(archive); !errors.Is(err, fs.ErrNotExist) { // another project may have been faster
		return err
	}
	return nil
}

// entry returns the entry of a wheel in the store, if it is complete and unchanged.
func (t *task) entry(w resources.Wheel) (*wheels.Entry, error) {
	e, err := wheels.Open(layout.Dist(t.o.Store, w.SHA256.String()))
	if err != nil {
		return nil, err
	}
	changed, err := e.Changed()
	if err == nil && len(changed) > 0 {
		err = fmt.Errorf("%s has changed", changed[0])
	}
	return e, err
}

// assemble puts unpacked wheels into a generation.
func (t *task) assemble(ctx context.Context, s resources.Assemble) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	entries := make([]*wheels.Entry, len(s.Wheels))
	for i, w := range s.Wheels {
		if entries[i], err = wheels.Open(layout.Dist(t.o.Store, w.SHA256.String())); err != nil {
			return storeChanged(err)
		}
	}
	result, err := wheels.Assemble(ctx, gen.abs(), interpreter(gen), s.Python, entries, t.o.Jobs, (&progress{task: t}).report)
	if _, ok := errors.AsType[*wheels.ChangedError](err); ok {
		return storeChanged(err)
	}
	if err != nil {
		return err
	}
	if result.Method() == wheels.Copy {
		t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Text: "the file system of the store has neither clones nor hard links, so that packages are copied"})
	}
	t.verified = result.Verified
	t.entries = entries
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

// linkBytecode puts bytecode of the store into a generation, instead of outdated bytecode of
// a wheel.
func linkBytecode(from, to string) error {
	if err := os.Mkdir(filepath.Dir(to), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return wheels.Put(from, to)
}
