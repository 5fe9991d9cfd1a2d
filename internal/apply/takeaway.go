package apply

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// takeAway removes what a plan showed in a place of the user, if it is that still.
//
//  1. A directory is removed by the call that refuses one with anything in it.
//  2. The content of a file is kept below kept/, by its digest.
//  3. A file or link is renamed out of sight, and looked at once more there: what
//     somebody put in its place in that moment goes back.
func (t *task) removeChecked(p place, s resources.Remove) error {
	dir, err := atomicfile.OpenDir(p.root, p.dir())
	if err != nil {
		return err
	}
	defer dir.Close()
	switch s.Type {
	case facts.Dir:
		err := dir.RemoveEmpty(p.base())
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			return changedProblem(fmt.Sprintf("%s is no longer empty", p.rel))
		}
		if errors.Is(err, unix.ENOTDIR) {
			return changedProblem(fmt.Sprintf("%s is no longer a directory", p.rel))
		}
		if err != nil {
			return err
		}
		return dir.Sync()
	case facts.Regular:
		if err := t.keepBeforeRemove(dir, p, s); err != nil {
			return err
		}
	case facts.Symlink:
		if err := checkLink(p, s.Target); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: what is a %q cannot be taken away", s.Path, s.Type)
	}
	hidden := p.sibling(atomicfile.TempName())
	if err := p.root.Rename(p.rel, hidden); err != nil {
		return err
	}
	failpoint.Hit(failpoint.TrashMoved)
	if err := t.checkRemoved(place{p.root, hidden}, s); err != nil {
		return errors.Join(err, restore(dir, path.Base(hidden), p.base()))
	}
	if err := p.root.Remove(hidden); err != nil {
		return err
	}
	return dir.Sync()
}

// keepRemoved keeps the content of a file that is about to go.
func (t *task) keepBeforeRemove(dir *atomicfile.Dir, p place, s resources.Remove) error {
	was, err := dir.Stat(p.base())
	switch {
	case err != nil:
		return err
	case !was.Mode.IsRegular():
		return changedProblem(fmt.Sprintf("%s is not a file", p.rel))
	case was.Size > maxKept:
		return changedProblem(fmt.Sprintf("%s has %d bytes now", p.rel, was.Size))
	}
	content, err := readEntry(dir, p.base())
	if err != nil {
		return err
	}
	if digest := facts.SHA256(sha256.Sum256(content)); digest != s.SHA256 {
		return changedProblem(fmt.Sprintf("%s has other content now: sha256 %s", p.rel, digest))
	}
	if err := t.keepContent(s.SHA256, content); err != nil {
		return err
	}
	t.kept = t.appendKept(t.kept, s.Path, s.SHA256, facts.Mode(was.Mode.Perm()))
	return nil
}

// leads returns an error if a place is not a link to target.
func checkLink(p place, target string) error {
	now, err := p.root.Readlink(p.rel)
	if errors.Is(err, unix.EINVAL) {
		return changedProblem(fmt.Sprintf("%s is not a link", p.rel))
	}
	if err == nil && now != target {
		return changedProblem(fmt.Sprintf("%s leads to %s now", p.rel, now))
	}
	return err
}

// stillThat looks at what was renamed out of sight.
func (t *task) checkRemoved(hidden place, s resources.Remove) error {
	if s.Type == facts.Symlink {
		return checkLink(hidden, s.Target)
	}
	info, err := hidden.root.Lstat(hidden.rel)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return changedProblem(fmt.Sprintf("%s is not a file", s.Path))
	}
	digest, err := digestOf(hidden)
	if err == nil && digest != s.SHA256 {
		return changedProblem(fmt.Sprintf("%s has other content now: sha256 %s", s.Path, digest))
	}
	return err
}

// putBack gives a thing its name again. If the name is taken by now, the thing stays
// beside it, and the error says under which name.
func restore(dir *atomicfile.Dir, hidden, base string) error {
	err := dir.Move(hidden, dir, base)
	if errors.Is(err, atomicfile.ErrChanged) {
		return fmt.Errorf("what was there before is now %s: %w", hidden, err)
	}
	return err
}

// move renames a thing to its new place.
func (t *task) move(s resources.Move) error {
	from, err := t.place(s.From)
	if err != nil {
		return err
	}
	to, err := t.place(s.To)
	if err != nil {
		return err
	}
	info, err := from.root.Lstat(from.rel)
	if errors.Is(err, fs.ErrNotExist) {
		return changedProblem(fmt.Sprintf("%s is no longer there", from.rel))
	}
	if err != nil {
		return err
	}
	if typeOf(info) != s.Type {
		return changedProblem(fmt.Sprintf("%s is no longer a %s", from.rel, s.Type))
	}
	if err := t.makeParents(to); err != nil {
		return err
	}
	here, err := atomicfile.OpenDir(from.root, from.dir())
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := atomicfile.OpenDir(to.root, to.dir())
	if err != nil {
		return err
	}
	defer there.Close()
	switch err := here.Move(from.base(), there, to.base()); {
	case errors.Is(err, atomicfile.ErrChanged):
		return changedProblem(fmt.Sprintf("something stands at %s now", to.rel))
	case errors.Is(err, unix.EXDEV):
		return otherFileSystemProblem(s)
	case err != nil:
		return err
	}
	return errors.Join(there.Sync(), here.Sync())
}

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
