package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/flock"
	"github.com/reconcile-ml/reconcile/internal/inuse"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lease"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/internal/store"
)

// Apply removes, under the lock of the store, the items of a document that prune would still
// remove. Everything is renamed into the trash of the store first, so that a prune that is
// killed leaves no partial entry, and the next one deletes the trash. The document of the
// result is nil if nothing was tried.
func Apply(ctx context.Context, c *session.Config, s *Store, o Options, agreed *report.Prune, lock session.LockOptions) (*report.Prune, error) {
	held, err := c.LockStore(ctx, s.location.Path, lock)
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.PruneLocked)
	p, err := newPruner(ctx, c, s, o, agreed)
	if err != nil {
		return nil, errors.Join(err, held.Release())
	}
	defer p.root.Close()
	err = p.move()
	err = errors.Join(err, held.Release())
	failpoint.Hit(failpoint.PruneUnlocked)
	return p.doc, errors.Join(err, p.empty())
}

// A pruner removes parts of a locked store.
type pruner struct {
	ctx    context.Context
	config *session.Config
	store  *Store // measured under the lock
	root   *os.Root
	agreed map[string]bool // by path
	plan   *plan
	doc    *report.Prune
	users  map[string]inuse.Process // by path of an item
}

func newPruner(ctx context.Context, c *session.Config, s *Store, o Options, agreed *report.Prune) (*pruner, error) {
	now, err := load(ctx, s.location, s.current, time.Now())
	if err != nil {
		return nil, err
	}
	p := &pruner{ctx: ctx, config: c, store: now, agreed: map[string]bool{}, plan: now.plan(o)}
	p.doc = now.newPrune(p.plan)
	for _, i := range agreed.Items {
		p.agreed[i.Path] = true
	}
	var paths []string
	for _, i := range p.plan.items {
		paths = append(paths, i.path())
	}
	// Processes of other users, which may not be inspected, cannot open the store.
	if p.users, _, err = inuse.OfEach(paths); err != nil {
		return nil, err
	}
	if p.root, err = os.OpenRoot(s.location.Path); err != nil {
		return nil, err
	}
	_, err = atomicfile.MakeAll(p.root, filepath.Base(layout.StoreTrash(s.location.Path)), 0o700)
	return p, err
}

// move renames the items into the trash, those of projects first: a unit that only a kept
// generation uses is kept too.
func (p *pruner) move() error {
	done := &plan{units: map[*unit]bool{}}
	for _, i := range p.plan.items {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if !p.agreed[i.path()] {
			continue // it became unused meanwhile
		}
		reason, err := p.moveOne(i, done)
		if err != nil {
			return err
		}
		if reason != "" {
			p.doc.Items = append(p.doc.Items, i.report("kept", reason))
			continue
		}
		p.doc.Items = append(p.doc.Items, i.report("removed", ""))
		p.doc.Freed += i.size
		failpoint.Hit(failpoint.PruneMoved)
	}
	return nil
}

// moveOne renames one item into the trash, or returns why it is kept.
func (p *pruner) moveOne(i *item, done *plan) (kept string, err error) {
	if i.project == nil {
		if u := p.users[i.path()]; u.PID != 0 {
			return fmt.Sprintf("process %d (%s) uses %s", u.PID, u.Name, u.How), nil
		}
		if p.store.unused(i.unit, p.store.used(done.units), &done.removed) == "" {
			return "an environment that was kept uses it", nil
		}
		if isLocked(i.path()) {
			return "a process has locked it", nil
		}
		i.size = done.removed.add(i.unit.tree)
		return "", p.trash(i)
	}
	lock, err := state.Acquire(p.ctx, layout.Lock(i.project.state), state.LockOptions{Holder: state.Holder{PID: os.Getpid(), Since: time.Now(), Command: "reconcile store prune"}})
	if held, ok := errors.AsType[*state.LockedError](err); ok {
		return held.Error(), nil
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if kept, err := p.whyUsed(i); kept != "" || err != nil {
		return kept, err
	}
	i.size = 0
	if i.unit != nil {
		i.size = done.removed.add(i.unit.tree)
		done.units[i.unit] = true
		return "", p.trash(i)
	}
	for _, t := range i.project.trees() {
		i.size += done.removed.add(t)
	}
	for _, g := range i.project.generations {
		done.units[g.unit] = true
	}
	return "", p.trash(i)
}

// whyUsed returns why a generation, or a generation of a project, may be in use.
func (p *pruner) whyUsed(i *item) (string, error) {
	if u := p.users[i.path()]; u.PID != 0 {
		return fmt.Sprintf("process %d (%s) uses %s", u.PID, u.Name, u.How), nil
	}
	if shell := p.config.ShellPrefix(); shell == i.path() || strings.HasPrefix(shell, i.path()+"/") {
		return "this shell is on it; activate again, or deactivate", nil
	}
	leases, err := lease.Read(layout.Leases(i.project.state))
	if err != nil {
		return "", err
	}
	for _, g := range i.project.generations {
		if i.unit != nil && i.unit != g.unit {
			continue
		}
		if l, ok := lease.Holder(leases, g.path, p.store.isNetwork(), p.store.now); ok {
			return l.String() + ", may use it", nil
		}
		if p.store.isNetwork() && p.store.now.Sub(i.project.lastUse) < tempAge {
			return "it was used less than a day ago, and programs of other hosts may use it", nil
		}
	}
	return "", nil
}

// isLocked reports whether another process has locked a file or directory. Partial downloads
// and wheels that are being unpacked are locked.
func isLocked(path string) bool {
	fd, err := rawfile.Open(path, rawfile.NoFollow)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return errors.Is(flock.Exclusive(f), flock.ErrHeld)
}

// trash renames an item into the trash.
func (p *pruner) trash(i *item) error {
	rel, err := filepath.Rel(p.store.location.Path, i.path())
	if err != nil {
		return err
	}
	if filepath.Dir(rel) == trash {
		return nil
	}
	err = p.root.Rename(rel, filepath.Join(trash, atomicfile.TempName()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// empty deletes the content of the trash.
func (p *pruner) empty() error {
	names, err := readNames(layout.StoreTrash(p.store.location.Path))
	for _, name := range names {
		if at := filepath.Join(trash, name); store.IsMade(at) {
			err = errors.Join(err, p.root.RemoveAll(at))
		}
	}
	return err
}
