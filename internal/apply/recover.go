package apply

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/internal/store"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// recover removes the temporary files of a killed apply, and records its unfinished items as
// done or failed by what is on the machine. Without that, a path that it created would count
// as one that existed before, and would never be pruned.
func (e *engine) recover(ctx context.Context) error {
	removeTemps(ctx, place{e.store, "."})
	for _, dir := range []string{e.o.State, layout.Kept(e.o.State), layout.Runs(e.o.State)} {
		removeTemps(ctx, e.own(dir))
	}
	for _, dir := range e.o.EnvPaths {
		if p, err := e.place(dir); err == nil {
			removeTemps(ctx, p)
		}
	}
	_ = wheels.RemoveTemps(layout.Dists(e.o.Store)) // as far as possible; those in use stay
	e.removeOld(ctx, e.own(layout.Temp(e.o.Store)))
	if e.o.Journal == nil {
		return nil
	}
	pending := e.o.Journal.Pending()
	if len(pending) > 0 {
		// The writes of the killed apply may not be durable, and are about to be
		// recorded as done.
		if err := errors.Join(atomicfile.SyncFileSystem(e.root), atomicfile.SyncFileSystem(e.store)); err != nil {
			return err
		}
	}
	for _, in := range pending {
		for _, l := range in.Makes {
			if p, err := e.place(l.Path); err == nil {
				removeTemps(ctx, place{p.root, p.dir()})
			}
		}
		err := e.conclude(in)
		if isAny(err, unix.ENOSPC, unix.EDQUOT) {
			return nil // a rollback must work on a full disk; the next run records it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tempAge is the age from which a temporary file of the store is in use by no process, and
// worth nothing to the next: a part of a download that no lock needs any more.
const tempAge = 7 * 24 * time.Hour

// removeOld removes old files and directories from the temporary directory of the store, as
// far as possible: those whose names reconcile gives. Other projects use it at the same time.
func (e *engine) removeOld(ctx context.Context, dir place) {
	entries, err := readDir(dir.root, dir.rel)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && store.IsMade(path.Join(dir.rel, entry.Name())) && e.o.Now().Sub(info.ModTime()) > tempAge {
			_ = removeTree(ctx, dir.root, path.Join(dir.rel, entry.Name()))
		}
	}
}

// removeTemps removes the temporary files in a directory, as far as possible. The
// machine is locked, so none is in use.
func removeTemps(ctx context.Context, dir place) {
	entries, err := readDir(dir.root, dir.rel)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if atomicfile.IsTemp(entry.Name()) {
			_ = removeTree(ctx, dir.root, path.Join(dir.rel, entry.Name()))
		}
	}
}

// conclude records a pending intent as done or failed.
func (e *engine) conclude(in state.Intent) error {
	j := e.o.Journal
	if !in.Known || !e.allMatch(in.Makes) {
		return j.Failed(state.Failure{Addr: in.Addr, Code: "apply.interrupted"})
	}
	last := in.Makes[len(in.Makes)-1]
	switched := in.Key.Kind == facts.KindEnvironment && last.Type == facts.Symlink
	if switched {
		from, to := "", path.Base(last.Target)
		if list := j.Switches(in.Key.Name); len(list) > 0 {
			from = list[len(list)-1].To
		}
		if from != to { // the line of the switch was lost
			if err := j.Switched(in.Key.Name, from, to); err != nil {
				return err
			}
		}
	}
	done := state.Entry{
		Addr: in.Addr, Key: in.Key, Ownership: ownership(j, in.Addr, in.From, in.Action), Action: in.Action,
		Spec: in.Spec, Protect: in.Protect,
	}
	switch {
	case in.Action == resources.Delete:
	case in.Key.Kind == facts.KindPath:
		done.Left = last
	case switched:
		done.Left = state.Left{Path: path.Dir(last.Path), Type: facts.Dir, Target: path.Base(last.Target)}
	}
	if in.From.Kind != "" && in.Key.Kind == facts.KindPath {
		return j.Moved(in.From, done)
	}
	return j.Done(done)
}

// allMatch reports whether every path is as expected.
func (e *engine) allMatch(list []state.Left) bool {
	for _, l := range list {
		p, err := e.place(l.Path)
		if err != nil || !matches(p, l) {
			return false
		}
	}
	return len(list) > 0
}

// matches reports whether the file, directory or link at p is l.
func matches(p place, l state.Left) bool {
	info, err := p.root.Lstat(p.rel)
	if err != nil {
		return l.Type == facts.Absent && errors.Is(err, fs.ErrNotExist)
	}
	if typeOf(info) != l.Type {
		return false
	}
	switch l.Type {
	case facts.Symlink:
		target, err := p.root.Readlink(p.rel)
		return err == nil && target == l.Target
	case facts.Regular:
		digest, err := digestOf(p)
		return err == nil && digest == l.SHA256
	}
	return l.Type == facts.Dir
}

// digestOf hashes a file of at most MaxKept bytes: no larger file is managed.
func digestOf(p place) (facts.SHA256, error) {
	f, err := rawfile.OpenRoot(p.root, p.rel, 0)
	if err != nil {
		return facts.SHA256{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, MaxKept+1))
	if err == nil && n > MaxKept {
		err = &rawfile.Error{Path: p.rel, Max: MaxKept}
	}
	return facts.SHA256(h.Sum(nil)), err
}

// typeOf returns the type of a path.
func typeOf(info fs.FileInfo) facts.PathType {
	switch {
	case info.Mode().IsRegular():
		return facts.Regular
	case info.IsDir():
		return facts.Dir
	case info.Mode()&fs.ModeSymlink != 0:
		return facts.Symlink
	}
	return facts.Other
}
