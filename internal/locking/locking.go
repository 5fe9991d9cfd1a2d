// Package locking resolves the packages of environments and writes their locks.
package locking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/sourcebuild"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
)

// Options state how environments are locked, and receive the progress.
type Options struct {
	Upgrade bool // take the newest versions that the requirements allow
	// UpgradeNames are normalised names of packages whose locked versions are not kept.
	UpgradeNames []string
	Lock         session.LockOptions       // for the tools that are installed first
	Line         func(stream, line string) // receives what started programs print; nil for none
	Locked       func(*Result) error       // called for each environment that is locked
	Skipped      func(lock, tool string)   // called for each environment whose tool failed before
	Interrupted  func()                    // called at the first signal to stop
}

// All locks every environment that names a lock, or those that the command line names.
// An environment that fails does not stop the others; an interruption does, and so does
// another run that holds the project's lock. The Document, which has no problems yet, lists
// what was locked before the error. It is nil if no environment names a lock.
func All(ctx context.Context, p *session.Project, o Options) (*Document, error) {
	var problems diag.List
	doc := &Document{Version: 1, Locks: []*Result{}}
	only := p.Config.Environments
	for _, name := range only {
		if _, err := p.Manifest.Named(name); err != nil {
			return nil, err
		}
	}
	named, failed := 0, map[resources.Addr]bool{}
	for _, env := range p.Manifest.Environments {
		if env.Lock == "" || len(only) > 0 && !slices.Contains(only, env.Name) {
			continue
		}
		named++
		result, err := lockEnvironment(ctx, p, env, o, failed)
		if without, ok := errors.AsType[*toolError](err); ok {
			o.Skipped(env.Lock, without.addr.String())
			continue
		}
		if result != nil {
			doc.Locks = append(doc.Locks, result)
		}
		if _, ended := errors.AsType[*exit.Status](err); ended { // interrupted, or another run is changing this machine
			return doc, err
		}
		problems.AddErr(err)
	}
	if named == 0 {
		return nil, &diag.Problem{
			Code: "lock.none", Summary: "no environment of " + p.Name + " names a lock",
			Hint: "give it one: `lock: locks/pylock.NAME.toml`",
		}
	}
	return doc, problems.Err()
}

// A toolError reports that an environment is not locked, because a tool that it needs could
// not be installed for an earlier one.
type toolError struct{ addr resources.Addr }

func (e *toolError) Error() string { return fmt.Sprintf("%s failed", e.addr) }

// lockEnvironment resolves one environment and writes its lock if that changed. The Result
// is nil if it was not resolved or not written.
//
// The lock of another tool is only checked. What it builds is locked beside it.
func lockEnvironment(ctx context.Context, p *session.Project, env *manifest.Environment, o Options, failed map[resources.Addr]bool) (*Result, error) {
	var builds []lock.Package
	if env.IsForeign() {
		if o.Upgrade || len(o.UpgradeNames) > 0 {
			return nil, report.ForeignLock(env, "upgrade", o.UpgradeNames)
		}
		var err error
		if builds, err = p.Manifest.Builds(env); err != nil {
			return nil, err
		}
		if len(builds) == 0 {
			result := &Result{Environment: env.Name, Path: env.Lock, Foreign: true, Conflicts: foreignConflicts(p, env)}
			return result, o.Locked(result)
		}
	}
	r, err := resolve(ctx, p, env, builds, o, failed)
	if err != nil {
		return nil, err
	}
	result, err := r.Write(p)
	if err != nil {
		return nil, err
	}
	if env.IsForeign() {
		result.Conflicts = foreignConflicts(p, env)
	}
	return result, o.Locked(result)
}

// foreignConflicts returns the known conflicts in the lock of another tool. A lock that cannot be
// read has none: the plan reports it.
func foreignConflicts(p *session.Project, env *manifest.Environment) []*diag.Problem {
	l, problem, err := p.Manifest.Locked(env)
	if err != nil || problem != nil {
		return nil
	}
	return p.Manifest.Conflicts(env, l)
}

// A Resolution is a resolved environment, whose lock is not written yet.
type Resolution struct {
	Environment *manifest.Environment
	Previous    *lock.Lock // nil for none
	Lock        *lock.Lock
}

// Resolve resolves an environment, which may differ from the one of the manifest. It writes
// nothing in the project.
func Resolve(ctx context.Context, p *session.Project, env *manifest.Environment, o Options) (*Resolution, error) {
	return resolve(ctx, p, env, nil, o, map[resources.Addr]bool{})
}

