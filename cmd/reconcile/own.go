package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

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
