package apply

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// nf4 is the usual quantisation.
var nf4 = &resources.QLoRA{QuantType: "nf4", DoubleQuant: true, ComputeDtype: "bfloat16"}

// TestSmokeTest runs the smoke test against a fake torch, with a real Python. Each case is
// one machine; want is each part with its outcome and a part of its text.
func TestSmokeTest(t *testing.T) {
	t.Parallel()
	python := findPython(t)
	on := resources.SmokeTest{Imports: []string{"torch"}, GPU: true, CUDA: true, Driver: "12.4", QLoRA: nf4}
	step := func(change func(*resources.SmokeTest)) resources.SmokeTest {
		s := on
		change(&s)
		return s
	}
	onMac := resources.SmokeTest{Imports: []string{"torch"}, MPS: true, Apple: true}
	busy := "CUDA error: all CUDA-capable devices are busy or unavailable\nCUDA kernel errors might be asynchronously reported"
	for name, tt := range map[string]struct {
		machine map[string]any
		step    resources.SmokeTest
		env     []string
		want    []string
	}{
		"works": {nil, on, nil, []string{"imports ok", "cuda ok fake GPU 0, torch for CUDA 12.1", "qlora ok off by 10 %"}},
		"no GPU": {nil, step(func(s *resources.SmokeTest) { s.GPU = false }), nil, []string{
			"imports ok", "cuda skipped no usable NVIDIA GPU on this machine", "qlora skipped no usable NVIDIA GPU on this machine",
		}},
		"imports alone": {nil, resources.SmokeTest{Imports: []string{"torch", "json"}}, nil, []string{"imports ok"}},
		"no imports":    {nil, step(func(s *resources.SmokeTest) { s.Imports = nil }), nil, []string{"cuda ok", "qlora ok"}},
		"QLoRA alone":   {nil, step(func(s *resources.SmokeTest) { s.CUDA = false }), nil, []string{"imports ok", "qlora ok"}},
		"no such module": {nil, step(func(s *resources.SmokeTest) { s.Imports = []string{"torch", "omega"} }), nil, []string{
			"imports failed cannot import omega", "cuda skipped imports failed", "qlora skipped imports failed",
		}},
		"CPU build": {map[string]any{"cuda": nil}, on, nil, []string{
			"imports ok", "cuda failed built for CPU only: torch.version.cuda is None", "qlora skipped cuda failed",
		}},
		"newer major": {nil, step(func(s *resources.SmokeTest) { s.Driver = "11.4" }), nil, []string{
			"imports ok", "cuda failed torch is built for CUDA 12.1, the driver offers 11.4", "qlora skipped",
		}},
		"newer minor":        {nil, step(func(s *resources.SmokeTest) { s.Driver = "12.0" }), nil, []string{"imports ok", "cuda ok minor-version compatibility", "qlora ok"}},
		"driver's not known": {nil, step(func(s *resources.SmokeTest) { s.Driver = "" }), nil, []string{"imports ok", "cuda ok", "qlora ok"}},
		"not available": {map[string]any{"devices": 0, "init": "The NVIDIA driver on your system is too old (found version 11040)."}, on, nil, []string{
			"imports ok", "cuda failed torch.cuda.is_available() is False: The NVIDIA driver on your system is too old", "qlora skipped",
		}},
		"hidden": {map[string]any{"devices": 0}, on, []string{"CUDA_VISIBLE_DEVICES=-1"}, []string{
			"imports ok", "cuda skipped CUDA_VISIBLE_DEVICES=-1 hides every GPU", "qlora skipped",
		}},
		"no such GPU":    {map[string]any{"devices": 0}, on, []string{"CUDA_VISIBLE_DEVICES=7"}, []string{"imports ok", "cuda failed does that GPU exist?", "qlora skipped"}},
		"exclusive":      {map[string]any{"context": busy}, on, nil, []string{"imports ok", "cuda unknown the GPU is busy or full: CUDA error: all CUDA-capable devices are busy", "qlora unknown"}},
		"full":           {map[string]any{"free": []int{300 << 20}}, on, nil, []string{"imports ok", "cuda unknown the GPU is full: 300 MiB are free", "qlora unknown"}},
		"no context":     {map[string]any{"free": []int{-1}}, on, nil, []string{"imports ok", "cuda unknown out of memory", "qlora unknown"}},
		"emptiest":       {map[string]any{"devices": 4, "free": []int{-1, 20 << 30, 30 << 30, 10 << 30}}, on, nil, []string{"imports ok", "cuda ok fake GPU 2", "qlora ok"}},
		"unused":         {map[string]any{"devices": 2, "free": []int{79 << 30, 80 << 30}}, on, nil, []string{"imports ok", "cuda ok fake GPU 0", "qlora ok"}},
		"full meanwhile": {map[string]any{"quantise": "CUDA out of memory. Tried to allocate 2.00 MiB"}, on, nil, []string{"imports ok", "cuda ok", "qlora unknown CUDA out of memory"}},
		"wrong":          {map[string]any{"wrong": 1}, on, nil, []string{"imports ok", "cuda failed differs by 1", "qlora skipped"}},
		"inexact":        {map[string]any{"loss": 0.6}, on, nil, []string{"imports ok", "cuda ok", "qlora failed off by 60 %"}},
		"no library":     {map[string]any{"layer": "'NoneType' object has no attribute 'cquantize'"}, on, nil, []string{"imports ok", "cuda ok", "qlora failed RuntimeError: 'NoneType' object"}},
		"no bfloat16": {map[string]any{"layer": "CUBLAS_STATUS_NOT_SUPPORTED", "capability": []int{7, 5}}, on, nil, []string{
			"imports ok", "cuda ok", "qlora failed bfloat16 needs compute capability 8.0, fake GPU 0 has 7.5",
		}},
		"slow bfloat16": {map[string]any{"capability": []int{7, 5}}, on, nil, []string{"imports ok", "cuda ok", "qlora ok emulated, and slow"}},
		"dies":          {map[string]any{"copy": "die"}, on, nil, []string{"imports ok", "cuda failed ended by signal 11 (segmentation fault)", "qlora skipped cuda failed"}},
		"dies later":    {map[string]any{"layer": "die"}, on, nil, []string{"imports ok", "cuda ok", "qlora failed 4-bit layer: /"}},
		"ends":          {map[string]any{"bitsandbytes": "exit"}, on, nil, []string{"imports ok", "cuda ok", "qlora failed without an answer"}},
		"driver hangs":  {map[string]any{"available": "hang"}, step(func(s *resources.SmokeTest) { s.Timeout = 8 * time.Second }), nil, []string{"imports ok", "cuda failed initialisation of CUDA does not end", "qlora skipped"}},
		"GPU hangs":     {map[string]any{"layer": "hang"}, step(func(s *resources.SmokeTest) { s.Timeout = 8 * time.Second }), nil, []string{"imports ok", "cuda ok", "qlora unknown did not end in time"}},
		"import hangs":  {map[string]any{"bitsandbytes": "hang"}, step(func(s *resources.SmokeTest) { s.Imports, s.Timeout = []string{"bitsandbytes"}, 2*time.Second }), nil, []string{"imports failed ended after 2s", "cuda skipped", "qlora skipped"}},
		"no module torch": {map[string]any{"absent": true}, step(func(s *resources.SmokeTest) { s.Imports = []string{"json"} }), nil, []string{
			"imports ok", "cuda failed ModuleNotFoundError: No module named 'torch'", "qlora skipped",
		}},
		"a Mac": {map[string]any{"cuda": nil}, onMac, nil, []string{"imports ok", "mps ok a matrix product on device mps, torch 2.1.2+fake"}},
		"a Mac without NVIDIA": {nil, step(func(s *resources.SmokeTest) { s.GPU, s.MPS, s.Apple = false, true, true }), nil, []string{
			"imports ok", "cuda skipped no usable NVIDIA GPU", "qlora skipped", "mps ok",
		}},
		"no Mac": {nil, step(func(s *resources.SmokeTest) { s.MPS = true }), nil, []string{
			"imports ok", "cuda ok", "qlora ok", "mps skipped this machine is no Mac with Apple silicon",
		}},
		"a Mac without MPS": {map[string]any{"mps": "unavailable"}, onMac, nil, []string{"imports ok", "mps failed torch.backends.mps.is_available() is False"}},
		"built without MPS": {map[string]any{"mps": "absent"}, onMac, nil, []string{"imports ok", "mps failed torch 2.1.2+fake is built without MPS"}},
		"wrong on a Mac":    {map[string]any{"wrong": 1}, onMac, nil, []string{"imports ok", "mps failed differs by 1"}},
		"full on a Mac":     {map[string]any{"copy": "MPS backend out of memory (MPS allocated: 17 GB)"}, onMac, nil, []string{"imports ok", "mps unknown MPS backend out of memory"}},
		"imports fail on a Mac": {nil, resources.SmokeTest{Imports: []string{"omega"}, MPS: true, Apple: true}, nil, []string{
			"imports failed cannot import omega", "mps skipped imports failed",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gen := fakeGPU(t, python, tt.machine)
			parts, err := RunSmokeTest(t.Context(), gen, t.TempDir(), tt.step, tt.env)
			check(t, err)
			if len(parts) != len(tt.want) {
				t.Fatalf("%d parts, want %d: %+v", len(parts), len(tt.want), parts)
			}
			for i, p := range parts {
				head, words := p.Name+" "+string(p.Outcome), tt.want[i]
				fields := strings.SplitN(words, " ", 3)
				if head != strings.Join(fields[:2], " ") {
					t.Errorf("%s, want %s: %+v", head, words, p)
				}
				if len(fields) == 3 && !strings.Contains(p.Detail+" "+p.Note+" "+p.Hint, fields[2]) {
					t.Errorf("%s is %+v, want %q", head, p, fields[2])
				}
				if p.Outcome == SmokeTestFailed && p.problem().Summary == "" {
					t.Errorf("%+v has no problem", p)
				}
			}
		})
	}
}

