package apply

import (
	"bytes"
	"context"
	_ "embed" // the script of prove
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A SmokeTestOutcome is how one part of a proof ended.
type SmokeTestOutcome string

const (
	SmokeTestPassed  SmokeTestOutcome = "ok"
	SmokeTestSkipped SmokeTestOutcome = "skipped" // there is nothing to prove it on
	SmokeTestUnknown SmokeTestOutcome = "unknown" // a GPU that is full or busy says nothing about an environment
	SmokeTestFailed  SmokeTestOutcome = "failed"
)

// A SmokeTestPart is what one part of a proof showed.
type SmokeTestPart struct {
	Name    string           `json:"name"` // "imports", "cuda", "qlora"
	Outcome SmokeTestOutcome `json:"outcome"`
	Detail  string           `json:"detail,omitempty"` // in one line: what was shown, or why it was not
	Note    string           `json:"note,omitempty"`   // what to know of one that is ok
	Found   string           `json:"found,omitempty"`  // what Python and its modules said of one that failed
	Hint    string           `json:"hint,omitempty"`
}

const (
	// proveTimeout is how long a whole proof may take. Importing from a cold disk
	// takes the most of it.
	smokeTestTimeout = 10 * time.Minute
	// gpuTimeout is how long one stage on a GPU may take. A machine with eight GPUs
	// that nobody keeps awake needs half a minute to begin.
	gpuTimeout = 2 * time.Minute
	// initialisation is the stage of the script that opens the driver.
	cudaInit = "initialisation of CUDA"
)

//go:embed smoketest.py
var smokeTestScript string

// prove proves a generation, and fails with the first part that does. Imports take
// one core; meanwhile another reads the files for the Seal that follows.
func (t *task) smokeTest(ctx context.Context, s resources.SmokeTest) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	folder := place{t.root, path.Join(t.o.State, atomicfile.TempName())}
	if err := folder.root.Mkdir(folder.rel, 0o700); err != nil {
		return err
	}
	defer discard(folder)
	c := t.command(interpreter(gen), nil)
	c.Line = nil // what packages say while they are imported is shown only if one fails
	if err := smokeTestCommand(&c, s, folder.abs(), t.o.GPUEnv); err != nil {
		return err
	}
	sound := t.verifyInBackground(ctx, gen, folder)
	result, err := command.Run(ctx, c)
	t.verified = sound(err == nil)
	if err != nil && (ctx.Err() != nil || !programRan(err)) {
		return t.stoppedBy(ctx, err)
	}
	t.smokeTests = smokeTestParts(s, result, err)
	return t.checkSmokeTest()
}

// judge tells what of the proof a reader may want to know, and returns the problem
// of the part that failed.
func (t *task) checkSmokeTest() error {
	for i := range t.smokeTests {
		part := &t.smokeTests[i]
		if part.Outcome == SmokeTestFailed {
			return part.problem()
		}
		if text := part.note(); text != "" {
			t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Action: t.item.Change.Action, Step: t.step, Text: text})
		}
	}
	return nil
}

