package apply

import (
	"context"
	_ "embed" // the script of prove
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/diag"
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
	if err != nil {
		return err
	}
	files, err := pyenv.Uncompiled(gen.abs())
	if err != nil || len(files) == 0 {
		return err
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

// proveTimeout is how long the imports may take together.
const proveTimeout = 10 * time.Minute

//go:embed prove.py
var proveScript string

// prove imports modules with the interpreter of a generation: isolated, without
// writing bytecode, in an empty folder that is home and temporary folder too, and
// with every way into the network closed that variables can close. Imports take one
// core; meanwhile another reads the files for the Seal that follows.
func (t *task) prove(ctx context.Context, s resources.Prove) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	imports, err := json.Marshal(s.Imports)
	if err != nil {
		return err
	}
	folder := place{t.root, path.Join(t.o.State, atomicfile.TempName())}
	if err := folder.root.Mkdir(folder.rel, 0o700); err != nil {
		return err
	}
	defer discard(folder)
	c := t.command(interpreter(gen), []string{"-I", "-B", "-c", proveScript, string(imports)})
	c.Dir = folder.abs()
	c.Env = []string{
		"HOME=" + c.Dir, "TMPDIR=" + c.Dir, "HF_HUB_OFFLINE=1",
		"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "ALL_PROXY=http://127.0.0.1:9",
	}
	c.Line = nil // what packages say while they are imported is shown only if one fails
	c.Timeout = s.Timeout
	if c.Timeout == 0 {
		c.Timeout = proveTimeout
	}
	sound := t.readMeanwhile(ctx, gen, folder)
	result, err := command.Run(ctx, c)
	t.sound = sound(err == nil)
	if err != nil {
		return t.stoppedBy(ctx, unproved(err))
	}
	return proved(result.Stdout)
}

// readMeanwhile begins to hash the files of a generation. The function that it
// returns waits for the end of that if the answer is still wanted, and gives what
// was found sound: nothing where there is no core to spare, or something was wrong,
// so that Seal reads it all.
func (t *task) readMeanwhile(ctx context.Context, gen, justMade place) func(wanted bool) pyenv.Sound {
	spare := runtime.GOMAXPROCS(0) - 1
	if spare == 0 {
		return func(bool) pyenv.Sound { return nil }
	}
	ctx, stop := context.WithCancel(ctx)
	var sound pyenv.Sound
	var reading sync.WaitGroup
	reading.Go(func() { sound, _ = pyenv.Hash(ctx, gen.abs(), justMade.abs(), spare) })
	return func(wanted bool) pyenv.Sound {
		if !wanted {
			stop()
		}
		reading.Wait()
		stop()
		return sound
	}
}

// unproved explains an interpreter that did not get to the end: a module may end
// the whole process.
func unproved(err error) error {
	var ran *command.Error
	if !errors.As(err, &ran) {
		return err
	}
	return &diag.Problem{
		Code: "apply.prove", Summary: "the new environment does not work: " + ran.Error(), Found: strings.Join(ran.Tail, "\n"),
		Hint: "the environment that is in use was not touched",
	}
}

// proof is the last line that the script writes.
type proof struct {
	Failures []struct{ Module, Error string }
}

// proofMark begins that line, so that nothing a package prints is taken for it.
const proofMark = "\x1ereconcile-prove "

func proved(stdout []byte) error {
	_, text, ok := strings.Cut(string(stdout), proofMark)
	var p proof
	if !ok || json.Unmarshal([]byte(strings.TrimSpace(text)), &p) != nil {
		return &diag.Problem{
			Code: "apply.prove", Summary: "the interpreter of the new environment ended without an answer",
			Hint: "a module that is imported ends the process; the environment that is in use was not touched",
		}
	}
	if len(p.Failures) == 0 {
		return nil
	}
	var names, found []string
	for _, f := range p.Failures {
		names = append(names, f.Module)
		found = append(found, command.Escape(f.Module+": "+f.Error))
	}
	return &diag.Problem{
		Code: "apply.prove", Summary: "cannot import " + strings.Join(names, ", ") + " in the new environment",
		Found: strings.Join(found, "\n"), Hint: "the environment that is in use was not touched; change the pins in the manifest",
	}
}
