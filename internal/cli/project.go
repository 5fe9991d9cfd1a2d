package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/planfile"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// defaultManifest is the name that is looked for, here and in the folders above.
const defaultManifest = "manifest.yaml"

// A project is a checkout with its manifest, looked at from one machine.
type project struct {
	root     string // absolute, links resolved
	name     string // of the manifest, relative to root
	manifest *manifest.Manifest
	inputs   *planfile.Recorder // what was read for it
	prober   *probes.Prober
	base     *facts.Facts  // what baseKeys name
	shell    string        // the environment that the calling shell has activated, absolute; "" for none
	known    []knownDamage // what a quick look does not see
	deep     bool          // compare every hash of a generation before it becomes visible again
}

// read finds the project and reads its manifest, without looking at the machine.
func (a *app) read() (*project, error) {
	p, err := a.find()
	if err != nil {
		return nil, err
	}
	return p, p.load()
}

// open finds the project, reads its manifest, and meanwhile looks at what decides
// what the manifest asks of a machine.
func (a *app) open(ctx context.Context) (*project, error) {
	p, err := a.find()
	if err != nil {
		return nil, err
	}
	if p.prober, err = probes.New(p.root, a.environ); err != nil {
		return nil, err
	}
	p.prober.Helper = nvmlHelper()
	var looking sync.WaitGroup
	looking.Go(func() { p.base = p.prober.Probe(ctx, baseKeys) })
	err = p.load()
	looking.Wait()
	if err != nil {
		return nil, err
	}
	p.prober.Environments = p.manifest.EnvironmentPaths()
	return p, nil
}

func (a *app) find() (*project, error) {
	root, name, err := a.locate()
	return &project{root: root, name: name, shell: cmp.Or(a.getenv("VIRTUAL_ENV"), a.getenv("CONDA_PREFIX"))}, err
}

func (p *project) load() error {
	confined, err := os.OpenRoot(p.root) // a link in a cloned repository leads nowhere else
	if err != nil {
		return err
	}
	p.inputs = planfile.NewRecorder(confined.FS())
	if p.manifest, err = manifest.Load(p.inputs, p.name); err != nil {
		return err
	}
	if len(p.manifest.Files)+len(p.manifest.Directories) >= manyResources {
		runtime.GC()
	}
	return nil
}

// manyResources is from where the nodes of a manifest are collected at once, not
// when the heap has doubled: they weigh ten times its text, are of no use any
// more, and would be the greater part of the peak.
const manyResources = 5000

// locate returns the project root and the name of the manifest in it.
func (a *app) locate() (root, name string, err error) {
	dir, err := a.folder()
	if err != nil {
		return "", "", err
	}
	if a.manifest != "" {
		file, err := a.path(a.manifest)
		if err != nil {
			return "", "", err
		}
		if _, err := os.Stat(file); err != nil {
			return "", "", noManifest(file, "", err)
		}
		if why := notManifest(file); why != nil {
			return "", "", noManifest(file, "", why)
		}
		root, err = filepath.EvalSymlinks(filepath.Dir(file))
		return root, filepath.Base(file), err
	}
	for at := dir; ; at = filepath.Dir(at) {
		file := filepath.Join(at, defaultManifest)
		// What stands there and is no manifest ends the search: a project further up is
		// not the one that was meant.
		if _, err := os.Lstat(file); err == nil {
			if why := notManifest(file); why != nil {
				return "", "", noManifest(file, "", why)
			}
			root, err = filepath.EvalSymlinks(at)
			return root, defaultManifest, err
		}
		if at == filepath.Dir(at) {
			return "", "", noManifest(filepath.Join(dir, defaultManifest), ", nor in a folder above", fs.ErrNotExist)
		}
	}
}

// path returns a file that the command line names, as if started in -C.
func (a *app) path(file string) (string, error) {
	if filepath.IsAbs(file) {
		return file, nil
	}
	return filepath.Abs(filepath.Join(a.dir, file))
}

// folder returns the absolute path of the folder to work in, if it is one.
func (a *app) folder() (string, error) {
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	p := &diag.Problem{Code: "folder.absent", Summary: fmt.Sprintf("there is no folder %s", dir), Hint: "-C takes a folder that exists"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", p
	case err != nil:
		p.Code, p.Summary, p.Found, p.Hint = "folder.unreadable", fmt.Sprintf("folder %s cannot be looked at", dir), err.Error(), ""
		return "", p
	case !info.IsDir():
		p.Summary = dir + " is not a folder"
		return "", p
	}
	return dir, nil
}