// RunSmokeTest proves what stands in a generation, named by its absolute path, outside
// of any plan. It writes nothing but a temporary folder that it removes. gpuEnv is
// as in Options. An error says that the interpreter could not be started.
func RunSmokeTest(ctx context.Context, generation string, s resources.SmokeTest, gpuEnv []string) ([]SmokeTestPart, error) {
	dir, err := os.MkdirTemp("", "reconcile-prove-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c := command.Command{Program: filepath.Join(generation, "bin", "python")}
	if err := smokeTestCommand(&c, s, dir, gpuEnv); err != nil {
		return nil, err
	}
	result, err := command.Run(ctx, c)
	if err != nil && (ctx.Err() != nil || !programRan(err)) {
		return nil, err
	}
	return smokeTestParts(s, result, err), nil
}

func programRan(err error) bool {
	_, ran := errors.AsType[*command.Error](err)
	return ran
}

// proofCommand makes a command the one that proves: isolated, without writing
// bytecode, in an empty folder that is home and temporary folder too, and with every
// way into the network closed that variables can close. On a GPU it keeps no memory
// that it does not use.
func smokeTestCommand(c *command.Command, s resources.SmokeTest, dir string, gpuEnv []string) error {
	c.Timeout = s.Timeout
	if c.Timeout == 0 {
		c.Timeout = smokeTestTimeout
	}
	asked, err := json.Marshal(struct {
		Imports  []string
		GPU      bool
		CUDA     bool
		Driver   string
		QLoRA    *resources.QLoRA
		Deadline float64 // of a stage on the GPU, in seconds
	}{append([]string{}, s.Imports...), s.GPU, s.CUDA, s.Driver, s.QLoRA, min(gpuTimeout, c.Timeout/2).Seconds()})
	if err != nil {
		return err
	}
	c.Args = []string{"-I", "-B", "-c", smokeTestScript, string(asked)}
	c.Dir = dir
	c.Env = []string{
		"HOME=" + dir, "TMPDIR=" + dir, "HF_HUB_OFFLINE=1",
		"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "ALL_PROXY=http://127.0.0.1:9",
	}
	if s.GPU {
		c.Env = append(c.Env, "PYTORCH_NO_CUDA_MEMORY_CACHING=1", "CUDA_CACHE_DISABLE=1")
		c.Env = append(c.Env, gpuEnv...)
	}
	return nil
}

// proofMark begins each line of the script, so that nothing a package prints is
// taken for one.
const smokeTestMark = "\x1ereconcile-prove "

// proofLine is one line of the script: the outcome of a part, or what it begins.
type smokeTestLine struct {
	SmokeTestPart
	Doing    string
	Failures []struct{ Module, Error string }
}

// proofParts returns every part that was asked for, in order. The first that the
// script did not get to the end of is explained by how it ended.
func smokeTestParts(s resources.SmokeTest, result command.Result, err error) []SmokeTestPart {
	lines := smokeTestLines(result.Stdout)
	var parts []SmokeTestPart
	broken := "" // the part that failed
	for _, name := range smokeTestNames(s) {
		gpu := name != "imports"
		line, ended := lines[name]
		part := line.SmokeTestPart
		part.Name = name
		switch {
		case broken != "" && !ended:
			part = SmokeTestPart{Name: name, Outcome: SmokeTestSkipped, Detail: broken + " failed"}
		case gpu && !s.GPU:
			part = SmokeTestPart{Name: name, Outcome: SmokeTestSkipped, Detail: "no GPU on this machine"}
		case !ended || part.Outcome == "":
			part = unfinished(name, line.Doing, result, err)
		case len(line.Failures) > 0:
			part = importFailure(line)
		case !gpu:
			part.Detail = strings.Join(s.Imports, ", ")
		}
		if part.Outcome == SmokeTestFailed && broken == "" {
			broken = name
		}
		parts = append(parts, part.escaped())
	}
	return parts
}

// proofNames are the parts that a step asks for.
func smokeTestNames(s resources.SmokeTest) []string {
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
	return names
}

// proofLines returns the last line of each part.
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
		Found: strings.Join(found, "\n"), Hint: "change the pins in the manifest",
	}
}

// unfinished explains a part that has no outcome.
//
// A driver that does not open in minutes is broken, whoever else uses the GPU: to
// open it waits for nobody's work. That is a failure. Work on a GPU does wait for
// that of others, so that there the same silence is no answer.
func unfinished(name, doing string, result command.Result, err error) SmokeTestPart {
	part := SmokeTestPart{Name: name, Outcome: SmokeTestFailed}
	ran, ok := errors.AsType[*command.Error](err)
	if !ok {
		part.Detail = "the interpreter ended without an answer"
		part.Hint = "a module ends the process"
		return part
	}
	part.Detail = ran.Error()
	if len(bytes.TrimSpace(result.Stderr)) > 0 { // else the tail is what the script wrote
		part.Found = strings.Join(ran.Tail, "\n")
	}
	silent := ran.TimedOut() || bytes.Contains(result.Stderr, []byte("Timeout ("))
	switch {
	case doing == "":
	case silent && doing == cudaInit:
		part.Detail = doing + " does not end"
		part.Hint = "the driver hangs: look at dmesg and `nvidia-smi`, then reload the driver or restart the machine"
	case silent:
		part.Outcome, part.Detail = SmokeTestUnknown, "the "+doing+" on the GPU did not end in time"
		part.Hint = "prove it when the GPU is free: `reconcile doctor`"
	default:
		part.Detail = doing + ": " + part.Detail
	}
	return part
}

// shown returns a part as it may be shown: its texts come from packages.
func (p SmokeTestPart) escaped() SmokeTestPart {
	for _, text := range []*string{&p.Detail, &p.Note, &p.Hint} {
		*text = command.Escape(*text)
		if len(*text) > maxEventText {
			*text = strings.ToValidUTF8((*text)[:maxEventText], "")
		}
	}
	return p
}

// remark is what a reader may want to know of a part that did not fail: "cuda:
// skipped, no GPU on this machine"; "" if there is nothing.
func (p *SmokeTestPart) note() string {
	switch {
	case p.Outcome != SmokeTestPassed:
		return fmt.Sprintf("%s: %s, %s", p.Name, p.Outcome, p.Detail)
	case p.Note != "":
		return p.Name + ": " + p.Note
	}
	return ""
}

// problem is why an environment with this part does not become visible.
func (p *SmokeTestPart) problem() *diag.Problem {
	d := &diag.Problem{Code: "apply.prove", Found: p.Found, Hint: "the environment that is in use was not touched"}
	switch {
	case p.Name != "imports":
		d.Code += "." + p.Name
		d.Summary = map[string]string{"cuda": "CUDA", "qlora": "QLoRA"}[p.Name] + " does not work in the new environment: " + p.Detail
	case strings.HasPrefix(p.Detail, "cannot import "):
		d.Summary = p.Detail + " in the new environment"
	default:
		d.Summary = "the new environment does not work: " + p.Detail
	}
	if p.Hint != "" {
		d.Hint += "; " + p.Hint
	}
	return d
}
