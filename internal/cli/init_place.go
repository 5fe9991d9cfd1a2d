package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// An initPlace is where init writes: a folder that may have to be made.
type initPlace struct {
	dir      string   // absolute
	manifest string   // name of the manifest in dir
	root     *os.Root // the nearest folder that exists: dir, or one above it
	below    string   // dir relative to root, slash-separated; "." if it is there
	moved    bool     // the shell does not stand in dir
	outer    string   // the project that dir lies in, "" for none
}

// A newFile is one that init writes if nothing is there.
type newFile struct {
	name    string // relative to the project
	content []byte
}

// initPlace finds where to write, and refuses a place where there is a manifest.
func (a *app) initPlace(args []string) (*initPlace, error) {
	here, err := a.config().Directory()
	if err != nil {
		return nil, err
	}
	p := &initPlace{dir: here, manifest: session.DefaultManifest}
	named := a.dir != "" || a.manifest != "" || len(args) > 0
	switch {
	case a.manifest != "" && len(args) > 0:
		return nil, exit.Usage("-m names a manifest and its folder already: give -m or DIR")
	case a.manifest != "":
		file, err := a.config().Path(a.manifest)
		if err != nil {
			return nil, err
		}
		p.dir, p.manifest = filepath.Dir(file), filepath.Base(file)
	case len(args) > 0:
		if p.dir, err = a.config().Path(args[0]); err != nil {
			return nil, err
		}
	}
	p.moved = p.dir != here
	if !named {
		if err := a.notByAccident(p.dir); err != nil {
			return nil, err
		}
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	if _, err := p.root.Lstat(p.path(p.manifest)); err == nil {
		return nil, errors.Join(&diag.Problem{
			Code: "init.exists", Summary: fmt.Sprintf("%s is there already and stays as it is; nothing was written", filepath.Join(p.dir, p.manifest)),
			Hint: "`reconcile plan` shows what it would change here",
		}, p.root.Close())
	}
	p.outer = outerProject(filepath.Dir(p.dir))
	return p, nil
}

// notByAccident refuses the home folder and /, in which a shell stands when nobody
// went anywhere: everything below would belong to the project.
func (a *app) notByAccident(dir string) error {
	what := ""
	if sameFolder(dir, "/") {
		what = "the root of the file system"
	}
	if home := a.getenv("HOME"); home != "" && sameFolder(dir, home) {
		what = "your home folder"
	}
	if what == "" {
		return nil
	}
	return &diag.Problem{
		Code: "init.home", Summary: fmt.Sprintf("%s is %s, and all of it would be the project; nothing was written", dir, what),
		Hint: "`reconcile init NAME` starts one in a folder of its own; `reconcile init .` takes this one all the same",
	}
}

func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// open opens the folder, or the nearest one above it that exists.
func (p *initPlace) open() error {
	at := p.dir
	for {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return &diag.Problem{Code: "folder.absent", Summary: at + " is not a folder", Hint: "name another folder"}
		}
		if err == nil {
			break
		}
		if _, gone := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || gone == nil { // unreadable, or a link to nowhere
			return &diag.Problem{Code: "folder.unreadable", Summary: fmt.Sprintf("folder %s cannot be looked at", at), Found: err.Error()}
		}
		at = filepath.Dir(at)
	}
	below, err := filepath.Rel(at, p.dir)
	if err != nil {
		return err
	}
	p.below = filepath.ToSlash(below)
	if p.root, err = os.OpenRoot(at); err != nil {
		return &diag.Problem{Code: "folder.unreadable", Summary: fmt.Sprintf("folder %s cannot be looked at", at), Found: err.Error()}
	}
	return nil
}

// path is a file of the project, relative to root.
func (p *initPlace) path(name string) string { return path.Join(p.below, name) }

// name is what the project is named after.
func (p *initPlace) name() string { return filepath.Base(p.dir) }

// shown is a file of the project as a message names it.
func (p *initPlace) shown(name string) string {
	if p.moved {
		return filepath.Join(p.dir, name)
	}
	return name
}

// notes is what to know of the place.
func (p *initPlace) notes() []string {
	if p.outer == "" {
		return []string{}
	}
	return []string{fmt.Sprintf("this folder lies in the project of %s; in here the new manifest counts", p.outer)}
}

// outerProject returns the nearest manifest in a folder or above it, "" for none.
func outerProject(dir string) string {
	for {
		file := filepath.Join(dir, session.DefaultManifest)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

// write makes the files that are not there; the last one is the manifest, so that
// there is one only where all else is.
func (p *initPlace) write(ctx context.Context, files []newFile, doc *initDocument) error {
	var news []atomicfile.NewFile
	for _, f := range files {
		stands, err := p.stands(f)
		if err != nil {
			return err
		}
		switch stands {
		case "same":
			doc.Same = append(doc.Same, f.name)
		case "other":
			doc.Kept = append(doc.Kept, f.name)
		default:
			doc.Written = append(doc.Written, f.name)
			news = append(news, atomicfile.NewFile{Name: p.path(f.name), Mode: f.mode(), Content: f.content})
		}
	}
	err := atomicfile.Create(ctx, p.root, news)
	if errors.Is(err, atomicfile.ErrChanged) {
		return &diag.Problem{
			Code: "init.changed", Summary: "somebody else writes in " + p.dir + " at this moment", Found: err.Error(),
			Hint: "look at what is there, and start init again: what is there stays",
		}
	}
	if err != nil && ctx.Err() == nil {
		return notWritten(p.dir, err)
	}
	return err
}

// stands says what is at a file's place: "", "same" or "other". What is no folder
// where one is needed is refused, so that nothing is written through a link.
func (p *initPlace) stands(f newFile) (string, error) {
	for parent := path.Dir(f.name); parent != "."; parent = path.Dir(parent) {
		info, err := p.root.Lstat(p.path(parent))
		if err == nil && !info.IsDir() {
			found := "a file"
			if info.Mode()&fs.ModeSymlink != 0 {
				found = "a link, which is not followed"
			}
			return "", &diag.Problem{
				Code: "init.in-the-way", Summary: fmt.Sprintf("%s is not a folder, and %s should lie in it; nothing was written", filepath.Join(p.dir, parent), f.name), Found: found,
				Hint: "move it away, or `reconcile init --minimal` writes a manifest alone",
			}
		}
	}
	info, err := p.root.Lstat(p.path(f.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", notWritten(p.dir, err)
	case !info.Mode().IsRegular() || info.Size() != int64(len(f.content)):
		return "other", nil
	}
	if b, err := p.root.ReadFile(p.path(f.name)); err != nil || !bytes.Equal(b, f.content) {
		return "other", nil
	}
	return "same", nil
}

// mode is that of a program for what begins like a script.
func (f newFile) mode() fs.FileMode {
	if strings.HasPrefix(string(f.content[:min(2, len(f.content))]), "#!") {
		return 0o755
	}
	return 0o644
}
