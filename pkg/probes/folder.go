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
)

// mostNames is how many entries of a directory are facts by name.
const mostNames = 1000

// folder lists what lies directly in a directory.
func (p *Prober) folder(name string) (facts.Folder, error) {
	f := facts.Folder{Path: name}
	if !clean(name) {
		return f, fmt.Errorf("%q is not a clean path", name)
	}
	fd, err := unix.Open(p.abs(name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if isGone(err) || errors.Is(err, unix.ELOOP) {
		return f, nil
	}
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: p.abs(name), Err: err}
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return f, err
	}
	slices.Sort(names)
	f.Names, f.Entries = names[:min(len(names), mostNames)], len(names)
	return f, nil
}

// tree measures what lies in a directory, and says who uses it.
func (p *Prober) tree(name string) (facts.Tree, error) {
	t := facts.Tree{Path: name}
	if !clean(name) {
		return t, fmt.Errorf("%q is not a clean path", name)
	}
	dir := p.abs(name)
	if info, err := os.Lstat(dir); isGone(err) || err == nil && !info.IsDir() {
		return t, nil
	} else if err != nil {
		return t, err
	}
	var err error
	if t.Entries, t.Bytes, err = pyenv.Measure(dir); err != nil {
		return t, err
	}
	// What the calling shell has activated is in its environment and ours, and in
	// no list of processes.
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