// notManifest says why what stands at a place cannot be a manifest; nil if it can be.
func notManifest(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it is a link to what is not there")
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a folder")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return nil
}

// noManifest says that a manifest is not at a place, nor elsewhere.
func noManifest(file, elsewhere string, err error) error {
	p := &diag.Problem{Code: "manifest.absent", Summary: fmt.Sprintf("there is no manifest at %s%s", file, elsewhere)}
	p.Hint = "`reconcile init` writes a starter; -C DIR or -m FILE name another place"
	if !errors.Is(err, fs.ErrNotExist) {
		p.Code, p.Summary, p.Found = "manifest.unreadable", fmt.Sprintf("the manifest at %s cannot be read", file), err.Error()
		p.Hint = "look at it with `ls -l`; -m FILE names another one"
	}
	return p
}

// A machine is what the manifest asks of one machine, and what is known of it.
type machine struct {
	*project
	env       *manifest.Environment // nil if the manifest has none
	selection manifest.Selection
	resources []resources.Resource
	facts     *facts.Facts
	recorded  bool // facts come from a file, not from this machine
	before    planner.Prior
	blind     error // why nothing is known of before
}

// baseKeys are the facts that decide what the manifest asks of a machine.
var baseKeys = []facts.Key{facts.ProjectKey, facts.HostKey, facts.GPUKey, facts.IndexKey}

// survey finds the project and looks at this machine.
func (a *app) survey(ctx context.Context) (*machine, error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	return a.look(ctx, p)
}

// look reads what the manifest asks of this machine and probes all of it. The
// slowest facts, those of the environment, are looked at while its lock is read.
func (a *app) look(ctx context.Context, p *project) (*machine, error) {
	m := &machine{project: p, facts: &facts.Facts{}}
	m.facts.Merge(p.base)
	if err := m.choose(a.env); err != nil {
		return nil, err
	}
	var early *facts.Facts
	var looking, remembering sync.WaitGroup
	remembering.Go(m.recollect)
	var err error
	looking.Go(func() { err = m.compile() })
	remembering.Wait()
	m.relate()
	early = p.probe(ctx, environmentKeys(m.env))
	looking.Wait()
	if err != nil {
		return nil, err
	}
	m.facts.Merge(early)
	rest := p.probe(ctx, without(m.before.Keys(m.resources), m.facts))
	rest.Merge(m.facts) // the few into the many: these are not held twice
	m.facts = rest
	return m, nil
}

// environmentKeys are the slowest facts of those that an environment reads.
func environmentKeys(env *manifest.Environment) []facts.Key {
	if env == nil {
		return nil
	}
	keys := []facts.Key{facts.EnvironmentKey(env.Name), facts.PythonKey(env.Python), facts.ToolKey("uv")}
	if env.RequiresGPU() {
		keys = append(keys, facts.NvidiaKey)
	}
	return keys
}

// recall reads what the manifest asks of the machine whose facts are in file.
func (a *app) recall(p *project, file string) (*machine, error) {
	m := &machine{project: p, facts: &facts.Facts{}, recorded: true}
	if err := a.readFacts(file, m.facts); err != nil {
		return nil, err
	}
	if err := m.choose(a.env); err != nil {
		return nil, err
	}
	return m, m.compile()
}

// readFacts reads the facts of another machine, from a file or, for a dash, from
// standard input.
func (a *app) readFacts(file string, into *facts.Facts) error {
	const hint = "record them on the other machine with `reconcile facts > machine.json`"
	b, err := a.readFile(file)
	if err != nil {
		return &diag.Problem{Code: "facts.unreadable", Summary: "the recorded facts cannot be read", Found: err.Error(), Hint: hint}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return &diag.Problem{
			Code: "facts.unreadable", Pos: diag.Pos{File: file}, Summary: "these are not recorded facts", Found: err.Error(), Hint: hint,
		}
	}
	return nil
}

