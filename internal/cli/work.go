package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// here returns this machine's part of the project.
func (p *project) here() (facts.Project, error) {
	here, ok := facts.Find[facts.Project](p.base, facts.ProjectKey)
	if !ok {
		return here, &diag.Problem{Code: "plan.not-seen", Summary: "this machine's part of the project could not be looked at"}
	}
	return here, nil
}

// work is a run that may change this machine: it holds the lock and the journal.
type work struct {
	ctx     context.Context // ends at the first signal
	stop    func()          // no more signals
	lock    *state.Lock
	journal *state.Journal
	options apply.Options
}

// work takes this machine's lock and opens its journal.
func (a *app) work(ctx context.Context, p *project, o applyFlags) (*work, error) {
	here, err := p.here()
	if err != nil {
		return nil, err
	}
	if err := p.own(here.State); err != nil {
		return nil, err
	}
	lock, err := a.acquire(ctx, p, here.State, o)
	if err != nil {
		return nil, err
	}
	journal, err := state.Open(p.file(layout.Journal(here.State)), time.Now)
	if err != nil {
		return nil, errors.Join(apply.Explain(err, p.root), lock.Release())
	}
	if err := p.ignoreKept(); err != nil {
		return nil, errors.Join(err, journal.Close(), lock.Release())
	}
	w := &work{lock: lock, journal: journal}
	var kill context.Context
	w.ctx, kill, w.stop = interruptible(ctx, func() {
		fmt.Fprintln(a.err, "\nInterrupted: ending at the next step. Once more ends it at once.")
	})
	w.options = apply.Options{
		Root: p.root, State: here.State, Probe: p.probe, Journal: journal, Lock: lock.File(),
		Jobs: o.jobs, Events: a.events(), Now: time.Now, Kill: kill,
		EnvPaths: p.visible(), GPUEnv: a.gpuEnv(),
	}
	if err := w.index(p); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// gpuEnv is what the user says of which GPUs programs may see. A proof obeys it: a
// GPU that is left to somebody else is not touched.
func (a *app) gpuEnv() []string {
	return slices.DeleteFunc(slices.Clone(a.environ), func(kv string) bool {
		return !strings.HasPrefix(kv, "CUDA_VISIBLE_DEVICES=") && !strings.HasPrefix(kv, "CUDA_DEVICE_ORDER=")
	})
}

// visible lists the places of all environments of the manifest, sorted.
func (p *project) visible() []string {
	var places []string
	for _, e := range p.prober.Environments {
		places = append(places, e.Path)
	}
	slices.Sort(places)
	return places
}

// ignoreKept makes the folder that reconcile keeps invisible to git, whatever the
// project's own .gitignore says.
func (p *project) ignoreKept() error {
	root, err := os.OpenRoot(p.root)
	if err != nil {
		return err
	}
	defer root.Close()
	name := path.Join(layout.Dir, ".gitignore")
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.Write(root, name, 0o644, []byte("*\n"))
}

// index hands apply where this machine gets packages from.
func (w *work) index(p *project) error {
	settings, err := p.prober.Index()
	if err != nil {
		return err
	}
	w.options.IndexEnv, w.options.ChannelEnv = settings.Environ(), settings.ChannelEnviron()
	w.options.Client, err = settings.Client()
	return err
}

// acquire takes the lock of this machine's part, or says who holds it.
func (a *app) acquire(ctx context.Context, p *project, part string, o applyFlags) (*state.Lock, error) {
	host, _ := os.Hostname()
	holder := state.Holder{Host: host, PID: os.Getpid(), Since: time.Now(), Command: strings.Join(os.Args, " "), User: strconv.Itoa(os.Getuid())}
	if u, err := user.Current(); err == nil {
		holder.User = u.Username
	}
	lock, err := state.Acquire(ctx, p.file(layout.Lock(part)), state.LockOptions{
		Holder: holder, Timeout: o.lockTimeout, AllowUntrusted: o.noLock,
		Waiting: func(h state.Holder) { _ = say(a.err, "Waiting for %s", h) },
	})
	if held, ok := errors.AsType[*state.LockedError](err); ok {
		return nil, &exitCode{exitLocked, &diag.Problem{
			Code: "locked", Summary: "another run is changing this machine; nothing was changed",
			Found: held.Holder.String(), Hint: "wait for it, or pass --lock-timeout=10m",
		}}
	}
	return lock, apply.Explain(err, p.root)
}

// close lets go of journal and lock.
func (w *work) close() error {
	w.stop()
	return errors.Join(w.journal.Close(), w.lock.Release())
}

// apply carries out a plan.
func (w *work) apply(plan *planner.Plan) *apply.Result { return apply.Run(w.ctx, plan, w.options) }

// do carries out a step of an environment that belongs to no plan: a rollback, a
// collection.
func (w *work) do(e *environment, action resources.Action, step resources.Step) error {
	return apply.RunSteps(w.ctx, resources.Addr{Kind: e.kind, Name: e.Name}, action, []resources.Step{step}, w.options)
}

// interruptible returns a context that ends at the first signal to stop, and one
// that ends at the second.
func interruptible(ctx context.Context, first func()) (soft, hard context.Context, stop func()) {
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
			first()
		}
	}()
	return soft, hard, func() {
		signal.Stop(signals)
		close(done)
		softly()
		hardly()
	}
}

// events returns who hears what apply does.
func (a *app) events() func(apply.Event) {
	switch {
	case a.json:
		return report.EventsJSON(a.out)
	case a.quiet:
		return func(apply.Event) {}
	}
	return report.Progress(a.err, a.report(a.err))
}

// file returns the absolute path of a place in the project.
func (p *project) file(path string) string { return filepath.Join(p.root, filepath.FromSlash(path)) }

// absolute is where a path of the manifest lies: below the project, unless it is
// absolute itself.
func (p *project) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return p.file(path)
}

// journal returns what earlier applies of this machine remember.
func (e *environment) journal() (*state.State, error) {
	return state.Read(e.file(layout.Journal(e.state)))
}

// bring carries out a plan of tools that a command needs, without asking: they
// are pinned, and lie below .reconcile alone.
func (a *app) bring(ctx context.Context, m *machine, plan *planner.Plan, o applyFlags) error {
	w, err := a.work(ctx, m.project, o)
	if err != nil {
		return err
	}
	a.oneDocument(w)
	result := w.apply(plan)
	if err := w.close(); err != nil {
		return err
	}
	var problems diag.List
	for _, item := range result.Items {
		problems.Add(item.Cause)
	}
	if result.Interrupted {
		return &exitCode{exitInterrupted, problems.Err()}
	}
	return problems.Err()
}

// resultCode returns the exit code of an apply.
func resultCode(r *apply.Result) int {
	switch {
	case r.Interrupted:
		return exitInterrupted
	case r.Failed() > 0:
		return exitPartly
	}
	return exitDone
}

// addRecord keeps the record of a run.
func (w *work) addRecord(r *runrecord.Record) error {
	records, err := runrecord.OpenFolder(w.options.Root, w.options.State)
	if err != nil {
		return err
	}
	defer records.Close()
	return records.Add(r)
}
