package apply

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A SmokeTestOutcome is how one part of a smoke test ended.
type SmokeTestOutcome string

const (
	SmokeTestPassed  SmokeTestOutcome = "ok"
	SmokeTestSkipped SmokeTestOutcome = "skipped" // no hardware to test on
	SmokeTestUnknown SmokeTestOutcome = "unknown" // the GPU is full or busy
	SmokeTestFailed  SmokeTestOutcome = "failed"
)

// A SmokeTestPart is the result of one part of a smoke test.
type SmokeTestPart struct {
	Name    string           `json:"name"` // "imports", "cuda", "qlora", "mps"
	Outcome SmokeTestOutcome `json:"outcome"`
	Detail  string           `json:"detail,omitempty"` // one line: the result, or the reason for the outcome
	Note    string           `json:"note,omitempty"`   // remark on a passed part
	Found   string           `json:"found,omitempty"`  // error output of a failed part
	Hint    string           `json:"hint,omitempty"`
}

const (
	// smokeTestTimeout is the time limit of a smoke test. Imports from a cold disk take
	// most of it.
	smokeTestTimeout = 10 * time.Minute
	// gpuTimeout is the time limit of a stage on a GPU. The driver of a machine with
	// eight GPUs and without persistence mode needs half a minute to start.
	gpuTimeout = 2 * time.Minute
	// cudaInit is the stage in which the script initialises the driver.
	cudaInit = "initialisation of CUDA"
)

//go:embed smoketest.py
var smokeTestScript string

// smokeTest verifies a generation, tests it, and fails with the first failed part. Meanwhile
// a compiler writes the bytecode that the imports lack, and the test uses it.
func (t *task) smokeTest(ctx context.Context, s resources.SmokeTest) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	dir, err := t.privateDir()
	if err != nil {
		return err
	}
	defer discard(dir)
	c := t.command(interpreter(gen), nil)
	c.Line = nil // the output of imports is reported only if one fails
	var bytecode *bytecodeWriter
	if seal, ok := t.sealStep(s.Generation); ok {
		if err := t.verify(ctx, gen, dir, seal); err != nil {
			return err
		}
		if bytecode, err = newBytecodeWriter(gen.abs(), t.entries, &t.bytecode); err != nil {
			return err
		}
		defer bytecode.close()
		if err := bytecode.start(ctx, c, dir.abs()); err != nil {
			return err
		}
	}
	t.smokeTests, err = runSmokeTest(ctx, c, s, dir.abs(), t.o.GPUEnv, bytecode)
	if err != nil {
		return withContext(ctx, err)
	}
	for i := range t.smokeTests {
		part := &t.smokeTests[i]
		if part.Outcome == SmokeTestFailed {
			return cmp.Or(t.removeDamagedBytecode(ctx), error(part.problem()))
		}
		if text := part.remark(); text != "" {
			t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Action: t.item.Change.Action, Step: t.step, Text: text})
		}
	}
	return nil
}

// removeDamagedBytecode removes the bytecode of entries in the store that is damaged although
// its size and time are not, since a first project has no other way to find it. The result is
// nil if there is none.
func (t *task) removeDamagedBytecode(ctx context.Context) error {
	var found []string
	for _, e := range t.entries {
		damaged, err := e.VerifyBytecode(ctx, nil)
		if err != nil || len(damaged) == 0 {
			continue // the failure of the test is reported
		}
		if err := wheels.RemoveBytecode(e.Dir); err != nil {
			return err
		}
		found = append(found, fmt.Sprintf("the bytecode of %s %s differs: %s", e.Name, e.Version, firstFiles(damaged)))
	}
	if len(found) == 0 {
		return nil
	}
	return &diag.Problem{
		Code: "apply.store", Summary: "bytecode in the store was damaged, and was removed", Found: strings.Join(found, "\n"),
		Hint: "run `reconcile apply` again, which compiles it again; the active generation was not changed",
	}
}

