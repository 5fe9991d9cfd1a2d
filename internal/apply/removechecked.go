package apply

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// removeChecked removes a path of the user if it is still as in the plan.
//
//  1. A directory is removed by rmdir, which fails unless it is empty.
//  2. The content of a file is copied to kept/, named by its digest, unless it is generated.
//  3. A file or link is renamed to a temporary name and compared once more: what was
//     put in its place in that moment is renamed back.
func (t *task) removeChecked(p place, s resources.Remove) error {
	dir, err := atomicfile.OpenDir(p.root, p.dir())
	if err != nil {
		return err
	}
	defer dir.Close()
	switch s.Type {
	case facts.Dir:
		err := dir.RemoveEmpty(p.base())
		switch {
		case isAny(err, unix.ENOTEMPTY, unix.EEXIST):
			return changedProblem(fmt.Sprintf("%s is no longer empty", p.rel))
		case errors.Is(err, unix.ENOTDIR):
			return changedProblem(fmt.Sprintf("%s is no longer a directory", p.rel))
		case err != nil:
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
		return fmt.Errorf("%s: cannot remove a path of type %q", s.Path, s.Type)
	}
	hidden := p.temp()
	if err := p.root.Rename(p.rel, hidden.rel); err != nil {
		return err
	}
	failpoint.Hit(failpoint.TrashMoved)
	if err := checkRemoved(hidden, s); err != nil {
		return errors.Join(err, restore(dir, hidden.base(), p.base()))
	}
	if err := p.root.Remove(hidden.rel); err != nil {
		return err
	}
	return dir.Sync()
}

// keepBeforeRemove keeps the content of a file that will be removed.
func (t *task) keepBeforeRemove(dir *atomicfile.Dir, p place, s resources.Remove) error {
	old, err := dir.Stat(p.base())
	if err != nil {
		return err
	}
	content, digest, err := readContent(dir, p, old)
	if err == nil && digest != s.SHA256 {
		err = changedContent(p.rel, digest)
	}
	if s.Generated {
		return err
	}
	if err == nil {
		err = t.keepContent(s.SHA256, content)
	}
	if err == nil {
		t.kept = t.appendKept(t.kept, s.Path, s.SHA256, facts.Mode(old.Mode.Perm()))
	}
	return err
}

// checkLink returns an error unless a path is a link to target.
func checkLink(p place, target string) error {
	now, err := p.root.Readlink(p.rel)
	if errors.Is(err, unix.EINVAL) {
		return changedProblem(fmt.Sprintf("%s is not a link", p.rel))
	}
	if err == nil && now != target {
		return changedProblem(fmt.Sprintf("%s now links to %s", p.rel, now))
	}
	return err
}

// checkRemoved returns an error unless the renamed file or link is the one to remove.
func checkRemoved(hidden place, s resources.Remove) error {
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
		return changedContent(s.Path, digest)
	}
	return err
}

// restore renames a file or link back. If its name is taken by now, it keeps the
// temporary name, which the error contains.
func restore(dir *atomicfile.Dir, hidden, base string) error {
	err := dir.Move(hidden, dir, base)
	if errors.Is(err, atomicfile.ErrChanged) {
		return fmt.Errorf("the previous file is now %s: %w", hidden, err)
	}
	return err
}

// move renames a path.
func (t *task) move(s resources.Move) error {
	from, err := t.place(s.From)
	if err != nil {
		return err
	}
	info, err := from.root.Lstat(from.rel)
	if errors.Is(err, fs.ErrNotExist) {
		return changedProblem(fmt.Sprintf("%s no longer exists", from.rel))
	}
	if err != nil {
		return err
	}
	if typeOf(info) != s.Type {
		return changedProblem(fmt.Sprintf("%s is no longer a %s", from.rel, s.Type))
	}
	to, err := t.placeWithParents(s.To)
	if err != nil {
		return err
	}
	source, err := atomicfile.OpenDir(from.root, from.dir())
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := atomicfile.OpenDir(to.root, to.dir())
	if err != nil {
		return err
	}
	defer target.Close()
	switch err := source.Move(from.base(), target, to.base()); {
	case errors.Is(err, atomicfile.ErrChanged):
		return changedProblem(fmt.Sprintf("%s exists now", to.rel))
	case errors.Is(err, unix.EXDEV):
		return &diag.Problem{
			Code: "apply.other-file-system", Summary: fmt.Sprintf("%s cannot be renamed to %s, on another file system", s.From, s.To),
			Hint: "move it yourself, which copies it: mv " + resources.ShellJoin(s.From, s.To),
		}
	case err != nil:
		return err
	}
	return errors.Join(target.Sync(), source.Sync())
}
