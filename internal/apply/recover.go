package apply

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// recover clears what a killed apply left beside the places it was about to
// change, and remembers what it had made: a thing that we created is not to
// become a stranger because the journal could not say so any more.
func (e *engine) recover(ctx context.Context) error {
	for _, dir := range []string{layout.Dir, e.o.State, layout.Kept(e.o.State), layout.Runs(e.o.State)} {
		e.removeTemps(ctx, place{e.root, dir})
	}
	for _, dir := range e.o.EnvPaths {
		if p, err := e.place(dir); err == nil {
			e.removeTemps(ctx, p)
		}
	}
	if e.o.Journal == nil {
		return nil
	}
	pending := e.o.Journal.Pending()
	if len(pending) > 0 {
		// What the killed apply wrote may not be on disk yet, and what is found to
		// be there is about to be called done.
		if err := atomicfile.SyncFileSystem(e.root); err != nil {
			return err
		}
	}
	for _, in := range pending {
		for _, l := range in.Makes {
			if p, err := e.place(l.Path); err == nil {
				e.removeTemps(ctx, place{p.root, p.dir()})
			}
		}
		if err := e.conclude(in); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the temporaries in a directory. It is called while the machine
// is locked, so nobody is using them; what it cannot remove harms nobody.
func (e *engine) removeTemps(ctx context.Context, dir place) {
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

// conclude ends an intent that was neither done nor failed.
func (e *engine) conclude(in state.Intent) error {
	j := e.o.Journal
	if !in.Known || !e.allMatch(in.Makes) {
		return j.Failed(state.Failure{Addr: in.Addr, Code: "apply.interrupted"})
	}
	last := in.Makes[len(in.Makes)-1]
	if in.Key.Kind == facts.KindEnvironment && last.Type == facts.Symlink {
		if err := concludeSwitch(j, in.Key.Name, path.Base(last.Target)); err != nil {
			return err
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
	case in.Key.Kind == facts.KindEnvironment && last.Type == facts.Symlink:
		done.Left = state.Left{Path: path.Dir(last.Path), Type: facts.Dir, Target: path.Base(last.Target)}
	}
	if in.From.Kind != "" && in.Key.Kind == facts.KindPath {
		return j.Moved(in.From, done)
	}
	return j.Done(done)
}

// concludeSwitch remembers a switch whose line was lost.
func concludeSwitch(j *state.Journal, env, to string) error {
	from := ""
	if list := j.Switches(env); len(list) > 0 {
		from = list[len(list)-1].To
	}
	if from == to {
		return nil
	}
	return j.Switched(env, from, to)
}

// allMade reports whether everything stands as an intent said it would.
func (e *engine) allMatch(list []state.Left) bool {
	for _, l := range list {
		p, err := e.place(l.Path)
		if err != nil || !matches(p, l) {
			return false
		}
	}
	return len(list) > 0
}

func matches(p place, l state.Left) bool {
	info, err := p.root.Lstat(p.rel)
	if err != nil {
		return l.Type == facts.Absent && errors.Is(err, fs.ErrNotExist)
	}
	switch l.Type {
	case facts.Dir:
		return info.IsDir()
	case facts.Symlink:
		target, err := p.root.Readlink(p.rel)
		return err == nil && target == l.Target
	case facts.Regular:
		if !info.Mode().IsRegular() {
			return false
		}
		digest, err := digestOf(p)
		return err == nil && digest == l.SHA256
	}
	return false
}

// digestOf hashes a file.
func digestOf(p place) (facts.SHA256, error) {
	f, err := p.root.OpenFile(p.rel, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return facts.SHA256{}, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return facts.SHA256{}, err
	}
	return facts.SHA256(h.Sum(nil)), nil
}
