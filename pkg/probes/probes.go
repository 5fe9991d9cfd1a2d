// Package probes reads the state of this machine as facts. It writes no files and uses no
// network. It starts no processes except for facts.NvidiaKey: if files show an NVIDIA
// driver, the driver is queried by programs that are killed at the deadline.
//
//   - A missing file is a fact. A file that could not be read, for lack of permission or of
//     an answer in time, is a failed key with a reason.
//   - A probe does not abort others, and each has a deadline: if a file system hangs, only
//     its keys fail.
//   - Parsers of foreign bytes are pure functions with fuzz tests.
//   - Of the inherited environment only variables that locate things (HOME, PATH,
//     PYENV_ROOT and the like) or configure an index (see Index) are used.
//
// As many goroutines as there are cores probe paths. Every other key has a goroutine of
// its own.
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
	"github.com/reconcile-ml/reconcile/internal/redact"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
)

// deadline is the time after which a probe fails.
const deadline = 10 * time.Second

// A Prober probes one machine for one project. It is safe for concurrent use after
// Environments, Models and Helper are set.
type Prober struct {
	// Environments are the environments of the manifest by name. The caller sets it.
	Environments map[string]layout.ActiveEnv
	// Models are the models of the manifest. The caller sets it.
	Models ModelCache
	// Helper is the absolute path of a program whose main function calls RunHelper, which
	// is started to query NVML. If it is "", only nvidia-smi is used. The caller sets it to
	// its own executable if HasNVML; other programs do not understand the argument.
	Helper string
	// Redactor gets the secrets of the settings that are read; nil for none.
	Redactor *redact.Redactor
	// Settings are those of the user, if the caller has read them; nil to read them when they
	// are needed.
	Settings *userconfig.Config
	// PinnedTool returns where the store has a helper program, and its digest; its Path is ""
	// for none. The caller sets it; nil means none.
	PinnedTool func(name, store string, host facts.Host) facts.Tool
	// IsPythonArchive reports whether the SHA-256 is that of an archive with a Python that may
	// be in the store. The caller sets it; nil means none.
	IsPythonArchive func(facts.SHA256) bool

	root     string // absolute, links resolved
	store    string // absolute, links resolved
	home     string // absolute; "" if there is none
	environ  map[string]string
	system   system
	platform string // "linux-x86_64"
	arch     string // of the hardware

	driverStuck *atomic.Bool // a process that queries the driver cannot be ended; shared with copies

	// For tests.
	prefix      string // before the fixed paths of the system
	deadline    time.Duration
	stat        func(name string) // called before each path is probed; may be nil
	driverExtra []string          // more variables for the programs that query the driver
}

// system is the description of the machine by the kernel.
type system struct {
	os       string // GOOS
	arch     string // as in uname, or of the hardware under Rosetta
	hostname string
	version  string // of the operating system, if the kernel reports it

	// On macOS.
	processor string // "Apple M4"
	memory    int64  // bytes
}

// New returns a Prober for the project in the directory root, of the user with the store at
// the absolute path store. environ has the form of os.Environ; no other variables are used.
func New(root, store string, environ []string) (*Prober, error) {
	return newAt("", root, store, environ)
}

// newAt is New with a prefix before the fixed paths of the system.
func newAt(prefix, root, store string, environ []string) (*Prober, error) {
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
	p := &Prober{root: abs, store: store, prefix: prefix, deadline: deadline, environ: make(map[string]string, len(environ)), driverStuck: new(atomic.Bool)}
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
	return p, nil
}

// With returns a copy of p for other environments and models.
func (p *Prober) With(environments map[string]layout.ActiveEnv, models ModelCache) *Prober {
	with := *p
	with.Environments, with.Models = environments, models
	return &with
}

// findHome returns the home directory of the user, or "".
func (p *Prober) findHome() string {
	if h := p.environ["HOME"]; filepath.IsAbs(h) {
		return filepath.Clean(h)
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return u.HomeDir
	}
	return ""
}

// Store returns the store of the user.
func (p *Prober) Store() string { return p.store }

// sys returns a fixed path of the system.
func (p *Prober) sys(name string) string { return p.prefix + name }

// below returns a path in the home directory, or "" if there is none.
func (p *Prober) below(rel string) string {
	return join(p.home, rel)
}

// dirVariable returns the directory in a variable, or fallback if it is not absolute.
func (p *Prober) dirVariable(name, fallback string) string {
	if v := p.environ[name]; filepath.IsAbs(v) {
		return filepath.Clean(v)
	}
	return fallback
}

// abs returns the absolute path for a path as spelled in facts.
func (p *Prober) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.root, path)
}

// state returns the state directory of the project.
func (p *Prober) state() string { return layout.State(p.store, p.root) }

// An answer is the result of one probe.
type answer struct {
	key  facts.Key
	fact facts.Fact
	err  error
}

// Probe probes every key once and returns a fact or the reason of a failure for each.
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
	answers := make(chan answer, len(others)) // never blocks a late probe
	for _, k := range others {
		go func() { answers <- p.answer(ctx, k) }()
	}
	p.probePaths(ctx, paths, f)
	timer := time.NewTimer(p.deadline)
	defer timer.Stop()
	for len(others) > 0 {
		select {
		case a := <-answers:
			others = slices.DeleteFunc(others, func(k facts.Key) bool { return k == a.key })
			if a.err != nil {
				f.Fail(a.key, a.err.Error())
				continue
			}
			f.Set(a.fact)
		case <-timer.C:
			fail(f, others, fmt.Sprintf("no answer in %v", p.deadline))
			return f
		case <-ctx.Done():
			fail(f, others, "interrupted")
			return f
		}
	}
	return f
}

func fail(f *facts.Facts, keys []facts.Key, reason string) {
	for _, k := range keys {
		f.Fail(k, reason)
	}
}

// answer runs one probe. A panic, which a foreign file may cause in a parser, is a failure.
func (p *Prober) answer(ctx context.Context, k facts.Key) (a answer) {
	a.key = k
	defer func() {
		if r := recover(); r != nil {
			a.err = fmt.Errorf("the probe failed: %v", r)
		}
	}()
	a.fact, a.err = p.probe(ctx, k)
	return a
}

func (p *Prober) probe(ctx context.Context, k facts.Key) (facts.Fact, error) {
	switch k.Kind {
	case facts.KindProject:
		return facts.Project{Root: p.root, Store: p.store, State: p.state()}, nil
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
		return p.pythons(ctx, k.Name)
	case facts.KindTool:
		return p.tool(ctx, k.Name)
	case facts.KindEnvironment:
		return p.environment(k.Name)
	case facts.KindModel:
		return p.model(k.Name)
	}
	return nil, fmt.Errorf("no probe for facts of kind %q", k.Kind)
}

// minors lists the Python minor versions in AllKeys.
func minors() []string { return []string{"3.9", "3.10", "3.11", "3.12", "3.13", "3.14"} }

// AllKeys returns every key that does not depend on a manifest, those of Environments and
// Models, and extra, sorted and without duplicates.
func (p *Prober) AllKeys(extra ...facts.Key) []facts.Key {
	keys := []facts.Key{facts.ProjectKey, facts.HostKey, facts.GPUKey, facts.NvidiaKey, facts.ToolkitKey, facts.IndexKey, facts.DiskKey("."), facts.DiskKey(p.store), facts.ToolKey("uv")}
	for _, minor := range minors() {
		keys = append(keys, facts.PythonKey(minor))
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
