package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// generation resolves the directory of a generation, which is in the state directory
// of this machine.
func (t *task) generation(name string) (place, error) {
	p, err := t.place(name)
	if err != nil {
		return place{}, err
	}
	if p.root != t.root || !strings.HasPrefix(p.rel, t.o.State+"/") {
		return place{}, fmt.Errorf("%q is not a generation of this machine", name)
	}
	info, err := p.root.Lstat(p.rel)
	if err != nil {
		return place{}, err
	}
	if !info.IsDir() {
		return place{}, fmt.Errorf("%q is not a directory", name)
	}
	return p, nil
}

func interpreter(gen place) string { return filepath.Join(gen.abs(), "bin", "python") }

// compile writes the missing bytecode. A source that Python cannot compile is no
// error: packages contain templates and files for other versions.
func (t *task) compile(ctx context.Context, s resources.Compile) error {
	gen, err := t.generation(s.Generation)
	var files []string
	if err == nil {
		files, err = pyenv.Uncompiled(gen.abs())
	}
	if pyenv.NoLibrary(err) { // although the installer succeeded
		return damageProblem([]facts.Damage{{What: "missing", Path: "lib"}})
	}
	if err != nil || len(files) == 0 {
		return err
	}
	if _, err := os.Stat(interpreter(gen)); errors.Is(err, fs.ErrNotExist) {
		return damageProblem([]facts.Damage{{What: "missing", Path: "bin/python"}})
	}
	if err := t.compileFiles(ctx, gen, files, runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	left, err := pyenv.StillUncompiled(gen.abs(), files)
	if err != nil || len(left) < len(files) {
		return err
	}
	// Nothing was compiled: Python cannot use several processes without shared memory.
	return t.compileFiles(ctx, gen, left, 1)
}

func (t *task) compileFiles(ctx context.Context, gen place, files []string, jobs int) error {
	var list strings.Builder
	for _, f := range files {
		if !strings.ContainsAny(f, "\n\r") {
			list.WriteString(filepath.Join(gen.abs(), filepath.FromSlash(f)) + "\n")
		}
	}
	names := place{t.root, path.Join(t.o.State, atomicfile.TempName())}
	defer discard(names)
	if err := atomicfile.Write(names.root, names.rel, 0o600, []byte(list.String())); err != nil {
		return err
	}
	c := t.command(interpreter(gen), []string{"-I", "-m", "compileall", "-qq", "-j", strconv.Itoa(jobs), "-i", names.abs()})
	c.Timeout = defaultTimeout
	_, err := command.Run(ctx, c)
	if ran, ok := errors.AsType[*command.Error](err); ok && ran.ExitCode == 1 {
		return nil // some file is not valid for this Python
	}
	return withContext(ctx, err)
}

// verifyInBackground starts to hash the files of a generation; justMade is as in
// pyenv.Hash. The returned function must be called. It waits for the hashes if the result is
// wanted, else it stops, and returns the files that are verified. If there is no spare core
// or an error occurs these may be none; Seal reads all others.
func (t *task) verifyInBackground(ctx context.Context, gen, justMade place) func(wanted bool) pyenv.VerifiedFiles {
	spare := runtime.GOMAXPROCS(0) - 1
	if spare == 0 {
		return func(bool) pyenv.VerifiedFiles { return nil }
	}
	ctx, stop := context.WithCancel(ctx)
	var verified pyenv.VerifiedFiles
	var reading sync.WaitGroup
	reading.Go(func() { verified, _ = pyenv.Hash(ctx, gen.abs(), justMade.abs(), spare) })
	return func(wanted bool) pyenv.VerifiedFiles {
		if !wanted {
			stop()
		}
		reading.Wait()
		stop()
		return verified
	}
}
