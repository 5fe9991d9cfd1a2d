package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A TestedOn is what the result of a smoke test depends on besides the generation. Equal
// machines have equal values: it contains no name of a machine.
type TestedOn struct {
	Platform string `json:"platform"`
	System   string `json:"system,omitempty"` // "glibc 2.39"; on macOS the version of the system
	Driver   string `json:"driver,omitempty"` // of the NVIDIA GPUs
	GPUs     string `json:"gpus"`             // their models, or "none"
	Python   string `json:"python"`           // version of the interpreter
}

// String returns text such as "driver 550.54.15, NVIDIA H100".
func (on TestedOn) String() string {
	if on.GPUs == "none" {
		return "no NVIDIA GPU, " + cmp.Or(on.System, on.Platform)
	}
	var parts []string
	if on.Driver != "" {
		parts = append(parts, "driver "+on.Driver)
	}
	return strings.Join(append(parts, cmp.Or(on.GPUs, "an NVIDIA GPU")), ", ")
}

// A tested is the latest result of the smoke test of a generation on one machine, or on
// machines that are equal.
type tested struct {
	Environment string    `json:"environment"`
	Generation  string    `json:"generation"`
	On          TestedOn  `json:"on"`
	Passed      bool      `json:"passed"`
	Time        time.Time `json:"time"`
}

func (t *tested) isOf(environment, generation string, on TestedOn) bool {
	return t.Environment == environment && t.Generation == generation && t.On == on
}

// testedFile is the text of layout.Tested.
type testedFile struct {
	Version int      `json:"version"`
	Results []tested `json:"results"` // the latest last
}

const (
	maxTested      = 200       // results that are kept
	maxTestedBytes = 256 << 10 // of the file
)

// readTested returns the results of smoke tests, none if they cannot be read: the tests are
// then run again.
func readTested(state string) (f testedFile) {
	b, err := rawfile.ReadFile(layout.Tested(state), maxTestedBytes, rawfile.NoFollow)
	if err != nil || json.Unmarshal(b, &f) != nil || f.Version != 1 {
		return testedFile{Version: 1}
	}
	return f
}

