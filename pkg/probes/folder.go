package probes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/inuse"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// maxNames is the number of directory entries whose names are facts.
const maxNames = 1000

// folder lists the entries of a directory.
func (p *Prober) folder(name string) (facts.Folder, error) {
	f := facts.Folder{Path: name}
	if !isClean(name) {
		return f, fmt.Errorf("%q is not a clean path", name)
	}
	fd, err := unix.Open(p.abs(name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if rawfile.IsAbsent(err) || errors.Is(err, unix.ELOOP) {
		return f, nil
	}
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: p.abs(name), Err: err}
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	slices.Sort(names)
	f.Names, f.Entries = names[:min(len(names), maxNames)], len(names)
	return f, err
}

// tree measures a directory tree and lists its users.
func (p *Prober) tree(name string) (facts.Tree, error) {
	t := facts.Tree{Path: name}
	if !isClean(name) {
		return t, fmt.Errorf("%q is not a clean path", name)
	}
	dir := p.abs(name)
	info, err := os.Lstat(dir)
	if rawfile.IsAbsent(err) || err == nil && !info.IsDir() {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	if t.Entries, t.Bytes, err = pyenv.Measure(dir); err != nil {
		return t, err
	}
	// The calling shell may not be in the list of processes, but its variables are
	// inherited.
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if within(p.environ[variable], dir) {
			t.Users = []string{"this shell"}
		}
	}
	users, _, err := inuse.Of(dir)
	for _, u := range users {
		t.Users = append(t.Users, fmt.Sprintf("process %d (%s)", u.PID, u.Name))
	}
	return t, err
}
