// Package doctor diagnoses a machine.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
)

// Options state what a diagnosis leaves out, and of which machine it is.
type Options struct {
	Offline     bool                     // do not contact the package index
	NoSmokeTest bool                     // do not start the environment's Python
	Facts       string                   // file with the facts of a recorded machine; "" for this machine
	Testing     func(environment string) // called before the smoke test starts; nil for none
}

// Run diagnoses a machine.
func Run(ctx context.Context, c *session.Config, o Options) (*report.Diagnosis, error) {
	ctx, _, stop := session.Interruptible(ctx, func() {})
	defer stop()
	p, err := admit(ctx, c, o)
	if err != nil {
		return nil, err
	}
	d := p.diagnose()
	if ctx.Err() != nil {
		return nil, exit.Quietly(exit.Interrupted)
	}
	return d, nil
}

// CheckTitle returns the chapter and the name of the check that reports findings with a code.
func CheckTitle(code string) (title string, ok bool) {
	for _, c := range checkups {
		if c.code == code || strings.HasPrefix(code, c.code+".") {
			return c.chapter + ", " + c.name, true
		}
	}
	if code == "gpu.compat" { // beside gpu.asked
		return "GPU, locked packages", true
	}
	return "", false
}

// A patient is one machine under diagnosis.
type patient struct {
	Options
	config   *session.Config
	ctx      context.Context
	root     string
	manifest *manifest.Manifest // nil where there is none that can be read
	name     string             // of the manifest
	unread   error              // why there is none
	env      *manifest.Environment
	selected manifest.Selection // by which env was chosen
	unchosen error              // why no environment is for this machine
	prober   *probes.Prober     // nil for a recorded machine
	facts    *facts.Facts
	// generation is the visible one, absolute, "" for none; library its site-packages.
	generation, library string
}

// admit finds out all that can be known without starting anything.
func admit(ctx context.Context, c *session.Config, o Options) (*patient, error) {
	p := &patient{config: c, Options: o, ctx: ctx, facts: &facts.Facts{}}
	if err := p.findManifest(); err != nil {
		return nil, err
	}
	if o.Facts != "" {
		var err error
		if p.facts, err = session.ReadFacts(c, o.Facts); err != nil {
			return nil, err
		}
		p.choose()
		return p, nil
	}
	var err error
	if p.prober, err = session.NewProber(c, p.root); err != nil {
		return nil, err
	}
	if p.manifest != nil {
		p.prober.Environments = p.manifest.EnvironmentPaths()
	}
	p.facts = p.prober.Probe(ctx, p.prober.AllKeys(p.keys()...))
	p.choose()
	p.findGeneration()
	return p, nil
}

// findManifest reads the manifest. That there is none, or that it is wrong, is a
// finding, unless the command line names it.
func (p *patient) findManifest() error {
	var err error
	if p.root, p.name, err = p.config.Locate(); err != nil {
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Code != "manifest.absent" || p.config.Manifest != "" {
			return err
		}
		p.unread = err
		p.root, err = p.config.Directory()
		return err
	}
	var checkout *session.Checkout
	if checkout, p.unread = session.Load(p.config); p.unread == nil {
		p.manifest = checkout.Manifest
	}
	return nil
}

// keys are the facts that a diagnosis needs beside all that are always known.
func (p *patient) keys() []facts.Key {
	keys := []facts.Key{facts.NvidiaKey, facts.ToolkitKey, facts.DiskKey(layout.Cache("uv"))}
	for _, name := range conda.Clients() {
		keys = append(keys, facts.ToolKey(name))
	}
	if p.manifest != nil && p.manifest.Storage != nil {
		keys = append(keys, facts.DiskKey(p.manifest.Storage.Path))
	}
	return keys
}

// choose selects the environment that is for this machine.
func (p *patient) choose() {
	if p.manifest == nil {
		return
	}
	known := session.FromFacts(p.config, p.manifest, p.facts)
	t, err := known.Select()
	if p.unchosen = err; err != nil {
		t, err = known.SelectNone()
	}
	if err == nil {
		p.env, p.selected = t.Env, t.Selection
	}
}

// findGeneration finds what is visible of the environment.
func (p *patient) findGeneration() {
	e, ok := p.standing()
	here, known := facts.Find[facts.Project](p.facts, facts.ProjectKey)
	if !ok || !known {
		return
	}
	if g, ok := e.CurrentGeneration(); ok {
		p.generation = filepath.Join(p.root, filepath.FromSlash(layout.Generation(here.State, e.Name, g.Name)))
		p.library = layout.SitePackages(p.generation, p.env.Python)
	}
}

// standing returns the chosen environment as it stands.
func (p *patient) standing() (facts.Environment, bool) {
	if p.env == nil {
		return facts.Environment{}, false
	}
	return facts.Find[facts.Environment](p.facts, facts.EnvironmentKey(p.env.Name))
}

// isRecorded reports whether the machine is known from a file alone.
func (p *patient) isRecorded() bool { return p.prober == nil }

// why says why a fact is not known.
func (p *patient) why(k facts.Key) string {
	_, reason, _ := p.facts.Lookup(k)
	return cmp.Or(reason, "it was not recorded")
}