// record replaces the result of a smoke test. Two processes may do that at once; the result
// of one is then lost.
func (t tested) record(state string) error {
	root, err := os.OpenRoot(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	f := readTested(state)
	f.Results = slices.DeleteFunc(f.Results, func(old tested) bool { return old.isOf(t.Environment, t.Generation, t.On) })
	f.Results = append(f.Results, t)
	f.Results = f.Results[max(0, len(f.Results)-maxTested):]
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(root, layout.Tested(""), 0o600, append(text, '\n'))
}

// An ActiveTest is the smoke test of the active generation of an environment, and what is
// known of it on this machine.
type ActiveTest struct {
	Addr resources.Addr // of the environment
	Test resources.SmokeTest
	On   TestedOn

	environment, generation, state, temp string
	flags                                string // " --env NAME", or ""; for hints
	passed, failed                       bool
}

// NewActiveTest returns the smoke test of the active generation. f are facts of this machine:
// the project, the host, the GPU, the environment and the interpreters of its Python version.
// flags are those of Target.Flags, for hints.
// ok is false if nothing is active, nothing is to be tested, or a fact is missing.
func NewActiveTest(f *facts.Facts, env *manifest.Environment, flags string) (t *ActiveTest, ok bool) {
	if env == nil {
		return nil, false
	}
	project, ok1 := facts.Find[facts.Project](f, facts.ProjectKey)
	host, ok2 := facts.Find[facts.Host](f, facts.HostKey)
	gpu, ok3 := facts.Find[facts.GPU](f, facts.GPUKey)
	e, ok4 := facts.Find[facts.Environment](f, facts.EnvironmentKey(env.Name))
	g, active := e.CurrentGeneration()
	s := env.SmokeTest
	if !ok1 || !ok2 || !ok3 || !ok4 || !active || !s.Needed() {
		return nil, false
	}
	pythons, _ := facts.Find[facts.Pythons](f, facts.PythonKey(env.Python))
	t = &ActiveTest{
		Addr:        resources.Addr{Kind: env.Type, Name: env.Name},
		Test:        resources.SmokeTest{Generation: layout.Generation(project.State, e.Name, g.Name), Imports: s.Imports, CUDA: s.TestCUDA, QLoRA: s.QLoRA, MPS: s.TestMPS, Apple: host.HasAppleGPU()},
		On:          testedOn(host, gpu, pythons, g),
		environment: e.Name, generation: g.Name, state: project.State, temp: layout.Temp(project.Store), flags: flags,
	}
	if n, ok := facts.Find[facts.Nvidia](f, facts.NvidiaKey); ok {
		t.Test.GPU, t.Test.Driver = n.State == facts.DriverOK && len(n.Devices) > 0, n.CUDA
	}
	for _, r := range readTested(project.State).Results {
		if r.isOf(t.environment, t.generation, t.On) {
			t.passed, t.failed = r.Passed, !r.Passed
		}
	}
	return t, true
}

func testedOn(host facts.Host, gpu facts.GPU, pythons facts.Pythons, g facts.Generation) TestedOn {
	on := TestedOn{Platform: host.Platform, System: strings.TrimSpace(host.Libc.Name + " " + host.Libc.Version), GPUs: "none", Python: g.Python}
	if host.OS == "darwin" {
		on.System = host.OSVersion
	}
	if gpu.Vendor == "nvidia" {
		on.Driver, on.GPUs = gpu.Driver, gpu.Models
	}
	for _, p := range pythons.Found {
		if p.Path == g.Base {
			on.Python = p.Version
		}
	}
	return on
}

// Passed reports whether the generation passed its smoke test on this machine or an equal
// one.
func (t *ActiveTest) Passed() bool { return t.passed }

// Note returns what to do about a generation that did not pass, "" if it passed.
func (t *ActiveTest) Note() string {
	switch {
	case t.passed:
		return ""
	case t.failed:
		return fmt.Sprintf("environment %s failed its smoke test on this machine (%s): `reconcile apply%s` tests it again, `reconcile rollback%[3]s` activates an earlier generation", t.environment, t.On, t.flags)
	}
	return fmt.Sprintf("environment %s is not yet tested on this machine (%s): `reconcile apply%s` tests it", t.environment, t.On, t.flags)
}

// Record records a result of the smoke test, unless it is not known: a GPU was busy, or did
// not respond. Parts that do not belong to the test are ignored.
func (t *ActiveTest) Record(parts []apply.SmokeTestPart, now time.Time) error {
	passed := true
	asked := map[string]bool{"imports": len(t.Test.Imports) > 0, "cuda": t.Test.CUDA, "qlora": t.Test.QLoRA != nil, "mps": t.Test.MPS && t.Test.Apple}
	for _, p := range parts {
		switch {
		case !asked[p.Name]:
		case p.Outcome == apply.SmokeTestFailed:
			passed = false
		case p.Outcome == apply.SmokeTestUnknown, p.Outcome == apply.SmokeTestSkipped && t.On.GPUs != "none" && passed:
			return nil
		}
	}
	if len(parts) == 0 {
		return nil
	}
	t.passed, t.failed = passed, !passed
	return tested{Environment: t.environment, Generation: t.generation, On: t.On, Passed: passed, Time: now.UTC().Truncate(time.Second)}.record(t.state)
}

// Run runs the smoke test and records its result. The error is that of its first failed
// part; recorded is why the result could not be recorded.
func (t *ActiveTest) Run(ctx context.Context, c *Config) (parts []apply.SmokeTestPart, recorded, err error) {
	parts, err = apply.RunSmokeTest(ctx, t.Test.Generation, t.temp, t.Test, c.GPUEnv())
	if err != nil {
		return nil, nil, err
	}
	recorded = t.Record(parts, time.Now())
	for i := range parts {
		if parts[i].Outcome == apply.SmokeTestFailed {
			return parts, recorded, parts[i].ActiveProblem(t.generation)
		}
	}
	return parts, recorded, nil
}

// ActiveTests returns the smoke tests of the active generations of the selected environments.
// There is none for a recorded machine, and for a damaged environment, which apply replaces.
func (m *Machine) ActiveTests() (list []*ActiveTest) {
	if m.IsRecorded() {
		return nil
	}
	for _, env := range m.Envs {
		e, _ := facts.Find[facts.Environment](m.Facts, facts.EnvironmentKey(env.Name))
		if g, active := e.CurrentGeneration(); !active || len(g.Damage) > 0 {
			continue
		}
		if t, ok := NewActiveTest(m.Facts, env, m.Flags(env)); ok {
			list = append(list, t)
		}
	}
	return list
}

// RecordBuilt records the smoke tests of the generations that an apply built and activated. m
// is the machine afterwards. It returns the smoke tests that are still to be run: those of the
// environments that the apply did not test.
func (m *Machine) RecordBuilt(r *apply.Result) (left []*ActiveTest, err error) {
	for _, t := range m.ActiveTests() {
		i := slices.IndexFunc(r.Items, func(item apply.ItemResult) bool { return item.Addr == t.Addr && len(item.SmokeTest) > 0 })
		switch {
		case i < 0 && !t.Passed():
			left = append(left, t)
		case i >= 0 && r.Items[i].Outcome == apply.Done:
			err = errors.Join(err, t.Record(r.Items[i].SmokeTest, time.Now()))
		}
	}
	return left, err
}
