package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// lockFlags are what lock can be told.
type lockFlags struct {
	applyFlags // of the helpers that it brings
	upgrade    bool
}

func (a *app) lockCommand() *cobra.Command {
	var o lockFlags
	cmd := &cobra.Command{
		Use:     "lock",
		Example: "  reconcile lock\n  reconcile lock --env local\n  reconcile lock --upgrade",
		Short:   "write the full, hashed closure of each environment",
		Long: long(`
Resolves the packages of every environment that names a lock, for every platform it
lists, and writes the closure with sizes and hashes. Versions that are locked already
stay as they are where the pins allow it. For type conda it first solves what conda
installs, always with py-rattler, whatever client this machine has; where nothing else is
asked of conda than before, that part stays. Needs the package index, and for what is
solved the channels of conda. Nothing is installed, but for pinned helpers in .reconcile/tools.

Commit the result: from then on neither plan nor apply has to resolve anything.`, changes, exitDone, exitError, exitLocked, exitInterrupted),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			return a.lock(cmd.Context(), p, o)
		},
	}
	cmd.Flags().BoolVar(&o.upgrade, "upgrade", false, "take the newest versions that the pins allow")
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait `DURATION`, such as 10m, for another run to end")
	return cmd
}

// lock resolves every environment that names a lock, or the one --env names.
func (a *app) lock(ctx context.Context, p *project, o lockFlags) error {
	var problems diag.List
	doc := &lockDocument{Version: 1, Locks: []*lockResult{}}
	locked, failed := 0, failedTools{}
	for _, env := range p.manifest.Environments {
		if env.Lock == "" || (a.env != "" && a.env != env.Name) {
			continue
		}
		locked++
		result, err := a.lockOne(ctx, p, env, o, failed)
		if without, ok := errors.AsType[*withoutTool](err); ok { // why is said already, and asking again takes as long
			fmt.Fprintf(a.err, "%s: not done, since %s failed\n", env.Lock, without.addr)
			continue
		}
		if result != nil {
			doc.Locks = append(doc.Locks, result)
		}
		if _, ended := errors.AsType[*exitCode](err); ended { // stopped, or another run is changing this machine
			return a.lockedJSON(doc, err)
		}
		problems.AddErr(err)
	}
	if locked == 0 {
		return &diag.Problem{
			Code: "lock.none", Summary: "no environment of " + p.name + " names a lock",
			Hint: "give it one: `lock: locks/pylock.NAME.toml`",
		}
	}
	return a.lockedJSON(doc, problems.Err())
}

// failedTools are the helpers that could not be brought in this run.
type failedTools map[resources.Addr]bool

// withoutTool is an environment that is not locked for want of a helper that could not be
// brought for an earlier one.
type withoutTool struct{ addr resources.Addr }

func (e *withoutTool) Error() string { return fmt.Sprintf("%s failed", e.addr) }

