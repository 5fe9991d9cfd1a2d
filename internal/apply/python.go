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

// generation resolves the directory of a generation, which lies in the part of
// this machine.
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

// compile writes the bytecode that is lacking. A source that Python cannot
// compile is no error: packages carry templates and files for other versions.
func (t *task) compile(ctx context.Context, s resources.Compile) error {
	gen, err := t.generation(s.Generation)
	var files []string
	if err == nil {
		files, err = pyenv.Uncompiled(gen.abs())
	}
	if pyenv.NoLibrary(err) { // the installer ended well all the same
		return damageProblem([]facts.Damage{{What: "missing", Path: "lib"}})
	}
	if err != nil || len(files) == 0 {
		return err
	}
	if _, err := os.Stat(interpreter(gen)); errors.Is(err, fs.ErrNotExist) {
		return damageProblem([]facts.Damage{{What: "missing", Path: "bin/python"}})
	}
	if err := t.compileAll(ctx, gen, files, runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	left, err := pyenv.StillUncompiled(gen.abs(), files)
	if err != nil || len(left) < len(files) {
		return err
	}
	// Nothing at all was compiled: where there is no shared memory, Python cannot
	// work with several processes.
	return t.compileAll(ctx, gen, left, 1)
}

func (t *task) compileAll(ctx context.Context, gen place, files []string, jobs int) error {
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
	var ran *command.Error
	if errors.As(err, &ran) && ran.ExitCode == 1 {
		return nil // some file is not valid for this Python
	}
	return t.stoppedBy(ctx, err)
}

// readMeanwhile begins to hash the files of a generation. The function that it
// returns waits for the end of that if the answer is still wanted, and gives what
// was found sound: nothing where there is no core to spare, or something was wrong,
// so that Seal reads it all.
func (t *task) verifyInBackground(ctx context.Context, gen, justMade place) func(wanted bool) pyenv.VerifiedFiles {
	spare := runtime.GOMAXPROCS(0) - 1
	if spare == 0 {
		return func(bool) pyenv.VerifiedFiles { return nil }
	}
	ctx, stop := context.WithCancel(ctx)
	var sound pyenv.VerifiedFiles
	var reading sync.WaitGroup
	reading.Go(func() { sound, _ = pyenv.Hash(ctx, gen.abs(), justMade.abs(), spare) })
	return func(wanted bool) pyenv.VerifiedFiles {
		if !wanted {
			stop()
		}
		reading.Wait()
		stop()
		return sound
	}
}
