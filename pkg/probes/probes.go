// Package probes looks at this machine and changes nothing: no file is written,
// no network is used. It answers keys with facts.
//
// It starts no process, with one exception: where files show an NVIDIA driver and
// facts.NvidiaKey is asked, that driver is asked through programs that are ended
// when they take too long. No file says what it says.
//
// What holds for every probe:
//
//   - Absent is a fact. What could not be looked at (no permission, no answer in
//     time) is a failed key with its reason, never an absence.
//   - No probe aborts the others, and each has a deadline: a file system that
//     hangs costs its keys, not the run.
//   - Reading and parsing are apart; what parses foreign bytes is pure and fuzzed.
//   - The inherited environment counts only where a variable says where things
//     are (HOME, PATH, PYENV_ROOT and the like) or declares an index (see Index).
//
// Paths go in chunks over as many goroutines as there are cores; everything else
// gets a goroutine of its own from the start.
package probes

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// deadline is how long one look may take before it counts as no answer.
const deadline = 10 * time.Second

// A Prober looks at one machine for one project. It is safe for concurrent use
// once Environments, Models and Helper are set.
type Prober struct {
	// Environments gives the visible place of each environment by its name, as
	// the manifest says it. The caller sets it.
	Environments map[string]layout.ActiveEnv
	// Models is where the models of the manifest are looked for. The caller sets it.
	Models ModelCache
	// Helper is a program whose main function calls RunHelper, by its absolute path: it
	// is started to ask NVML. With "" nvidia-smi alone is asked. The caller sets it
	// only to itself and only if HasNVML: a program that does not know the word it
	// is given, such as the binary of a test, would do something else.
	Helper string

	root     string // absolute, links resolved
	home     string // absolute, or "" for a user without one
	environ  map[string]string
	system   system
	platform string // "linux-x86_64"
	arch     string // of the hardware
	machine  string // 8 hexadecimal digits

	driverStuck *atomic.Bool // a process that asks the driver cannot be ended; shared with copies

	// For tests.
	prefix      string // put before the fixed places of the system; "" for the real ones
	deadline    time.Duration
	stat        func(name string) // called before each path is looked at; nil for nothing
	driverExtra []string          // more environment for what asks the driver
}

// system is what the kernel says of the machine.
type system struct {
	os       string // GOOS
	arch     string // as uname says it, or of the hardware below Rosetta
	hostname string
	version  string // of the operating system, where the kernel knows it
}

// New returns a Prober for the project at root, a directory. environ is that of
// the process, as os.Environ returns it; nothing else of it is ever asked.
func New(root string, environ []string) (*Prober, error) {
	return newAt("", root, environ)
}

// newAt is New with a prefix before the fixed places of the system.
func newAt(prefix, root string, environ []string) (*Prober, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return nil, cmp.Or(err, fmt.Errorf("%s is not a directory", abs))
	}
	p := &Prober{root: abs, prefix: prefix, deadline: deadline, environ: make(map[string]string, len(environ)), driverStuck: new(atomic.Bool)}
	for _, v := range environ {
		if name, value, ok := strings.Cut(v, "="); ok {
			p.environ[name] = value
		}
	}
	p.home = p.findHome()
	if p.system, err = readSystem(); err != nil {
		return nil, err
	}
	p.arch = p.system.arch
	p.platform = platformName(p.system.os, p.arch)
	p.machine = p.machineID()
	return p, nil
}

// With returns a copy that finds environments and models at these places.
func (p *Prober) With(environments map[string]layout.ActiveEnv, models ModelCache) *Prober {
	with := *p
	with.Environments, with.Models = environments, models
	return &with
}

// findHome returns the user's home, "" where none is known.
func (p *Prober) findHome() string {
	if h := p.environ["HOME"]; filepath.IsAbs(h) {
		return filepath.Clean(h)
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return u.HomeDir
	}
	return ""
}

// sys returns a fixed place of the system.
func (p *Prober) sys(name string) string { return p.prefix + name }

// below returns a place below the user's home, or "" without a home.
func (p *Prober) below(rel string) string {
	if p.home == "" {
		return ""
	}
	return filepath.Join(p.home, rel)
}

// dirVariable returns the directory that a variable names, or fallback. What is
// not absolute does not count.
func (p *Prober) dirVariable(name, fallback string) string {
	if v := p.environ[name]; filepath.IsAbs(v) {
		return filepath.Clean(v)
	}
	return fallback
}

// abs returns the file name for a path as facts spell it.
func (p *Prober) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.root, path)
}