// A checkup is one thing that a diagnosis looks at. Findings without a code or a name
// of their own get those of the checkup.
type checkup struct {
	chapter, code, name string
	look                func(*patient) []report.Finding
	slow                bool // waits for something: done beside the others
}

// checkups is all that is looked at, in the order in which it is shown.
var checkups = []checkup{
	{"System", "system.os", "system", (*patient).system, false},
	{"System", "system.libc", "C library", (*patient).libc, false},
	{"System", "system.container", "container", (*patient).container, false},
	{"Project", "project.manifest", "manifest", (*patient).manifestRead, false},
	{"Project", "project.environment", "environment", (*patient).chosen, false},
	{"Python and tools", "python.interpreter", "Python", (*patient).python, false},
	{"Python and tools", "tool.uv", "uv", (*patient).uv, false},
	{"Python and tools", "tool.conda", "conda clients", (*patient).conda, false},
	{"GPU", "driver.state", "NVIDIA driver", (*patient).driver, false},
	{"GPU", "driver.nodes", "device files", (*patient).nodes, false},
	{"GPU", "gpu.device", "GPU", (*patient).devices, false},
	{"GPU", "gpu.visible", "visible to CUDA", (*patient).visible, false},
	{"GPU", "gpu.asked", "asked for", (*patient).requirements, false},
	{"CUDA", "cuda.driver", "of the driver", (*patient).driverCUDA, false},
	{"CUDA", "cuda.toolkit", "of the toolkit", (*patient).toolkit, false},
	{"CUDA", "cuda.torch", "of torch", (*patient).torchCUDA, false},
	{"CUDA", "cuda.libraries", "LD_LIBRARY_PATH", (*patient).shadows, false},
	{"Disk", "disk.project", "project", (*patient).projectDisk, false},
	{"Disk", "disk.storage", "storage", (*patient).storageDisk, false},
	{"Disk", "disk.cache", "cache of wheels", (*patient).cacheDisk, false},
	{"Package index", "index.settings", "settings", (*patient).indexSettings, false},
	{"Package index", "index.reach", "reachable", (*patient).indexReach, true},
	{"Environment", "environment.built", "built", (*patient).built, false},
	{"Environment", "environment.damage", "intact", (*patient).intact, true},
	{"Environment", "environment.user-site", "user's packages", (*patient).userSite, false},
	{"Environment", "environment.variables", "variables of Python", (*patient).pythonVariables, false},
	{"Environment", "proof", "proof", (*patient).proof, true},
}

// diagnose looks at everything. What waits for something waits at the same time.
func (p *patient) diagnose() *report.Diagnosis {
	found := make([][]report.Finding, len(checkups))
	var waiting sync.WaitGroup
	for i, c := range checkups {
		if c.slow {
			waiting.Go(func() { found[i] = c.look(p) })
			continue
		}
		found[i] = c.look(p)
	}
	waiting.Wait()
	d := &report.Diagnosis{Root: p.root, Recorded: p.Facts, Chapters: []report.Chapter{}}
	if p.isRecorded() {
		here, _ := facts.Find[facts.Project](p.facts, facts.ProjectKey)
		d.Root = here.Root
	}
	if p.env != nil {
		d.Environment = p.env.Name
	}
	for i, c := range checkups {
		for _, f := range found[i] {
			f.Code, f.Name = cmp.Or(f.Code, c.code), cmp.Or(f.Name, c.name)
			d.Add(c.chapter, f)
		}
	}
	return d
}

// well, doubtful, sick, unseen and omitted are one finding of a checkup. A remedy goes
// before what was found.
func well(format string, args ...any) []report.Finding {
	return []report.Finding{{State: report.OK, Found: fmt.Sprintf(format, args...)}}
}

func doubtful(remedy, format string, args ...any) []report.Finding {
	return []report.Finding{{State: report.Warn, Found: fmt.Sprintf(format, args...), Remedy: remedy}}
}

func sick(remedy, format string, args ...any) []report.Finding {
	return []report.Finding{{State: report.Fail, Found: fmt.Sprintf(format, args...), Remedy: remedy}}
}

func unknown(format string, args ...any) []report.Finding {
	return []report.Finding{{State: report.Unknown, Found: fmt.Sprintf(format, args...)}}
}

func omitted(format string, args ...any) []report.Finding {
	return []report.Finding{{State: report.Skipped, Found: fmt.Sprintf(format, args...)}}
}

// ofProblem is a finding that a problem describes.
func ofProblem(d *diag.Problem) []report.Finding {
	f := report.Finding{State: report.Fail, Found: d.Summary, Remedy: d.Hint}
	if place := d.Pos.String(); place != "" {
		f.Found = place + ": " + f.Found
	}
	if d.Found != "" {
		f.Found += "\n" + d.Found
	}
	if d.Severity == diag.Warn {
		f.State = report.Warn
	}
	return []report.Finding{f}
}

// withoutDoubles keeps the first of equal words.
func withoutDoubles(words []string) []string {
	var out []string
	for _, w := range words {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}