// lockOne resolves one environment and writes its lock if it changed.
func (a *app) lockOne(ctx context.Context, p *project, env *manifest.Environment, o lockFlags, failed failedTools) (*lockResult, error) {
	tools, err := a.lockTools(ctx, p, env, o.applyFlags, failed)
	if err != nil {
		return nil, err
	}
	here, err := p.here()
	if err != nil {
		return nil, err
	}
	if err := p.own(here.State); err != nil { // uv and py-rattler write their caches there
		return nil, err
	}
	work, err := os.MkdirTemp("", "reconcile-lock-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	ctx, _, stop := interruptible(ctx, func() { fmt.Fprintln(a.err, "\nInterrupted: nothing is locked.") })
	defer stop()
	previous, _ := lock.Read(os.DirFS(p.root), env.Lock) // one that is absent or damaged has no versions to keep
	l, err := lock.Resolve(ctx, lock.Request{
		Path: env.Lock, Python: env.Python, Platforms: env.Platforms, Pins: env.Packages, Previous: previous, Upgrade: o.upgrade,
		Conda: tools.conda(p.file(layout.Conda(here.State)), env), UV: tools.uv, Interpreter: tools.python, Cache: filepath.Join(p.root, filepath.FromSlash(layout.Cache("uv"))), Dir: work,
		IndexEnv: tools.indexEnv, Secrets: apply.Secrets(slices.Concat(tools.indexEnv, tools.channelEnv)), Client: tools.client, Line: a.toolLine(),
	})
	if ctx.Err() != nil {
		return nil, exit(exitInterrupted)
	}
	if err != nil {
		return nil, err
	}
	return a.writeLock(p, env, previous, l)
}

// writeLock puts a lock in place and says what changed in it.
func (a *app) writeLock(p *project, env *manifest.Environment, previous, l *lock.Lock) (*lockResult, error) {
	content := l.Encode()
	root, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	result, err := newLockResult(env, previous, l)
	if err != nil {
		return nil, err
	}
	if old, err := root.ReadFile(env.Lock); err == nil && string(old) == string(content) {
		return result, a.showLocked(result)
	}
	result.Changed = true
	if _, err := atomicfile.MakeAll(root, path.Dir(env.Lock), 0o755); err != nil {
		return nil, err
	}
	if err := atomicfile.Write(root, env.Lock, 0o644, content); err != nil {
		return nil, err
	}
	return result, a.showLocked(result)
}

// lockTools is what resolving needs of this machine.
type lockTools struct {
	uv, python string
	rattler    facts.Tool // for environments of type conda
	indexEnv   []string
	channelEnv []string
	client     *http.Client
}

// lockTools finds an interpreter and uv, and fetches the pinned ones where this
// machine has none: the same resources that apply would make for the environment. What
// cannot be brought is noted in failed, and not tried again.
func (a *app) lockTools(ctx context.Context, p *project, env *manifest.Environment, o applyFlags, failed failedTools) (*lockTools, error) {
	m := &machine{project: p, facts: &facts.Facts{}}
	m.facts.Merge(p.base)
	m.resources = p.manifest.LockTools(env)
	keys := planner.Keys(m.resources)
	m.facts.Merge(p.probe(ctx, without(keys, m.facts)))
	plan, err := planner.Make(m.resources, m.facts)
	if err != nil {
		return nil, err
	}
	var blocked diag.List
	var lacking []resources.Addr
	for i := range plan.Items {
		switch addr := plan.Items[i].Resource.Addr; plan.Items[i].Change.Action {
		case resources.None:
		case resources.Blocked:
			blocked.Add(plan.Items[i].Change.Problem)
		default:
			if failed[addr] {
				return nil, &withoutTool{addr}
			}
			lacking = append(lacking, addr)
		}
	}
	if err := blocked.Err(); err != nil {
		return nil, err
	}
	if plan.Totals().Changes() > 0 {
		if err := a.bring(ctx, m, plan, o); err != nil {
			for _, addr := range lacking {
				failed[addr] = true
			}
			return nil, err
		}
		m.facts.Merge(p.probe(ctx, keys))
	}
	return found(m, env)
}

// found reads the tools out of the facts.
func found(m *machine, env *manifest.Environment) (*lockTools, error) {
	uv, _ := facts.Find[facts.Tool](m.facts, facts.ToolKey("uv"))
	rattler, _ := facts.Find[facts.Tool](m.facts, facts.ToolKey("rattler"))
	settings, err := m.prober.Index()
	if err != nil {
		return nil, err
	}
	client, err := settings.Client()
	if err != nil {
		return nil, err
	}
	return &lockTools{uv: uv.Path, python: interpreter(m.facts, env), rattler: rattler, indexEnv: settings.Environ(), channelEnv: settings.ChannelEnviron(), client: client}, nil
}

// interpreter returns the Python that runs the helpers: of the line of the
// environment, and for type conda, which brings its own, of any.
func interpreter(f *facts.Facts, env *manifest.Environment) string {
	lines := []string{env.Python}
	if env.Type == "conda" {
		lines = resources.HelperVersions()
	}
	for _, line := range lines {
		pythons, _ := facts.Find[facts.Pythons](f, facts.PythonKey(line))
		if i, ok := pythons.Usable(); ok {
			return i.Path
		}
	}
	return ""
}

// conda is what solving the part of conda needs; nil for type venv.
func (t *lockTools) conda(cache string, env *manifest.Environment) *lock.CondaRequest {
	r := env.CondaRequest()
	if r != nil {
		r.Wheel, r.WheelSHA256, r.Cache, r.Env = t.rattler.Path, t.rattler.SHA256, cache, t.channelEnv
	}
	return r
}

// toolLine returns where the lines of started programs go: to standard error
// with --verbose, else nowhere.
func (a *app) toolLine() func(stream, line string) {
	if !a.verbose {
		return nil
	}
	return func(_, line string) { fmt.Fprintln(a.err, line) }
}
