package transfer

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/realpath"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// folder returns the local folder with its links resolved. They may lead out of the project
// only to a path that the manifest allows for directories: a link that came with a clone
// would otherwise choose which files are sent, or overwritten.
func (t *Transfer) folder() (string, error) {
	real, err := realpath.Resolve(t.spec.LocalDir)
	if err != nil {
		return "", &diag.Problem{Code: "sync.folder", Pos: t.entry.Pos, Summary: t.entry.Path + " cannot be read", Found: err.Error()}
	}
	if realpath.Within(t.project.Root, real) {
		return real, nil
	}
	for _, place := range t.allowedPlaces() {
		if dir, err := realpath.Resolve(t.project.Path(place.Path)); err == nil && realpath.Within(dir, real) {
			return real, nil
		}
	}
	return "", &diag.Problem{
		Code: "sync.leads-out", Pos: t.entry.Pos, Summary: t.entry.Path + " is outside the project through a link, so nothing is transferred",
		Found: real, Hint: "to allow this path, add it to the manifest: directories of the host, with allow_paths",
	}
}

// allowedPlaces returns the places outside the project that the manifest gives to
// directories on this machine.
func (t *Transfer) allowedPlaces() []manifest.Place {
	var places []manifest.Place
	if local, ok := facts.Find[facts.Host](t.project.Base, facts.HostKey); ok {
		if h := t.project.Manifest.Host(local); h != nil {
			places = slices.Clone(h.Places)
		}
	}
	for _, e := range t.project.Manifest.Environments {
		places = append(places, e.Places...)
	}
	return places
}

// checkSource returns the problem that the source of a push is absent, of the wrong type or
// outside the folder. It refuses a link to a single file, which scp would follow.
func (t *Transfer) checkSource(folder string) error {
	file, name, isType, want := folder, t.entry.Path, fs.FileMode.IsDir, "a folder"
	if t.spec.File != "" {
		file, name, isType, want = filepath.Join(folder, filepath.FromSlash(t.spec.File)), path.Join(t.entry.Path, t.spec.File), fs.FileMode.IsRegular, "a regular file"
	}
	p := &diag.Problem{Code: "sync.folder", Pos: t.entry.Pos}
	info, err := os.Lstat(file)
	switch {
	case rawfile.IsAbsent(err):
		p.Summary, p.Hint = name+" does not exist, so there is nothing to push", "`reconcile apply` creates the folders of the manifest"
		if _, err := os.Lstat(filepath.Dir(file)); t.spec.File != "" && err == nil {
			p.Hint = "list its folder: ls " + resources.ShellQuote(path.Dir(name))
		}
	case err != nil:
		p.Summary, p.Found = name+" cannot be read", err.Error()
	case !isType(info.Mode()):
		p.Summary, p.Found = fmt.Sprintf("%s is not %s", name, want), info.Mode().String()
	default:
		real, err := filepath.EvalSymlinks(file)
		if err == nil && realpath.Within(folder, real) {
			return nil
		}
		p.Summary = fmt.Sprintf("%s is outside %s through a link", name, t.entry.Path)
	}
	return p
}
