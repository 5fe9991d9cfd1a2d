package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// generation resolves the directory of a generation, which is in the state directory
// of the project.
func (t *task) generation(name string) (place, error) {
	p, err := t.place(name)
	if err != nil {
		return place{}, err
	}
	if p.root != t.store || !strings.HasPrefix(p.abs(), t.o.State+"/") {
		return place{}, fmt.Errorf("%q is not a generation of this project", name)
	}
	info, err := p.root.Lstat(p.rel)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a client that reported success made nothing
		return place{}, damageProblem([]facts.Damage{{What: "missing", Path: name}})
	case err != nil:
		return place{}, err
	case !info.IsDir():
		return place{}, fmt.Errorf("%q is not a directory", name)
	}
	return p, nil
}

func interpreter(gen place) string { return filepath.Join(gen.abs(), "bin", "python") }

// verify compares a new generation with the lock, every RECORD and conda-meta, before any
// code of its packages runs. seal then compares the attributes of the files only.
func (t *task) verify(ctx context.Context, gen, justMade place, s resources.Seal) error {
	if t.isVerified {
		return nil
	}
	if err := checkDuplicates(gen, s); err != nil {
		return err
	}
	var damage []facts.Damage
	var err error
	t.verified, damage, err = pyenv.VerifyNew(ctx, gen.abs(), expected(s), t.verified, justMade.abs(), (&progress{task: t}).report)
	if err == nil && len(damage) > 0 {
		err = damageProblem(damage)
	}
	t.isVerified = err == nil
	return err
}

// sealStep returns the step of this change that seals a generation.
func (t *task) sealStep(generation string) (resources.Seal, bool) {
	for _, s := range t.item.Change.Steps {
		if seal, ok := s.(resources.Seal); ok && seal.Generation == generation {
			return seal, true
		}
	}
	return resources.Seal{}, false
}

// privateDir creates a directory for the programs of one step.
func (t *task) privateDir() (place, error) {
	dir := t.own(path.Join(t.o.State, atomicfile.TempName()))
	return dir, dir.root.Mkdir(dir.rel, 0o700)
}

// compile writes the bytecode that a verified generation lacks. A source that Python cannot
// compile is no error: packages contain templates and files for other versions.
func (t *task) compile(ctx context.Context, s resources.Compile) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	dir, err := t.privateDir()
	if err != nil {
		return err
	}
	defer discard(dir)
	if seal, ok := t.sealStep(s.Generation); ok {
		if err := t.verify(ctx, gen, dir, seal); err != nil {
			return err
		}
	}
	sources, err := pyenv.Uncompiled(gen.abs())
	if err != nil {
		return err
	}
	group, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	jobs := min(runtime.GOMAXPROCS(0), len(sources))
	parallel(jobs, jobs, func(int) {
		if err := t.compileSources(group, gen, dir, sources, &next); err != nil {
			stop(err)
		}
	})
	return cmp.Or(ctx.Err(), context.Cause(group))
}

// compileSources compiles the next source until none is left. A source that ends the
// compiler is left to the first import.
func (t *task) compileSources(ctx context.Context, gen, dir place, sources []string, next *atomic.Int64) error {
	w, err := newBytecodeWriter(gen.abs(), t.entries, &t.bytecode)
	if err != nil {
		return err
	}
	defer w.close()
	for ctx.Err() == nil {
		i := int(next.Add(1)) - 1
		if i >= len(sources) {
			return nil
		}
		if err := w.start(ctx, t.command(interpreter(gen), nil), dir.abs()); err != nil {
			return err
		}
		if _, err := w.write(sources[i]); err != nil {
			return err
		}
	}
	return nil
}