// RunSmokeTest tests the generation at an absolute path, outside of any plan. It writes
// only a folder in the directory temp, which it removes. gpuEnv is as in Options. An error
// means that the interpreter could not be started.
func RunSmokeTest(ctx context.Context, generation, temp string, s resources.SmokeTest, gpuEnv []string) ([]SmokeTestPart, error) {
	if err := os.Mkdir(temp, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.MkdirTemp(temp, "smoketest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return runSmokeTest(ctx, command.Command{Program: filepath.Join(generation, "bin", "python")}, s, dir, gpuEnv, nil)
}

// runSmokeTest runs the script with the interpreter of c: isolated in the empty folder dir
// (see command.Command), without writing bytecode. On a GPU the script caches no memory. If
// bytecode is not nil, it writes the missing bytecode of the imports.
func runSmokeTest(ctx context.Context, c command.Command, s resources.SmokeTest, dir string, gpuEnv []string, bytecode *bytecodeWriter) ([]SmokeTestPart, error) {
	c.Timeout = cmp.Or(s.Timeout, smokeTestTimeout)
	request, err := json.Marshal(struct {
		Imports  []string
		GPU      bool
		CUDA     bool
		Driver   string
		QLoRA    *resources.QLoRA
		MPS      bool
		Deadline float64 // of a stage on the GPU, in seconds
		Bytecode bool    // asks for missing bytecode
	}{append([]string{}, s.Imports...), s.GPU, s.CUDA, s.Driver, s.QLoRA, s.MPS && s.Apple, min(gpuTimeout, c.Timeout/2).Seconds(), bytecode != nil})
	if err != nil {
		return nil, err
	}
	c.Args = []string{"-I", "-B", "-c", smokeTestScript, string(request)}
	c.Dir, c.Isolated = dir, dir
	if s.GPU {
		loadUVM(ctx)
		c.Env = append(c.Env, "PYTORCH_NO_CUDA_MEMORY_CACHING=1", "CUDA_CACHE_DISABLE=1")
		c.Env = append(c.Env, gpuEnv...)
	}
	if bytecode != nil {
		stdin, answers, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer stdin.Close()
		defer answers.Close()
		c.Stdin, c.Line = stdin, bytecode.answer(answers)
	}
	result, err := command.Run(ctx, c)
	ran, ok := errors.AsType[*command.Error](err)
	if err != nil && (ctx.Err() != nil || !ok) {
		return nil, err
	}
	return smokeTestParts(s, result, ran), nil
}

// loadUVM creates the device files of CUDA as its library does, by a program that is root
// for anyone. It is not root in the namespace of an isolated program.
func loadUVM(ctx context.Context) {
	const program = "/usr/bin/nvidia-modprobe"
	if _, err := os.Stat("/dev/nvidia-uvm"); err == nil || command.CheckExecutable(program) != nil {
		return
	}
	_, _ = command.Run(ctx, command.Command{Program: program, Args: []string{"-u", "-c=0"}, Timeout: gpuTimeout}) // the smoke test reports a failure
}

// smokeTestMark is the prefix of each line of the script, so that the output of a
// package is not taken for one.
const smokeTestMark = "\x1ereconcile-smoketest "

// bytecodeMark is the prefix of a line that names, in JSON, a source without current bytecode;
// escaped as in Command.Line.
const bytecodeMark = `\x1ereconcile-bytecode `

// answer returns a function for the lines of a smoke test. It writes the bytecode that the
// test asks for, and for each request one byte to answers: y if it was written, else n.
func (w *bytecodeWriter) answer(answers *os.File) func(stream, line string) {
	full := false // the test asks without reading
	return func(stream, line string) {
		request, ok := strings.CutPrefix(line, bytecodeMark)
		if !ok || stream != "stdout" || full {
			return
		}
		var source string
		written := false
		if json.Unmarshal([]byte(request), &source) == nil {
			if rel, ok := strings.CutPrefix(source, w.gen+"/"); ok {
				written, _ = w.write(rel) // without bytecode the test compiles the source itself
			}
		}
		answer := "n"
		if written {
			answer = "y"
		}
		_ = answers.SetWriteDeadline(time.Now().Add(time.Second))
		_, err := answers.WriteString(answer)
		full = err != nil
	}
}

// smokeTestLine is one line of the script: the outcome of a part, or its next stage.
type smokeTestLine struct {
	SmokeTestPart
	Stage    string
	Failures []struct{ Module, Error string }
}

// smokeTestParts returns every requested part, in order. ran is the error of the
// script, or nil; it explains the first part without an outcome.
func smokeTestParts(s resources.SmokeTest, result command.Result, ran *command.Error) []SmokeTestPart {
	var names []string
	if len(s.Imports) > 0 {
		names = append(names, "imports")
	}
	if s.CUDA {
		names = append(names, "cuda")
	}
	if s.QLoRA != nil {
		names = append(names, "qlora")
	}
	if s.MPS {
		names = append(names, "mps")
	}
	lines := smokeTestLines(result.Stdout)
	var parts []SmokeTestPart
	failed := "" // the first failed part
	for _, name := range names {
		nvidia := name == "cuda" || name == "qlora"
		line, started := lines[name]
		part := line.SmokeTestPart
		part.Name = name
		switch {
		case failed != "" && !started:
			part = SmokeTestPart{Name: name, Outcome: SmokeTestSkipped, Detail: failed + " failed"}
		case nvidia && !s.GPU:
			part = SmokeTestPart{Name: name, Outcome: SmokeTestSkipped, Detail: "no usable NVIDIA GPU on this machine"}
		case name == "mps" && !s.Apple:
			part = SmokeTestPart{Name: name, Outcome: SmokeTestSkipped, Detail: "this machine is no Mac with Apple silicon"}
		case !started || part.Outcome == "":
			part = unfinished(name, line.Stage, result, ran)
		case len(line.Failures) > 0:
			part = importFailure(line)
		case name == "imports":
			part.Detail = strings.Join(s.Imports, ", ")
		}
		if part.Outcome == SmokeTestFailed && failed == "" {
			failed = name
		}
		part.Detail, part.Note, part.Hint = escape(part.Detail), escape(part.Note), escape(part.Hint)
		parts = append(parts, part)
	}
	return parts
}

// smokeTestLines returns the last line of each part.
func smokeTestLines(stdout []byte) map[string]smokeTestLine {
	lines := map[string]smokeTestLine{}
	for text := range bytes.Lines(stdout) {
		body, ok := bytes.CutPrefix(text, []byte(smokeTestMark))
		var line smokeTestLine
		if !ok || json.Unmarshal(body, &line) != nil {
			continue
		}
		switch line.Outcome {
		case "", SmokeTestPassed, SmokeTestSkipped, SmokeTestUnknown, SmokeTestFailed:
			lines[line.Name] = line
		}
	}
	return lines
}

func importFailure(line smokeTestLine) SmokeTestPart {
	var names, found []string
	for _, f := range line.Failures {
		names = append(names, f.Module)
		found = append(found, command.Escape(f.Module+": "+f.Error))
	}
	return SmokeTestPart{
		Name: line.Name, Outcome: SmokeTestFailed, Detail: "cannot import " + strings.Join(names, ", "),
		Found: strings.Join(found, "\n"), Hint: "change the versions in the manifest, or `reconcile verify --deep` finds damaged files of the store",
	}
}

// unfinished returns the result of a part that has no outcome.
//
// A driver that does not initialise within minutes is broken, even if others use the
// GPU: that is a failure. A computation may wait for those of others: then the result
// is unknown.
func unfinished(name, stage string, result command.Result, ran *command.Error) SmokeTestPart {
	part := SmokeTestPart{Name: name, Outcome: SmokeTestFailed}
	if ran == nil {
		part.Detail, part.Hint = "the interpreter ended without an answer", "a module exits the process"
		return part
	}
	part.Detail = ran.Error()
	if len(bytes.TrimSpace(result.Stderr)) > 0 { // else the tail is that of stdout
		part.Found = strings.Join(ran.Tail, "\n")
	}
	timedOut := ran.TimedOut() || bytes.Contains(result.Stderr, []byte("Timeout ("))
	switch {
	case stage == "":
	case timedOut && stage == cudaInit:
		part.Detail = stage + " does not end"
		part.Hint = "the driver hangs: check dmesg and `nvidia-smi`, then reload the driver or restart the machine"
	case timedOut:
		part.Outcome, part.Detail = SmokeTestUnknown, "the "+stage+" on the GPU did not end in time"
		part.Hint = "test it when the GPU is free: `reconcile doctor`"
	default:
		part.Detail = stage + ": " + part.Detail
	}
	return part
}

// remark returns a note on a part that did not fail: "cuda: skipped, no GPU on this
// machine"; "" for none.
func (p *SmokeTestPart) remark() string {
	switch {
	case p.Outcome != SmokeTestPassed:
		return fmt.Sprintf("%s: %s, %s", p.Name, p.Outcome, p.Detail)
	case p.Note != "":
		return p.Name + ": " + p.Note
	}
	return ""
}

// problem returns a failed part as the problem of a new generation.
func (p *SmokeTestPart) problem() *diag.Problem {
	return p.problemIn("the new generation", "the active generation was not changed")
}

// ActiveProblem returns a failed part as the problem of the active generation with a name.
func (p *SmokeTestPart) ActiveProblem(name string) *diag.Problem {
	return p.problemIn("generation "+name+" on this machine", "it stays active; `reconcile rollback` activates an earlier one")
}

func (p *SmokeTestPart) problemIn(generation, hint string) *diag.Problem {
	d := &diag.Problem{Code: "apply.prove", Found: p.Found, Hint: hint}
	switch {
	case p.Name != "imports":
		d.Code += "." + p.Name
		d.Summary = map[string]string{"cuda": "CUDA", "qlora": "QLoRA", "mps": "MPS"}[p.Name] + " does not work in " + generation + ": " + p.Detail
	case strings.HasPrefix(p.Detail, "cannot import "):
		d.Summary = p.Detail + " in " + generation
	default:
		d.Summary = generation + " does not work: " + p.Detail
	}
	if p.Hint != "" {
		d.Hint += "; " + p.Hint
	}
	return d
}
