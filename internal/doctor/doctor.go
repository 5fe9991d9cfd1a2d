// Package doctor checks a machine: its system, Python, GPUs, CUDA, disks, package index
// and active environment. It changes nothing.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/redact"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
)

// Options state which machine is checked, and which checks are skipped.
type Options struct {
	Offline     bool                     // do not contact the package index
	NoSmokeTest bool                     // do not start the environment's Python
	FactsFile   string                   // facts of a recorded machine; "" for this machine
	Testing     func(environment string) // called before the smoke test starts; nil for none
}

// Run checks a machine. A missing or invalid manifest is a finding, unless the command
// line names the manifest and it is missing.
func Run(ctx context.Context, c *session.Config, o Options) (*report.Diagnosis, error) {
	ctx, _, stop := session.Interruptible(ctx, nil)
	defer stop()
	d := &diagnosis{Options: o, ctx: ctx, config: c}
	if err := d.loadManifest(); err != nil {
		return nil, err
	}
	if err := d.probe(); err != nil {
		return nil, err
	}
	doc := d.runChecks()
	if ctx.Err() != nil {
		return nil, exit.Quietly(exit.Interrupted)
	}
	return doc, nil
}

// CheckTitle returns the chapter and the name of the check that reports findings with a
// code.
func CheckTitle(code string) (title string, ok bool) {
	if code == "gpu.compat" { // of gpu.asked
		return "GPU, locked packages", true
	}
	for _, c := range new(diagnosis).checks() {
		if c.code == code || strings.HasPrefix(code, c.code+".") {
			return c.chapter + ", " + c.name, true
		}
	}
	return "", false
}

// A diagnosis holds everything that the checks of one machine read.
type diagnosis struct {
	Options
	ctx    context.Context
	config *session.Config

	root        string // of the project, on the machine that is checked
	name        string // of the manifest
	manifest    *manifest.Manifest
	manifestErr error // why manifest is nil

	env       *manifest.Environment // the selected one; nil for none
	selection manifest.Selection
	selectErr error // why no environment matches the machine

	prober     *probes.Prober // nil for a recorded machine
	facts      *facts.Facts
	generation string // the active one, absolute; "" for none
	library    string // site-packages of generation
}

// loadManifest finds the project and reads its manifest.
func (d *diagnosis) loadManifest() (err error) {
	d.root, d.name, err = d.config.Locate()
	if err != nil {
		absent, ok := errors.AsType[*diag.Problem](err)
		if !ok || absent.Code != "manifest.absent" || d.config.Manifest != "" {
			return err
		}
		d.manifestErr = err
		d.root, err = d.config.Directory()
		return err
	}
	var checkout *session.Checkout
	if checkout, d.manifestErr = session.Load(d.config); d.manifestErr == nil {
		d.manifest = checkout.Manifest
	}
	return nil
}

// probe probes this machine, or reads the facts of the recorded one, and selects the
// environment.
func (d *diagnosis) probe() (err error) {
	if d.FactsFile != "" {
		d.facts, err = session.ReadFacts(d.config, d.FactsFile)
	} else {
		err = d.probeMachine()
	}
	if err != nil {
		return err
	}
	project, ok := facts.Find[facts.Project](d.facts, facts.ProjectKey)
	if d.FactsFile != "" {
		d.root = project.Root
	}
	if d.manifest == nil {
		return nil
	}
	p := session.FromFacts(d.config, d.manifest, d.facts)
	t, err := p.Select()
	if code, _ := exit.CodeOf(err); code == exit.WrongUsage {
		return err
	}
	if d.selectErr = err; err != nil {
		return nil
	}
	d.env, d.selection = t.Env, t.Selection
	e, _ := d.environment()
	if g, active := e.CurrentGeneration(); active && ok {
		d.generation = layout.Generation(project.State, e.Name, g.Name)
		d.library = layout.SitePackages(d.generation, d.env.Python)
	}
	return nil
}

// probeMachine probes this machine.
func (d *diagnosis) probeMachine() (err error) {
	if d.prober, err = session.NewProber(d.config, d.root); err != nil {
		return err
	}
	keys := []facts.Key{facts.DiskKey(d.prober.Store())}
	for _, name := range conda.Clients() {
		keys = append(keys, facts.ToolKey(name))
	}
	if d.manifest != nil {
		d.prober.Environments, d.prober.IsPythonArchive = d.manifest.EnvironmentPaths(), d.manifest.IsPythonArchive
		if d.manifest.Storage != nil {
			keys = append(keys, facts.DiskKey(d.manifest.Storage.Path))
		}
	}
	d.facts = d.prober.Probe(d.ctx, d.prober.AllKeys(keys...))
	return nil
}

// environment returns the fact of the selected environment.
func (d *diagnosis) environment() (facts.Environment, bool) {
	if d.env == nil {
		return facts.Environment{}, false
	}
	return facts.Find[facts.Environment](d.facts, facts.EnvironmentKey(d.env.Name))
}

// A check reports findings about one subject. Findings without a code or a name get those
// of the check.
type check struct {
	chapter, code, name string
	run                 func() findings
	local               bool // skipped for a recorded machine
}

