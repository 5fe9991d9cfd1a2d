package session

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"os/user"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// LockOptions are the options of a run: how it takes its locks, and what it reports.
type LockOptions struct {
	Timeout     time.Duration      // how long to wait for another run; 0 to fail at once
	NoLock      bool               // go on where the file system does not keep locks
	Jobs        int                // changes at the same time; 0 for one a core
	Waiting     func(state.Holder) // called once if another run holds the lock; nil for none
	Interrupted func()             // called at the first signal to stop; nil for none
	Events      func(apply.Event)  // receives the events of a run; nil for none
}

// A Run may change the machine: it holds the lock of the project, a share of that of the
// store, and the journal, open for writing.
type Run struct {
	Context context.Context // ends at the first signal to stop
	Journal *state.Journal

	stop    func()      // no more signals
	lock    *state.Lock // of the project
	shared  *state.Lock // of the store, with other runs
	options apply.Options
}

// Lock takes the lock of the project and a share of that of the store, and opens the journal.
// The error has exit.Locked if another run holds a lock until the timeout. Close releases all.
func (p *Project) Lock(ctx context.Context, o LockOptions) (*Run, error) {
	local, err := p.Prepare()
	if err != nil {
		return nil, err
	}
	settings, err := p.Index()
	if err != nil {
		return nil, err
	}
	index, err := p.indexSettings(settings)
	if err != nil {
		return nil, err
	}
	lock, err := p.acquire(ctx, local.State, o)
	if err != nil {
		return nil, err
	}
	shared, err := p.ShareStore(ctx, local.Store, o)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	journal, err := state.Open(layout.Journal(local.State), time.Now)
	if err != nil {
		return nil, errors.Join(apply.Explain(err, local.State), shared.Release(), lock.Release())
	}
	r := &Run{lock: lock, shared: shared, Journal: journal}
	var kill context.Context
	r.Context, kill, r.stop = Interruptible(ctx, o.Interrupted)
	r.options = apply.Options{
		Root: p.Root, Store: local.Store, State: local.State, Probe: p.Probe, Journal: journal, Lock: lock.File(),
		Jobs: o.Jobs, Events: o.Events, Now: time.Now, Kill: kill,
		GPUEnv: p.Config.GPUEnv(), Index: index,
		IndexEnv: settings.NetworkEnviron(), ChannelEnv: settings.ChannelEnviron(), Client: index.Client, Redactor: p.Config.Redactor,
	}
	for _, e := range p.Manifest.EnvironmentPaths() {
		r.options.EnvPaths = append(r.options.EnvPaths, e.Path)
	}
	slices.Sort(r.options.EnvPaths)
	return r, nil
}

// indexSettings returns where wheels come from: this machine's settings, and the indexes, folders
// and pages that the manifest and its files of requirements name.
func (p *Project) indexSettings(s probes.IndexSettings) (simpleindex.Settings, error) {
	client, err := s.Client()
	if err != nil {
		return simpleindex.Settings{}, err
	}
	settings := simpleindex.Settings{
		URL: s.URL, NoIndex: s.NoIndex, FindLinks: slices.Clone(s.FindLinks), Named: map[string]string{}, Client: client, Redactor: p.Config.Redactor,
	}
	for _, e := range p.Manifest.Environments {
		for _, x := range e.Sources().Indexes {
			settings.Named[x.Name] = s.Locate(x.Name, x.URL)
		}
		for _, link := range p.Links(e) {
			if !slices.Contains(settings.FindLinks, link) {
				settings.FindLinks = append(settings.FindLinks, link)
			}
		}
	}
	return settings, nil
}

// Links returns the pages and folders with wheels that the files of an environment name; paths
// are absolute.
func (p *Project) Links(e *manifest.Environment) []string {
	links := slices.Clone(e.Sources().FindLinks)
	for i, link := range links {
		if name, ok := strings.CutPrefix(link, "./"); ok {
			links[i] = p.Path(name)
		}
	}
	return links
}

// IndexSource returns where packages come from, with this machine's settings.
func (p *Project) IndexSource() (*simpleindex.Source, error) {
	settings, err := p.Index()
	if err != nil {
		return nil, err
	}
	index, err := p.indexSettings(settings)
	if err != nil {
		return nil, err
	}
	return simpleindex.New(index)
}

// acquire takes the lock in a state directory, or returns the run that holds it as a problem.
func (p *Project) acquire(ctx context.Context, dir string, o LockOptions) (*state.Lock, error) {
	waiting := o.Waiting
	if waiting == nil {
		waiting = func(state.Holder) {}
	}
	lock, err := state.Acquire(ctx, layout.Lock(dir), state.LockOptions{
		Holder: p.Config.holder(), Timeout: o.Timeout, AllowUntrusted: o.NoLock, Waiting: waiting,
	})
	if held, ok := errors.AsType[*state.LockedError](err); ok {
		return nil, exit.With(exit.Locked, &diag.Problem{
			Code: "locked", Summary: "another run is changing this machine; nothing was changed",
			Found: held.Holder.String(), Hint: "wait for it, or pass `--lock-timeout=10m`",
		})
	}
	return lock, apply.Explain(err, dir)
}