// resolve resolves an environment, or only the requirements of builds.
func resolve(ctx context.Context, p *session.Project, env *manifest.Environment, builds []lock.Package, o Options, failed map[resources.Addr]bool) (*Resolution, error) {
	t, err := installTools(ctx, p, env, o.Lock, failed)
	if err != nil {
		return nil, err
	}
	local, err := p.Prepare()
	if err != nil {
		return nil, err
	}
	shared, err := p.ShareStore(ctx, local.Store, o.Lock)
	if err != nil {
		return nil, err
	}
	defer shared.Release()
	work, err := os.MkdirTemp(layout.Temp(local.Store), "lock-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	ctx, _, stop := session.Interruptible(ctx, o.Interrupted)
	defer stop()
	file := env.Lock
	if builds != nil {
		file = env.BuildsLock()
	}
	previous, _ := lock.Read(p.FS(), file) // an absent or damaged lock has no versions to keep
	sources := env.Sources()
	request := lock.Request{
		Path: file, Python: env.Python, Platforms: env.Platforms, Systems: env.Systems(), Root: p.Root,
		Packages: sources.Packages, Constraints: sources.Constraints, Overrides: sources.Overrides, Hashes: sources.Hashes,
		Indexes: t.indexes, Builds: env.BuildRules(), Own: p.Manifest.Own(), Offers: t.offers, Inspect: t.inspect(p, local),
		Previous: without(previous, o.UpgradeNames), Upgrade: o.Upgrade,
		Conda: t.conda(layout.Conda(local.Store), env), UV: t.uv.Path, UVSHA256: t.uv.SHA256, Interpreter: t.python, Cache: layout.Cache(local.Store, "uv"), Dir: work,
		IndexEnv: t.indexEnv, Redactor: p.Config.Redactor, Client: t.client, Line: o.Line,
	}
	var l *lock.Lock
	if builds != nil {
		l, err = lock.ResolveBuilds(ctx, request, builds)
	} else {
		l, err = lock.Resolve(ctx, request)
	}
	if ctx.Err() != nil {
		return nil, exit.Quietly(exit.Interrupted)
	}
	if changed, ok := errors.AsType[*command.ChangedError](err); ok {
		return nil, apply.ChangedProgram(changed)
	}
	if err != nil {
		return nil, err
	}
	return &Resolution{env, previous, l}, nil
}

// without returns a lock without some packages, so that their versions are not kept.
func without(l *lock.Lock, names []string) *lock.Lock {
	if l == nil || len(names) == 0 {
		return l
	}
	rest := *l
	rest.Packages = slices.DeleteFunc(slices.Clone(l.Packages), func(p lock.Package) bool { return slices.Contains(names, p.Name) })
	return &rest
}

// Write writes the lock if its content changed.
func (r *Resolution) Write(p *session.Project) (*Result, error) {
	content := r.Lock.Encode()
	root, err := os.OpenRoot(p.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	result, err := newResult(r.Environment, r.Previous, r.Lock)
	if err != nil {
		return nil, err
	}
	if !r.Environment.IsForeign() {
		result.Conflicts = p.Manifest.Conflicts(r.Environment, r.Lock)
	}
	if old, err := rawfile.ReadRoot(root, r.Lock.Path, int64(len(content)), 0); err == nil && string(old) == string(content) {
		result.Notes = nil
		return result, nil
	}
	result.Changed = true
	if _, err := atomicfile.MakeAll(root, path.Dir(r.Lock.Path), 0o755); err != nil {
		return nil, err
	}
	return result, atomicfile.Write(root, r.Lock.Path, 0o644, content)
}

// tools are what resolving needs of this machine.
type tools struct {
	uv, rattler facts.Tool // rattler for conda environments
	python      string
	indexEnv    []string
	channelEnv  []string
	client      *http.Client
	indexes     []lock.Index
	source      *simpleindex.Source
}

// installTools finds an interpreter and uv, and installs the pinned ones where this
// machine has none: the same resources that apply would create for the environment. Tools
// that fail are added to failed, and not tried again.
func installTools(ctx context.Context, p *session.Project, env *manifest.Environment, o session.LockOptions, failed map[resources.Addr]bool) (*tools, error) {
	m := p.ObserveTools(ctx, env)
	plan, err := planner.Make(m.Resources, m.Facts)
	if err != nil {
		return nil, err
	}
	var blocked diag.List
	var missing []resources.Addr
	for i := range plan.Items {
		switch addr := plan.Items[i].Resource.Addr; plan.Items[i].Change.Action {
		case resources.None:
		case resources.Blocked:
			blocked.Add(plan.Items[i].Change.Problem)
		default:
			if failed[addr] {
				return nil, &toolError{addr}
			}
			if problem := manifestInterpreter(p, &plan.Items[i]); problem != nil {
				blocked.Add(problem)
				continue
			}
			missing = append(missing, addr)
		}
	}
	if err := blocked.Err(); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		if err := m.ApplyTools(ctx, plan, o); err != nil {
			for _, addr := range missing {
				failed[addr] = true
			}
			return nil, err
		}
		m = p.ObserveTools(ctx, env)
	}
	settings, err := p.Index()
	if err != nil {
		return nil, err
	}
	settings.FindLinks = append(slices.Clone(settings.FindLinks), p.Links(env)...)
	t := &tools{python: interpreter(m.Facts, env), indexEnv: settings.Environ(), channelEnv: slices.Concat(settings.NetworkEnviron(), settings.ChannelEnviron())}
	t.uv, _ = facts.Find[facts.Tool](m.Facts, facts.ToolKey("uv"))
	t.rattler, _ = facts.Find[facts.Tool](m.Facts, facts.ToolKey("rattler"))
	for _, x := range env.Sources().Indexes {
		t.indexes = append(t.indexes, lock.Index{Name: x.Name, URL: settings.Locate(x.Name, x.URL), Searched: x.Searched})
	}
	if t.client, err = settings.Client(); err != nil {
		return nil, err
	}
	t.source, err = p.IndexSource()
	return t, err
}

// offers implements lock.Request.Offers.
func (t *tools) offers(ctx context.Context, index, name string) ([]lock.Offer, error) {
	source, err := t.source.Index(index)
	if err != nil {
		return nil, err
	}
	releases, err := source.Releases(ctx, name)
	if err != nil {
		return nil, err
	}
	var offers []lock.Offer
	for _, r := range releases {
		for _, f := range r.Files {
			offers = append(offers, lock.Offer{File: f.Name, Version: r.Version, Yanked: f.Yanked, RequiresPython: f.RequiresPython, Uploaded: f.Uploaded})
		}
	}
	return offers, nil
}

// inspect returns what reads the metadata of sources.
func (t *tools) inspect(p *session.Project, local facts.Project) func(context.Context, lock.Inspection) (*lock.Inspected, error) {
	host, _ := facts.Find[facts.Host](p.Base, facts.HostKey)
	inspector := &sourcebuild.Inspector{
		Root: p.Root, Store: local.Store, Python: t.python, Platform: host.Platform, Jobs: runtime.NumCPU(),
		Packages: t.source,
		Git:      sourcebuild.Git{Cache: layout.Cache(local.Store, "git"), Env: t.channelEnv, Redactor: p.Config.Redactor},
	}
	return inspector.Inspect
}

// manifestInterpreter returns a problem if an item fetches an interpreter that the manifest
// names: it would be started to resolve, and a manifest may come with a clone. Only apply
// starts what a manifest names.
func manifestInterpreter(p *session.Project, item *planner.Item) *diag.Problem {
	for _, step := range item.Change.Steps {
		fetch, ok := step.(resources.Fetch)
		if !ok || slices.ContainsFunc(python.DefaultBuilds(), func(b python.Build) bool { return b.SHA256 == fetch.SHA256 }) {
			continue
		}
		for _, i := range p.Manifest.Interpreters {
			if i.SHA256 == fetch.SHA256 {
				addr := item.Resource.Addr.String()
				return &diag.Problem{
					Code: "lock.interpreter", Pos: i.Pos, Addr: addr, Summary: "lock starts no interpreter that only the manifest names, and this machine has no other one",
					Hint: fmt.Sprintf("if you trust %s: `reconcile apply --target %s`, then `reconcile lock`", strings.Join(i.URLs, ", "), addr),
				}
			}
		}
	}
	return nil
}

// interpreter returns the path of the Python that runs the tools: of the minor version of the
// environment or, for type conda, which installs its own, of any. It is "" if there is none.
func interpreter(f *facts.Facts, env *manifest.Environment) string {
	minors := []string{env.Python}
	if env.Type == "conda" {
		minors = resources.HelperVersions()
	}
	for _, minor := range minors {
		pythons, _ := facts.Find[facts.Pythons](f, facts.PythonKey(minor))
		if i, ok := pythons.Usable(); ok {
			return i.Path
		}
	}
	return ""
}

// conda returns what solving the conda packages needs; nil for type venv.
func (t *tools) conda(cache string, env *manifest.Environment) *lock.CondaRequest {
	r := env.CondaRequest()
	if r != nil {
		r.Wheel, r.WheelSHA256, r.Cache, r.Env = t.rattler.Path, t.rattler.SHA256, cache, t.channelEnv
	}
	return r
}