// checks returns all checks in the order in which they are printed.
func (d *diagnosis) checks() []check {
	return []check{
		{"System", "system.os", "system", d.system, false},
		{"System", "system.libc", "C library", d.libc, false},
		{"System", "system.container", "container", d.container, false},
		{"Project", "project.manifest", "manifest", d.checkManifest, false},
		{"Project", "project.environment", "environment", d.selected, false},
		{"Python and tools", "python.interpreter", "Python", d.python, false},
		{"Python and tools", "python.end-of-life", "end of life", d.pythonEnd, false},
		{"Python and tools", "tool.uv", "uv", d.uv, false},
		{"Python and tools", "tool.conda", "conda clients", d.conda, false},
		{"GPU", "driver.state", "NVIDIA driver", d.driver, false},
		{"GPU", "driver.nodes", "device files", d.deviceFiles, false},
		{"GPU", "gpu.device", "GPU", d.devices, false},
		{"GPU", "gpu.other", "other GPU", d.otherGPUs, false},
		{"GPU", "gpu.visible", "visible to CUDA", d.visible, false},
		{"GPU", "gpu.asked", "requirements", d.requirements, false},
		{"CUDA", "cuda.driver", "driver", d.driverCUDA, false},
		{"CUDA", "cuda.toolkit", "toolkit", d.toolkit, false},
		{"CUDA", "cuda.torch", "torch", d.torchCUDA, true},
		{"CUDA", "cuda.newest", "newest torch", d.newestTorch, false},
		{"CUDA", "cuda.libraries", "LD_LIBRARY_PATH", d.libraryPath, true},
		{"Disk", "disk.project", "project", func() findings { return d.disk(".") }, false},
		{"Disk", "disk.storage", "storage", d.storageDisk, false},
		{"Disk", "disk.store", "store", d.storeDisk, false},
		{"Package index", "index.settings", "settings", d.indexSettings, false},
		{"Package index", "index.reach", "reachable", d.indexReachable, true},
		{"Environment", "environment.pairs", "package pairs", d.pairs, false},
		{"Environment", "environment.built", "built", d.built, false},
		{"Environment", "environment.damage", "intact", d.intact, false},
		{"Environment", "environment.audit", "audit", d.audited, true},
		{"Environment", "environment.user-site", "user packages", d.userSite, false},
		{"Environment", "environment.references", "kernels, hooks", d.references, false},
		{"Environment", "environment.variables", "Python variables", d.pythonVariables, true},
		{"Environment", "proof", "smoke test", d.smokeTest, true},
	}
}

// runChecks runs all checks at once: some wait for the network or for a process.
func (d *diagnosis) runChecks() *report.Diagnosis {
	checks := d.checks()
	found := make([]findings, len(checks))
	var running sync.WaitGroup
	for i, c := range checks {
		if c.local && d.prober == nil {
			found[i] = skippedf("a recorded machine")
			continue
		}
		running.Go(func() { found[i] = c.run() })
	}
	running.Wait()
	doc := &report.Diagnosis{Root: d.root, Recorded: d.FactsFile, Chapters: []report.Chapter{}}
	var secrets *redact.Redactor
	if d.prober != nil {
		secrets = d.prober.Redactor
	}
	if d.env != nil {
		doc.Environment = d.env.Name
	}
	for i, c := range checks {
		for _, f := range found[i] {
			f.Code, f.Name, f.Found = cmp.Or(f.Code, c.code), cmp.Or(f.Name, c.name), secrets.String(f.Found)
			doc.Add(c.chapter, f)
		}
	}
	return doc
}

// findings are what one check found.
type findings = []report.Finding

// These return one finding, by its state. A remedy comes before the text.

func okf(format string, a ...any) findings           { return one(report.OK, "", format, a...) }
func warnf(remedy, format string, a ...any) findings { return one(report.Warn, remedy, format, a...) }
func failf(remedy, format string, a ...any) findings { return one(report.Fail, remedy, format, a...) }
func unknownf(format string, a ...any) findings      { return one(report.Unknown, "", format, a...) }
func skippedf(format string, a ...any) findings      { return one(report.Skipped, "", format, a...) }

func one(state report.CheckState, remedy, format string, a ...any) findings {
	return findings{{State: state, Found: fmt.Sprintf(format, a...), Remedy: remedy}}
}

// failIf returns a failure, or a warning if fail is false.
func failIf(fail bool, remedy, format string, a ...any) findings {
	if fail {
		return failf(remedy, format, a...)
	}
	return warnf(remedy, format, a...)
}

// notProbed returns that a fact is unknown, with the reason.
func (d *diagnosis) notProbed(k facts.Key) findings {
	return unknownf("%s", d.reason(k))
}

// reason returns why a fact is unknown.
func (d *diagnosis) reason(k facts.Key) string {
	_, reason, _ := d.facts.Lookup(k)
	return cmp.Or(reason, "not recorded")
}

// problemFinding converts a problem.
func problemFinding(p *diag.Problem) findings {
	text := lines(p.Summary, p.Found)
	if pos := p.Pos.String(); pos != "" {
		text = pos + ": " + text
	}
	return failIf(p.Severity != diag.Warn, p.Hint, "%s", text)
}

// lines joins two texts, the second of which may be empty.
func lines(first, second string) string { return strings.TrimSuffix(first+"\n"+second, "\n") }