// readFile reads a file that the command line names; a dash is standard input.
func (a *app) readFile(file string) ([]byte, error) {
	if file == "-" && a.in != nil {
		return io.ReadAll(a.in)
	}
	file, err := a.path(file)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// compile asks the manifest for the resources of the chosen environment.
func (m *machine) compile() (err error) {
	m.resources, err = m.manifest.Resources(m.selection, m.env)
	return err
}

// choose selects the environment for the machine that the facts describe.
func (m *machine) choose(env string) error {
	var problems diag.List
	host, ok := facts.Find[facts.Host](m.facts, facts.HostKey)
	if !ok {
		problems.Add(unseen(m.facts, facts.HostKey))
	}
	gpu, ok := facts.Find[facts.GPU](m.facts, facts.GPUKey)
	if !ok {
		problems.Add(unseen(m.facts, facts.GPUKey))
	}
	if err := problems.Err(); err != nil {
		return err
	}
	m.selection = manifest.Selection{Environment: env, Host: host, GPU: gpu}
	var err error
	m.env, err = m.manifest.Select(m.selection)
	if m.prober != nil {
		m.prober.Models = probes.ModelCache{Path: m.manifest.ModelsPath(m.selection, m.env), Pins: m.manifest.Pins()}
	}
	return err
}

func unseen(f *facts.Facts, k facts.Key) *diag.Problem {
	_, reason, _ := f.Lookup(k)
	return &diag.Problem{Code: "plan.not-seen", Summary: fmt.Sprintf("%s could not be looked at", k), Found: reason}
}

// plan compares what the manifest asks with what is known. A plan that would make
// an earlier generation visible again is made once more if that one is damaged.
func (m *machine) plan(ctx context.Context) (*planner.Plan, error) {
	p, err := m.before.Make(m.resources, m.facts)
	for again := !m.recorded; again && err == nil; {
		if again, err = m.inspectReturning(ctx, p); again && err == nil {
			p, err = m.before.Make(m.resources, m.facts)
		}
	}
	if err != nil {
		return nil, wrongSelection(err)
	}
	if m.env != nil {
		p.Environment = m.env.Name
	}
	p.Notes = m.manifest.Notes(m.env)
	if closed := m.closed(); closed != nil && !m.recorded {
		p.Notices = append(p.Notices, closed.Summary+": "+closed.Hint)
	} else if note := m.blindNote(); note != "" {
		p.Notices = append(p.Notices, note)
	}
	if note := m.rootNote(); note != "" && p.Totals().Changes() > 0 {
		p.Notices = append(p.Notices, note)
	}
	if note := m.leakNote(); note != "" {
		p.Notices = append(p.Notices, note)
	}
	if note := m.shellNote(); note != "" {
		p.Notices = append(p.Notices, note)
	}
	switch note := indexNote(m.facts); {
	case note == "" || p.Totals().Changes() == 0:
	case downloads(p):
		p.Notices = append(p.Notices, note)
	default:
		p.Notes = append(p.Notes, note)
	}
	return p, nil
}

// leakNote says that an environment of conda would import what this user installed
// for himself.
func (m *machine) leakNote() string {
	if m.env == nil {
		return ""
	}
	e, ok := facts.Find[facts.Environment](m.facts, facts.EnvironmentKey(m.env.Name))
	if !ok || len(e.Leaks) == 0 {
		return ""
	}
	return leaks(e) + "; `reconcile run`, activation and the launchers set PYTHONNOUSERSITE=1"
}

// shellNote says that the calling shell is on a generation of this project that is
// not the visible one. Its programs keep what they started with, and new ones would.
func (m *machine) shellNote() string {
	if m.env == nil || m.recorded {
		return ""
	}
	e, ok := facts.Find[facts.Environment](m.facts, facts.EnvironmentKey(m.env.Name))
	here, known := facts.Find[facts.Project](m.facts, facts.ProjectKey)
	if !ok || !known || e.Current == "" || filepath.Dir(m.shell) != m.file(layout.Environment(here.State, e.Name)) {
		return ""
	}
	mine := filepath.Base(m.shell)
	if mine == e.Current {
		return ""
	}
	return fmt.Sprintf("this shell is on generation %s of environment %s, and %s is visible: activate again", mine, e.Name, e.Current)
}

// downloads reports whether a plan fetches anything.
func downloads(p *planner.Plan) bool {
	return slices.ContainsFunc(p.Items, func(i planner.Item) bool { return i.Change.Need.Download > 0 })
}

// indexNote says where packages come from, if not simply from the public index.
func indexNote(f *facts.Facts) string {
	index, ok := facts.Find[facts.Index](f, facts.IndexKey)
	if !ok || len(index.Sources) == 0 {
		return ""
	}
	note := "packages come from the " + index.URL + " index"
	if index.URL != "public" {
		note = "packages come from " + index.URL
	}
	for _, more := range []struct{ label, value string }{{"CA", index.Cert}, {"proxy", index.Proxy}} {
		if more.value != "" {
			note += fmt.Sprintf(", %s %s", more.label, more.value)
		}
	}
	for _, dir := range index.FindLinks {
		note += ", wheels in " + dir
	}
	return note + fmt.Sprintf(" (said by %s)", strings.Join(index.Sources, ", "))
}