// fakeGPU makes a generation with a fake torch, whose behaviour is in machine.
func fakeGPU(t *testing.T, python string, machine map[string]any) string {
	t.Helper()
	gen := filepath.Join(t.TempDir(), "gen")
	if out, err := exec.Command(python, "-I", "-m", "venv", "--without-pip", gen).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	installFakes(t, gen, machine)
	return gen
}

// installFakes writes the fake torch and bitsandbytes into an environment.
func installFakes(t *testing.T, gen string, machine map[string]any) {
	t.Helper()
	libs, err := filepath.Glob(filepath.Join(gen, "lib", "python3*", "site-packages"))
	check(t, err)
	if machine == nil {
		machine = map[string]any{}
	}
	if machine["absent"] == true {
		return
	}
	for _, name := range []string{"torch.py", "bitsandbytes.py"} {
		b, err := os.ReadFile(filepath.Join("testdata", "smoketest", name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(libs[0], name), b, 0o644))
	}
	b, err := json.Marshal(machine)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(libs[0], "case.json"), b, 0o644))
}

// TestSmokeTestInAPlan checks that skipped parts are reported as notes and in the result,
// and that a failed part stops the change before the generation becomes active.
func TestSmokeTestInAPlan(t *testing.T) {
	python := findPython(t)
	for name, tt := range map[string]struct {
		machine map[string]any
		env     []string
		outcome Outcome
		code    string
		notes   []string
	}{
		"works":      {nil, nil, Done, "", nil},
		"full":       {map[string]any{"free": []int{1 << 20}}, nil, Done, "", []string{"cuda: unknown, the GPU is full: 1 MiB are free, the smoke test takes up to 1024", "qlora: unknown, as cuda"}},
		"user hides": {map[string]any{"devices": 0}, []string{"CUDA_VISIBLE_DEVICES="}, Done, "", []string{"cuda: skipped, CUDA_VISIBLE_DEVICES= hides every GPU", "qlora: skipped, as cuda"}},
		"note":       {map[string]any{"cuda": "12.9"}, nil, Done, "", []string{"cuda: torch is built for CUDA 12.9, the driver offers 12.4: that works by minor-version compatibility, with limits"}},
		"CPU build":  {map[string]any{"cuda": nil}, nil, Failed, "apply.prove.cuda", nil},
		"no 4 bits":  {map[string]any{"layer": "no kernel image"}, nil, Failed, "apply.prove.qlora", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			gen := layout.Generation(w.stateDir(), "local", "one")
			full := w.path(gen)
			check(t, exec.Command(python, "-I", "-m", "venv", "--without-pip", full).Run())
			installFakes(t, full, tt.machine)
			plan := w.plan(wantMade(
				"done",
				resources.SmokeTest{Generation: gen, Imports: []string{"torch"}, GPU: true, CUDA: true, Driver: "12.4", QLoRA: nf4},
				resources.WriteFile{Path: "done", Mode: 0o644},
			))
			r := w.apply(t.Context(), plan, func(o *Options) { o.GPUEnv = tt.env })
			p := r.want(t, "made.done", tt.outcome, tt.code)
			if tt.code != "" && !strings.Contains(p.Hint, "the active generation was not changed") {
				t.Errorf("hint %q", p.Hint)
			}
			if parts := r.outcome(t, "made.done").SmokeTest; len(parts) != 3 {
				t.Errorf("the smoke test is %+v", parts)
			}
			var notes []string
			for _, ev := range w.events {
				if ev.Kind == Note {
					notes = append(notes, ev.Text)
				}
			}
			if !slices.Equal(notes, tt.notes) {
				t.Errorf("notes %q, want %q", notes, tt.notes)
			}
			w.checkClean()
		})
	}
}
