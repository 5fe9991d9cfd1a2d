package apply

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

//go:embed compiler.py
var compilerScript string

// compileTimeout is the time limit for one source.
const compileTimeout = time.Minute

// maxBytecode is the largest size of a bytecode file in bytes.
const maxBytecode = 256 << 20

// A compiler is a process that writes bytecode. It is isolated like the smoke test, and
// runs no code of the environment.
type compiler struct {
	stdin   *os.File
	answers chan string   // lines of the process
	ended   chan struct{} // closed when the process has ended
	kill    context.CancelFunc

	mu sync.Mutex // one request at a time
}

// startCompiler starts a compiler with the options of c, in the empty directory dir. The
// program of c is the interpreter of a generation.
func startCompiler(ctx context.Context, c command.Command, dir string) (*compiler, error) {
	// The interpreter that created a venv reads no pyvenv.cfg.
	program, err := filepath.EvalSymlinks(c.Program)
	if err != nil {
		return nil, err
	}
	stdin, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ctx, kill := context.WithCancel(ctx)
	p := &compiler{stdin: requests, answers: make(chan string, 1), ended: make(chan struct{}), kill: kill}
	c.Program, c.Args = program, []string{"-I", "-S", "-B", "-W", "ignore", "-c", compilerScript}
	c.Dir, c.Isolated, c.Stdin, c.Timeout = dir, dir, stdin, 0
	c.Line = func(stream, line string) {
		if stream == "stdout" {
			select {
			case p.answers <- line:
			case <-ctx.Done():
			}
		}
	}
	go func() {
		defer close(p.ended)
		_, _ = command.Run(ctx, c) // a compiler that ends early leaves sources to the first import
		stdin.Close()
	}()
	return p, nil
}

// compile writes the bytecode of a source to an absolute path, and reports whether it did.
// name is the file name in tracebacks until an import replaces it. A source that is not
// valid for this Python, and a compiler that ended, are no error.
func (p *compiler) compile(source, target, name string) (bool, error) {
	request, err := json.Marshal([]string{source, target, name})
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.stdin.Write(append(request, '\n')); err != nil {
		return false, nil // it has ended
	}
	timer := time.NewTimer(compileTimeout)
	defer timer.Stop()
	select {
	case line := <-p.answers:
		var written bool
		var text string
		if json.Unmarshal([]byte(line), &[]any{&written, &text}) != nil {
			return false, nil
		}
		if text != "" {
			err = errors.New("write bytecode: " + text)
		}
		return written, err
	case <-timer.C:
		p.kill()
		<-p.ended
	case <-p.ended:
	}
	return false, nil
}

// alive reports whether the process has not ended.
func (p *compiler) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// close ends the process after its last request.
func (p *compiler) close() {
	p.stdin.Close()
	timer := time.AfterFunc(time.Second, p.kill)
	defer timer.Stop()
	<-p.ended
	p.kill()
}

// A bytecodeWriter writes the bytecode of a generation with a compiler.
type bytecodeWriter struct {
	compiler *compiler
	gen      string // absolute
	minor    string // "3.10"
	sources  map[string]bool
	shared   map[string]wheels.Source
	written  *bytecodeList
}

// A bytecodeList is the digests of bytecode that was written into a generation, by path.
type bytecodeList struct {
	mu   sync.Mutex
	sums map[string]facts.SHA256
}

func (l *bytecodeList) add(name string, sum facts.SHA256) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sums == nil {
		l.sums = map[string]facts.SHA256{}
	}
	l.sums[name] = sum
}

// newBytecodeWriter returns a writer for the sources that are recorded in a generation. It
// keeps the bytecode of sources of entries in them, for other generations, and adds all
// bytecode to written.
func newBytecodeWriter(gen string, entries []*wheels.Entry, written *bytecodeList) (*bytecodeWriter, error) {
	sources, minor, err := pyenv.Sources(gen)
	if err != nil {
		return nil, err
	}
	w := &bytecodeWriter{gen: gen, minor: minor, sources: make(map[string]bool, len(sources)), shared: wheels.Sources(minor, entries), written: written}
	for _, s := range sources {
		w.sources[s] = true
	}
	return w, nil
}

// write writes the bytecode of a source, which is relative to the generation, and reports
// whether it did. The caller does not trust the name: any other than that of a recorded
// regular file is ignored.
func (w *bytecodeWriter) write(source string) (bool, error) {
	if !w.sources[source] {
		return false, nil
	}
	name := filepath.Join(w.gen, filepath.FromSlash(source))
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return false, nil
	}
	target := pyenv.BytecodePath(name, w.minor)
	if written, err := w.compiler.compile(name, target, source); !written {
		return false, err
	}
	code, err := rawfile.ReadFile(target, maxBytecode, rawfile.NoFollow)
	if err != nil {
		return false, err
	}
	sum := facts.SHA256(sha256.Sum256(code))
	w.written.add(pyenv.BytecodePath(source, w.minor), sum)
	if s, ok := w.shared[source]; ok {
		_ = s.Keep(target, int64(len(code)), sum) // without it other generations compile the source again
	}
	return true, nil
}

// start starts a compiler with the options of c unless one runs.
func (w *bytecodeWriter) start(ctx context.Context, c command.Command, dir string) (err error) {
	if w.compiler != nil && w.compiler.alive() {
		return nil
	}
	w.close()
	w.compiler, err = startCompiler(ctx, c, dir)
	return err
}

// close ends the compiler, if any.
func (w *bytecodeWriter) close() {
	if w.compiler != nil {
		w.compiler.close()
	}
}