// state returns the part of .reconcile that belongs to this machine.
func (p *Prober) state() string { return layout.State(p.platform, p.machine) }

// An answer is what one probe came to.
type answer struct {
	key  facts.Key
	fact facts.Fact
	err  error
}

// Probe looks at every key and returns what is known of each: a fact, or the
// reason why there is none. A key that is named twice is answered once.
func (p *Prober) Probe(ctx context.Context, keys []facts.Key) *facts.Facts {
	f := &facts.Facts{}
	f.Grow(len(keys))
	var paths []string
	var others []facts.Key
	for _, k := range keys {
		switch {
		case k.Kind == facts.KindPath && paths == nil:
			paths = append(make([]string, 0, len(keys)), k.Name)
		case k.Kind == facts.KindPath:
			paths = append(paths, k.Name)
		case !slices.Contains(others, k):
			others = append(others, k)
		}
	}
	answers := make(chan answer, len(others)) // room for all, so that a late one never waits
	for _, k := range others {
		go func() { answers <- p.answer(ctx, k) }()
	}
	p.probePaths(ctx, paths, f)
	p.collect(ctx, others, answers, f)
	return f
}

// collect waits for the answers, but no longer than the deadline.
func (p *Prober) collect(ctx context.Context, keys []facts.Key, answers <-chan answer, f *facts.Facts) {
	if len(keys) == 0 {
		return
	}
	timer := time.NewTimer(p.deadline)
	defer timer.Stop()
	for range keys {
		select {
		case a := <-answers:
			if a.err != nil {
				f.Fail(a.key, a.err.Error())
				continue
			}
			f.Set(a.fact)
		case <-timer.C:
			p.failRest(keys, f, fmt.Sprintf("no answer in %v", p.deadline))
			return
		case <-ctx.Done():
			p.failRest(keys, f, "interrupted")
			return
		}
	}
}

func (p *Prober) failRest(keys []facts.Key, f *facts.Facts, reason string) {
	known := map[facts.Key]bool{}
	for _, k := range f.Keys() {
		known[k] = true
	}
	for _, k := range keys {
		if !known[k] {
			f.Fail(k, reason)
		}
	}
}

// answer runs one probe. Foreign files are parsed in it, so a panic is an answer
// too.
func (p *Prober) answer(ctx context.Context, k facts.Key) (a answer) {
	a.key = k
	defer func() {
		if r := recover(); r != nil {
			a.err = fmt.Errorf("the probe broke on what it found: %v", r)
		}
	}()
	a.fact, a.err = p.look(ctx, k)
	return a
}

func (p *Prober) look(ctx context.Context, k facts.Key) (facts.Fact, error) {
	switch k.Kind {
	case facts.KindProject:
		return facts.Project{Root: p.root, State: p.state()}, nil
	case facts.KindHost:
		return p.host()
	case facts.KindGPU:
		return p.gpu()
	case facts.KindNvidia:
		return p.nvidia(ctx)
	case facts.KindToolkit:
		return p.toolkit()
	case facts.KindIndex:
		s, err := p.Index()
		return s.Fact(), err
	case facts.KindFolder:
		return p.folder(k.Name)
	case facts.KindTree:
		return p.tree(k.Name)
	case facts.KindDisk:
		return p.disk(k.Name)
	case facts.KindPython:
		return p.pythons(k.Name)
	case facts.KindTool:
		return p.tool(k.Name)
	case facts.KindEnvironment:
		return p.environment(k.Name)
	case facts.KindModel:
		return p.model(k.Name)
	}
	return nil, fmt.Errorf("no probe looks at facts of the kind %q", k.Kind)
}

// lines are the lines of Python that AllKeys names.
var lines = []string{"3.9", "3.10", "3.11", "3.12", "3.13", "3.14"}

// AllKeys returns every key that can be known without a manifest, those of the
// environments and models that were named, and extra; each once, sorted.
func (p *Prober) AllKeys(extra ...facts.Key) []facts.Key {
	keys := []facts.Key{facts.ProjectKey, facts.HostKey, facts.GPUKey, facts.NvidiaKey, facts.ToolkitKey, facts.IndexKey, facts.DiskKey("."), facts.ToolKey("uv")}
	for _, l := range lines {
		keys = append(keys, facts.PythonKey(l))
	}
	for name := range p.Environments {
		keys = append(keys, facts.EnvironmentKey(name))
	}
	for repo := range p.Models.Pins {
		keys = append(keys, facts.ModelKey(repo))
	}
	keys = append(keys, extra...)
	slices.SortFunc(keys, facts.Key.Compare)
	return slices.Compact(keys)
}
