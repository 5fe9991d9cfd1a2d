package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/diag"
)

// own refuses a project whose folders of ours are links, or anything else that is
// no directory: they may have come with a clone, and installers, which know no
// confinement, would write to wherever they lead. part is this machine's.
func (p *project) own(part string) error {
	places := []string{
		layout.Dir, layout.Cache(""), layout.Cache("uv"), layout.Cache("pip"), layout.Tools(""),
		part, layout.Environment(part, ""), layout.Trash(part), layout.Kept(part), layout.Runs(part), layout.Conda(part),
	}
	for _, name := range names(p.file(layout.Tools(""))) {
		places = append(places, layout.Tools(name))
	}
	for _, name := range names(p.file(layout.Environment(part, ""))) {
		places = append(places, layout.Environment(part, name))
	}
	for _, name := range names(p.file(layout.Conda(part))) {
		places = append(places, path.Join(layout.Conda(part), name))
	}
	for _, place := range places {
		info, err := os.Lstat(p.file(place))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.IsDir():
			return notOwn(place, info)
		}
	}
	return nil
}

func notOwn(place string, info fs.FileInfo) error {
	found := "something that is no directory"
	if info.Mode()&fs.ModeSymlink != 0 {
		found = "a link"
	}
	return &diag.Problem{
		Code: "project.foreign", Summary: fmt.Sprintf("%s is not a directory that reconcile made, so nothing is written through it; nothing was changed", place),
		Found: found, Hint: fmt.Sprintf("remove it, if it came with a copy of the project: rm %s", path.Clean(place)),
	}
}

// closed says that what reconcile keeps here belongs to another user and cannot be
// looked into by this one; nil if it can, or is not there.
func (p *project) closed() *diag.Problem {
	dir := p.file(layout.Dir)
	err := unix.Access(dir, unix.R_OK|unix.X_OK)
	if !errors.Is(err, unix.EACCES) {
		return nil
	}
	owner := "another user"
	var st unix.Stat_t
	if unix.Lstat(dir, &st) == nil {
		owner = fmt.Sprintf("user %d", st.Uid)
		if u, err := user.LookupId(strconv.Itoa(int(st.Uid))); err == nil {
			owner = "user " + u.Username
		}
	}
	return &diag.Problem{
		Code:    "project.other-user",
		Summary: fmt.Sprintf("what reconcile keeps in %s belongs to %s, and this user may not look into it", layout.Dir, owner),
		Found:   fmt.Sprintf("this is user %d", os.Geteuid()),
		Hint:    "run reconcile as that user; one checkout is for one user",
	}
}
