package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/mounts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// remove moves a file or tree into the trash in one rename. The trash is deleted at the
// end of the run, or by a later one.
func (t *task) remove(s resources.Remove) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	info, err := p.root.Lstat(p.rel)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.checkRemovable(p, info); err != nil {
		return err
	}
	if s.Type != "" {
		return t.removeChecked(p, s)
	}
	if err := t.moveToTrash(p); err != nil {
		return err
	}
	failpoint.Hit(failpoint.TrashMoved)
	return syncDir(p.root, p.dir())
}

// checkRemovable returns an error for paths whose removal can only be a mistake.
func (t *task) checkRemovable(p place, info fs.FileInfo) error {
	refuse := func(why string) error {
		return &diag.Problem{
			Code: "apply.remove-refused", Summary: fmt.Sprintf("%s was not removed: %s", p.abs(), why),
			Hint: "if you want to remove it, do so yourself",
		}
	}
	target := filepath.Clean(p.abs())
	home, _ := os.UserHomeDir()
	cwd, _ := os.Getwd()
	for what, path := range map[string]string{"your home": home, "the current directory": cwd, "the project": t.o.Root} {
		if path != "" && (target == "/" || path == target || strings.HasPrefix(path, target+"/")) {
			return refuse("it is or contains " + what)
		}
	}
	if p.rel == "." || target == t.o.State || strings.HasPrefix(t.o.State, target+"/") {
		return refuse("it contains the state of reconcile")
	}
	if !info.IsDir() {
		return nil
	}
	if _, err := p.root.Lstat(path.Join(p.rel, ".git")); err == nil {
		return refuse("it is a git repository")
	}
	if at, err := mounts.Below(target); err != nil {
		return err
	} else if at != "" {
		return refuse("a file system is mounted at " + at)
	}
	return nil
}

// moveToTrash renames a path in the store into the trash of the project. Outside the store
// or on another file system it renames it within its directory and deletes it at once.
func (t *task) moveToTrash(p place) error {
	if p.root == t.store {
		trash := t.own(layout.Trash(t.o.State))
		if err := makeDurably(trash.root, trash.rel, 0o700); err != nil {
			return err
		}
		err := t.store.Rename(p.rel, path.Join(trash.rel, atomicfile.TempName()))
		if !errors.Is(err, unix.EXDEV) {
			return err
		}
	}
	temp := p.temp().rel
	if err := p.root.Rename(p.rel, temp); err != nil {
		return err
	}
	if err := removeTree(context.Background(), p.root, temp); err != nil {
		t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Text: fmt.Sprintf("%s could not be deleted yet: %v", temp, err)})
	}
	return nil
}

// emptyTrash deletes what this and earlier runs removed. A failure is left to the next
// run.
func (e *engine) emptyTrash(ctx context.Context) {
	trash := e.own(layout.Trash(e.o.State))
	entries, err := readDir(trash.root, trash.rel)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, entry := range entries {
		if err == nil {
			err = removeTree(ctx, trash.root, path.Join(trash.rel, entry.Name()))
		}
	}
	if err != nil && ctx.Err() == nil {
		e.emit(Event{Kind: Note, Text: fmt.Sprintf("the trash could not be emptied; the next apply tries again: %v", err)})
	}
}

func readDir(root *os.Root, name string) ([]fs.DirEntry, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// removeTree deletes a file or tree by open directories, so that it follows no link and
// crosses into no other file system, even if directories are moved meanwhile.
func removeTree(ctx context.Context, root *os.Root, name string) error {
	parent, err := root.OpenFile(path.Dir(name), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer parent.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(parent.Fd()), &st); err != nil {
		return err
	}
	r := remover{ctx: ctx, device: uint64(st.Dev)}
	return r.entry(int(parent.Fd()), path.Base(name), filepath.Join(root.Name(), name))
}

type remover struct {
	ctx    context.Context
	device uint64
}

// entry deletes one entry of an open directory. name is for messages.
func (r remover) entry(dir int, base, name string) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	err := unix.Unlinkat(dir, base, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) { // macOS returns EPERM for directories
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	if err := r.content(dir, base, name); err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// content deletes the entries of a directory. It first adds missing permissions of the
// owner.
func (r remover) content(dir int, base, name string) error {
	flags := unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, base, flags, 0)
	if errors.Is(err, unix.EACCES) && unix.Fchmodat(dir, base, 0o700, 0) == nil {
		fd, err = unix.Openat(dir, base, flags, 0)
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if uint64(st.Dev) != r.device {
		return &fs.PathError{Op: "remove", Path: name, Err: errors.New("another file system is mounted here")}
	}
	if st.Mode&0o300 != 0o300 {
		_ = unix.Fchmod(fd, 0o700) // if that fails, so does the removal below
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := r.entry(fd, n, name+"/"+n); err != nil {
			return err
		}
	}
	return nil
}
