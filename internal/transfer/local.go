package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// folder returns where the folder of a Transfer really lies. A link on the way may lead
// to a place that the manifest names for it, as directories of a host do, and nowhere
// else: it may have come with a clone, and what it leads to would be sent away, or
// written to.
func (s *Transfer) folder() (string, error) {
	at := s.project.Path(s.entry.Path)
	real, err := resolve(at)
	if err != nil {
		return "", &diag.Problem{Code: "sync.folder", Pos: s.entry.Pos, Summary: s.entry.Path + " cannot be looked at", Found: err.Error()}
	}
	if within(s.project.Root, real) {
		return real, nil
	}
	for _, place := range s.places() {
		if to, err := resolve(place); err == nil && within(to, real) {
			return real, nil
		}
	}
	return "", &diag.Problem{
		Code: "sync.leads-out", Pos: s.entry.Pos, Summary: fmt.Sprintf("a link leads %s out of the project, so nothing is sent from there or written to it", s.entry.Path),
		Found: real, Hint: "if that is meant, say so in the manifest: directories of the host, with allow_paths",
	}
}

// places are the absolute paths at which the manifest allows directories of this machine
// to lie.
func (s *Transfer) places() []string {
	var lists [][]manifest.Place
	if here, ok := facts.Find[facts.Host](s.project.Base, facts.HostKey); ok {
		if h := s.project.Manifest.Host(here); h != nil {
			lists = append(lists, h.Places)
		}
	}
	for _, e := range s.project.Manifest.Environments {
		lists = append(lists, e.Places)
	}
	var places []string
	for _, list := range lists {
		for _, place := range list {
			places = append(places, s.project.Path(place.Path))
		}
	}
	return places
}

// resolve follows the links of a path as far as it is there.
func resolve(p string) (string, error) {
	real, err := filepath.EvalSymlinks(p)
	if !isAbsent(err) || p == filepath.Dir(p) {
		return real, err
	}
	if _, lerr := os.Lstat(p); lerr == nil {
		return "", fmt.Errorf("%s is a link to what is not there", p)
	}
	above, err := resolve(filepath.Dir(p))
	return filepath.Join(above, filepath.Base(p)), err
}

func within(folder, file string) bool {
	rel, err := filepath.Rel(folder, file)
	return err == nil && filepath.IsLocal(rel)
}

func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// hasSomething refuses to push what is not there. For one file it also refuses a link,
// since scp would follow it.
func (s *Transfer) hasSomething(folder string) error {
	file, name, is, want := folder, s.entry.Path, fs.FileMode.IsDir, "a folder"
	if s.File != "" {
		file, name, is, want = filepath.Join(folder, filepath.FromSlash(s.File)), path.Join(s.entry.Path, s.File), fs.FileMode.IsRegular, "a file"
	}
	info, err := os.Lstat(file)
	p := &diag.Problem{Code: "sync.folder", Pos: s.entry.Pos}
	switch {
	case isAbsent(err):
		p.Summary, p.Hint = fmt.Sprintf("there is no %s here, so there is nothing to push", name), "`reconcile apply` makes the folders of the manifest"
		if _, err := os.Lstat(filepath.Dir(file)); s.File != "" && err == nil {
			p.Hint = "look for its name: ls " + resources.ShellQuote(path.Dir(name))
		}
	case err != nil:
		p.Summary, p.Found = name+" cannot be looked at", err.Error()
	case !is(info.Mode()):
		p.Summary, p.Found = fmt.Sprintf("%s is not %s", name, want), info.Mode().String()
	default:
		if real, err := filepath.EvalSymlinks(file); err != nil || !within(folder, real) {
			p.Summary = fmt.Sprintf("a link leads %s out of %s", name, s.entry.Path)
			return p
		}
		return nil
	}
	return p
}

// extent is how much a folder holds of what would travel.
type extent struct {
	files int
	bytes int64
}

// measure adds up the files below a folder, without following links in it.
func measure(ctx context.Context, folder string) (extent, error) {
	var e extent
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return e, err
	}
	err = filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && p == real:
			return err
		case err != nil:
			return nil // counted as far as it can be read
		case p != real && leftOut(d.Name()) && d.IsDir():
			return fs.SkipDir
		case !d.Type().IsRegular() || leftOut(d.Name()):
			return nil
		}
		if info, err := d.Info(); err == nil {
			e.files++
			e.bytes += info.Size()
		}
		return nil
	})
	return e, err
}

// leftOut reports whether a name is one of those that never travel.
func leftOut(name string) bool {
	for _, pattern := range rsync.Excluded {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}
