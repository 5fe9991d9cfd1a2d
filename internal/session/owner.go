package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// CheckDirectories refuses a project in which a directory of .reconcile is a link, or
// anything else but a directory: it may have come with a clone, and installers, which are
// not confined to the project, would write to its target. part is the state directory of
// this machine.
func (p *Checkout) CheckDirectories(part string) error {
	places := []string{
		layout.Dir, layout.Cache(""), layout.Cache("uv"), layout.Cache("pip"), layout.Tools(""),
		part, layout.Environment(part, ""), layout.Trash(part), layout.Kept(part), layout.Runs(part), layout.Conda(part),
	}
	for _, name := range ListNames(p.Path(layout.Tools(""))) {
		places = append(places, layout.Tools(name))
	}
	for _, name := range ListNames(p.Path(layout.Environment(part, ""))) {
		places = append(places, layout.Environment(part, name))
	}
	for _, name := range ListNames(p.Path(layout.Conda(part))) {
		places = append(places, path.Join(layout.Conda(part), name))
	}
	for _, place := range places {
		info, err := os.Lstat(p.Path(place))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.IsDir():
			return notDirectory(place, info)
		}
	}
	return nil
}

func notDirectory(place string, info fs.FileInfo) error {
	found := "not a directory"
	if info.Mode()&fs.ModeSymlink != 0 {
		found = "a link"
	}
	return &diag.Problem{
		Code: "project.foreign", Summary: fmt.Sprintf("%s is not a directory that reconcile made, so nothing is written through it; nothing was changed", place),
		Found: found, Hint: "remove it, if it came with a copy of the project: rm " + resources.ShellQuote(path.Clean(place)),
	}
}

// ListNames returns the names in a directory, none if it cannot be read.
func ListNames(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}

// CheckReadable returns the problem that .reconcile belongs to another user and cannot be
// read by this one; nil if it can, or is absent.
func (p *Checkout) CheckReadable() *diag.Problem {
	dir := p.Path(layout.Dir)
	if err := unix.Access(dir, unix.R_OK|unix.X_OK); !errors.Is(err, unix.EACCES) {
		return nil
	}
	owner := "another user"
	var st unix.Stat_t
	if unix.Lstat(dir, &st) == nil {
		owner = userconfig.UserName(st.Uid)
	}
	return &diag.Problem{
		Code:    "project.other-user",
		Summary: fmt.Sprintf("%s belongs to %s and cannot be read by this user", layout.Dir, owner),
		Found:   fmt.Sprintf("this is user %d", os.Geteuid()),
		Hint:    "run reconcile as that user; one checkout is for one user",
	}
}
