package environments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/inuse"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lease"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Collection is what gc did or, with DryRun, would do. Its JSON form is the output of
// the command.
type Collection struct {
	Version     int             `json:"version"`
	Environment string          `json:"environment"`
	DryRun      bool            `json:"dry_run"`
	Generations []Collected     `json:"generations"`
	Freed       int64           `json:"freed"` // bytes
	Notes       []string        `json:"notes,omitempty"`
	Problems    []*diag.Problem `json:"problems,omitempty"`
}

// Collected is one generation that is not needed.
type Collected struct {
	Name   string `json:"name"`
	Action string `json:"action"`           // "remove" in a dry run, else "removed", "kept"
	Disk   int64  `json:"disk"`             // bytes that it alone takes; 0 if unknown
	Reason string `json:"reason,omitempty"` // why it is kept
}

// Kept reports whether a generation could not be removed.
func (c *Collected) Kept() bool { return c.Action == "kept" }

// Unneeded returns the generations that gc removes: incomplete builds, and all but the
// active generation and the newest keep intact ones. A damaged one is not kept, since
// rollback would not activate it.
func (e *Environment) Unneeded(ctx context.Context, keep int) ([]string, error) {
	names := slices.Clone(e.Unsealed)
	for _, g := range e.SortedGenerations() {
		if g.Name == e.Current {
			continue
		}
		if keep > 0 {
			damage, err := e.verify(ctx, g.Name)
			if err != nil {
				return nil, err
			}
			if len(damage) == 0 {
				keep--
				continue
			}
		}
		names = append(names, g.Name)
	}
	return names, nil
}

// CollectDry returns what Collect would remove.
func (e *Environment) CollectDry(unneeded []string) *Collection {
	doc := e.newCollection()
	doc.DryRun = true
	for _, name := range unneeded {
		doc.Generations = append(doc.Generations, Collected{Name: name, Action: "remove", Disk: e.size(name)})
	}
	return doc
}

func (e *Environment) newCollection() *Collection {
	doc := &Collection{Version: 1, Environment: e.Env.Name, Generations: []Collected{}}
	if e.isNetwork() {
		doc.Notes = append(doc.Notes, "other hosts may use this store: their programs are known only if `reconcile run` started them, not if .venv/bin did")
	}
	return doc
}

// previousKept is how long the previous generation stays in a store that other hosts use,
// since their programs may still run in it.
const previousKept = 24 * time.Hour

// remote returns why another host may use a generation; "" if none is known to.
func (e *Environment) remote(name string, now time.Time) (string, error) {
	leases, err := lease.Read(layout.Leases(e.state))
	if err != nil {
		return "", err
	}
	network := e.isNetwork()
	if l, ok := lease.Holder(leases, e.directory(name), network, now); ok {
		return l.String() + ", may use it", nil
	}
	if network && name == e.previous() && e.activatedWithin(previousKept, now) {
		return "it was active less than a day ago, and programs of other hosts may use it", nil
	}
	return "", nil
}

// previous returns the newest generation that is not active, "" for none.
func (e *Environment) previous() string {
	for _, g := range e.SortedGenerations() {
		if g.Name != e.Current {
			return g.Name
		}
	}
	return ""
}

// activatedWithin reports whether the active generation was selected less than d ago. The
// link that selects it is as old.
func (e *Environment) activatedWithin(d time.Duration, now time.Time) bool {
	info, err := os.Lstat(filepath.Join(e.Target.Path(e.Environment.Path), layout.GenerationLink))
	return err == nil && now.Sub(info.ModTime()) < d
}

// Collect removes, under the project's lock, the generations that are not needed now.
// Those that a process uses are kept. It stops at the first error; the Collection lists the
// generations before it, and is nil if none was tried.
func (e *Environment) Collect(ctx context.Context, keep int, o session.LockOptions) (*Collection, error) {
	doc := e.newCollection()
	run, err := e.Lock(ctx, o)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	now, err := Open(ctx, e.Target)
	if err != nil {
		return nil, err
	}
	unneeded, err := now.Unneeded(ctx, keep)
	if err != nil {
		return nil, err
	}
	for _, name := range unneeded {
		c, err := now.remove(run, name)
		if err != nil {
			return doc, err
		}
		doc.Generations = append(doc.Generations, c)
		if !c.Kept() {
			doc.Freed += c.Disk
		}
	}
	return doc, nil
}

// remove removes one generation unless a process uses it.
func (e *Environment) remove(run *session.Run, name string) (Collected, error) {
	c := Collected{Name: name, Action: "kept", Disk: e.size(name)}
	dir := e.directory(name)
	if dir == e.Config.ShellPrefix() {
		c.Reason = "this shell is on it; activate again, or deactivate"
		return c, nil
	}
	users, _, err := inuse.Of(dir)
	if err != nil {
		return c, err
	}
	if len(users) > 0 {
		c.Reason = fmt.Sprintf("process %d (%s) uses %s", users[0].PID, users[0].Name, users[0].How)
		return c, nil
	}
	if c.Reason, err = e.remote(name, time.Now()); err != nil || c.Reason != "" {
		return c, err
	}
	if i := slices.IndexFunc(e.References, func(r facts.Reference) bool { return r.Generation == name }); i >= 0 {
		r := e.References[i]
		c.Reason = r.Subject() + " starts it; " + r.Remedy()
		return c, nil
	}
	c.Action = "removed"
	return c, run.RunStep(e.addr(), resources.Delete, resources.Remove{Path: layout.Generation(e.state, e.Env.Name, name)})
}

// size returns the bytes that a generation alone takes, 0 if unknown.
func (e *Environment) size(generation string) int64 {
	size, err := pyenv.ExclusiveSize(e.directory(generation))
	if err != nil {
		return 0
	}
	return size
}