// holder describes this process for those that wait for its locks.
func (c *Config) holder() state.Holder {
	host, _ := os.Hostname()
	h := state.Holder{Host: host, PID: os.Getpid(), Since: time.Now(), Command: c.Redactor.String(strings.Join(os.Args, " ")), User: strconv.Itoa(os.Getuid())}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// minShareTimeout is how long a run waits at least for `reconcile store prune`, which holds the
// lock of the store for as long as it measures the store and renames files.
const minShareTimeout = 5 * time.Minute

// ShareStore takes the lock of the store together with other runs, so that nothing in it is
// removed meanwhile. The error has exit.Locked if prune holds it until the timeout. On a file
// system without locks it excludes nothing, and prune refuses to remove anything.
func (p *Project) ShareStore(ctx context.Context, store string, o LockOptions) (*state.Lock, error) {
	lock, err := state.Acquire(ctx, layout.StoreLock(store), state.LockOptions{
		Shared: true, Timeout: max(o.Timeout, minShareTimeout), AllowUntrusted: true, Waiting: o.Waiting,
	})
	return lock, apply.Explain(storeLocked(err), store)
}

// LockStore takes the lock of a store alone. The error has exit.Locked if another run uses it
// until the timeout.
func (c *Config) LockStore(ctx context.Context, store string, o LockOptions) (*state.Lock, error) {
	waiting := func(state.Holder) {
		if o.Waiting != nil {
			o.Waiting(storeHolder(ctx, store))
		}
	}
	lock, err := state.Acquire(ctx, layout.StoreLock(store), state.LockOptions{Holder: c.holder(), Timeout: o.Timeout, Waiting: waiting})
	if held, ok := errors.AsType[*state.LockedError](err); ok {
		held.Holder = storeHolder(ctx, store)
	}
	if p, ok := errors.AsType[*diag.Problem](err); ok && p.Code == "state.lock-untrusted" {
		return nil, &diag.Problem{
			Code: "store.lock-untrusted", Summary: "the file system of the store does not support locks, so nothing in it is removed while another run may use it",
			Found: p.Found, Hint: "make sure that no reconcile runs, then delete the store or parts of it: ls " + resources.ShellQuote(store),
		}
	}
	return lock, storeLocked(err)
}

// storeHolder returns the run that holds the lock of a project in the store. Runs share the
// lock of the store and are not recorded in it.
func storeHolder(ctx context.Context, store string) state.Holder {
	for _, name := range ListNames(layout.Projects(store)) {
		lock, err := state.Acquire(ctx, layout.Lock(path.Join(layout.Projects(store), name)), state.LockOptions{})
		if held, ok := errors.AsType[*state.LockedError](err); ok {
			return held.Holder
		}
		if err == nil {
			_ = lock.Release()
		}
	}
	return state.Holder{}
}

// storeLocked returns the problem that the store is locked, other errors unchanged.
func storeLocked(err error) error {
	held, ok := errors.AsType[*state.LockedError](err)
	if !ok {
		return err
	}
	return exit.With(exit.Locked, &diag.Problem{
		Code: "store.locked", Summary: "another run uses the store; nothing was changed",
		Found: held.Holder.String(), Hint: "wait for it, or pass `--lock-timeout=10m`",
	})
}

// Apply applies a plan of m. listen, if not nil, wraps the receiver of the events.
func (r *Run) Apply(m *Machine, plan *planner.Plan, listen func(next func(apply.Event)) func(apply.Event)) *apply.Result {
	o := r.options
	o.Probe = m.Probe
	o.EnvPaths = nil
	for _, e := range m.places {
		o.EnvPaths = append(o.EnvPaths, e.Path)
	}
	slices.Sort(o.EnvPaths)
	if listen != nil {
		o.Events = listen(o.Events)
	}
	return apply.Run(r.Context, plan, o)
}

// RunStep runs one step that belongs to no plan, such as that of a rollback.
func (r *Run) RunStep(addr resources.Addr, action resources.Action, step resources.Step) error {
	return apply.RunSteps(r.Context, addr, action, []resources.Step{step}, r.options)
}

// Close releases the journal and the locks.
func (r *Run) Close() error {
	r.stop()
	return errors.Join(r.Journal.Close(), r.shared.Release(), r.lock.Release())
}

// Interruptible returns a context that ends at the first signal to stop (SIGINT, SIGTERM or
// SIGHUP), and one that ends at the second. first, if not nil, is called at the first. The
// caller must call stop, which ends both and restores the handling of signals.
func Interruptible(ctx context.Context, first func()) (soft, hard context.Context, stop func()) {
	soft, softly := context.WithCancel(ctx)
	hard, hardly := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-signals:
			}
			if n > 0 {
				hardly()
				continue
			}
			softly()
			if first != nil {
				first()
			}
		}
	}()
	return soft, hard, func() {
		signal.Stop(signals)
		close(done)
		softly()
		hardly()
	}
}

// CheckState returns the problem that another run changed the state between m and this run,
// which waited for its lock; nil if none did. A plan to undo or to destroy is made from the
// state, and would apply to the wrong run.
func (r *Run) CheckState(m *Machine) error {
	var before []state.Entry
	if m.Prior.State != nil {
		before = m.Prior.State.Sorted()
	}
	if reflect.DeepEqual(before, r.Journal.Sorted()) {
		return nil
	}
	return &diag.Problem{
		Code: "state.changed", Summary: "another run changed this machine while this one waited for its lock; nothing was changed",
		Hint: "run the same command again, which plans from the new state",
	}
}

// ResultCode returns the exit code of an apply.
func ResultCode(r *apply.Result) int {
	switch {
	case r.Interrupted:
		return exit.Interrupted
	case r.Failed() > 0:
		return exit.Partly
	}
	return exit.Done
}

// ApplyTools applies a plan of tools that a command needs, without asking: they are
// pinned, and are installed in the store alone.
func (m *Machine) ApplyTools(ctx context.Context, plan *planner.Plan, o LockOptions) error {
	r, err := m.Lock(ctx, o)
	if err != nil {
		return err
	}
	result := r.Apply(m, plan, nil)
	if err := r.Close(); err != nil {
		return err
	}
	var problems diag.List
	for _, item := range result.Items {
		problems.Add(item.Cause)
	}
	if result.Interrupted {
		return exit.Quietly(exit.Interrupted)
	}
	return problems.Err()
}
