package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
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
		owner = userName(st.Uid)
	}
	return &diag.Problem{
		Code:    "project.other-user",
		Summary: fmt.Sprintf("what reconcile keeps in %s belongs to %s, and this user may not look into it", layout.Dir, owner),
		Found:   fmt.Sprintf("this is user %d", os.Geteuid()),
		Hint:    "run reconcile as that user; one checkout is for one user",
	}
}

// rootNote says that this is root in a project of another user, who could not look into
// what root builds, nor start an interpreter that lies in root's home. It is no more than
// a note: in a container, and on a network drive that renames root, it may be meant so.
func (m *machine) rootNote() string {
	if os.Geteuid() != 0 || m.recorded {
		return ""
	}
	for _, dir := range []string{layout.Dir, "."} {
		var st unix.Stat_t
		if unix.Lstat(m.file(dir), &st) != nil {
			continue // not there yet: it comes into a folder that is
		}
		if st.Uid == 0 {
			return ""
		}
		owner := userName(st.Uid)
		return fmt.Sprintf("this is root, and the project belongs to %s, who may not be able to use what root builds in it: run reconcile as that user; one checkout is for one user", owner)
	}
	return ""
}

// userName names a user for people, by number where this machine knows no name.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
