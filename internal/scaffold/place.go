package scaffold

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
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// A place is the directory of a new project, which may not exist yet.
type place struct {
	dir      string   // absolute
	manifest string   // name of the manifest in dir
	root     *os.Root // the nearest folder that exists: dir, or one above it
	below    string   // dir relative to root, slash-separated; "." if it is there
	moved    bool     // dir is not the working directory
	outer    string   // the manifest of the project that dir is in, "" for none
}

// A newFile is written if no file of its name exists.
type newFile struct {
	name    string // relative to the project
	content []byte
}

// openPlace opens the directory to write to, which dir names if it is not "", and refuses
// one with a manifest.
func openPlace(c *session.Config, dir string) (*place, error) {
	here, err := c.Directory()
	if err != nil {
		return nil, err
	}
	p := &place{dir: here, manifest: session.DefaultManifest}
	named := c.Dir != "" || c.Manifest != "" || dir != ""
	switch {
	case c.Manifest != "" && dir != "":
		return nil, exit.Usage("-m names a manifest and its folder already: give -m or DIR")
	case c.Manifest != "":
		file, err := c.Path(c.Manifest)
		if err != nil {
			return nil, err
		}
		p.dir, p.manifest = filepath.Dir(file), filepath.Base(file)
	case dir != "":
		if p.dir, err = c.Path(dir); err != nil {
			return nil, err
		}
	}
	p.moved = p.dir != here
	if !named {
		if err := checkIntended(c, p.dir); err != nil {
			return nil, err
		}
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	if err := p.checkOwner(c); err != nil {
		return nil, errors.Join(err, p.root.Close())
	}
	if _, err := p.root.Lstat(p.path(p.manifest)); err == nil {
		return nil, errors.Join(&diag.Problem{
			Code: "init.exists", Summary: fmt.Sprintf("%s exists and is not changed; nothing was written", filepath.Join(p.dir, p.manifest)),
			Hint: "`reconcile plan` shows its changes to this machine",
		}, p.root.Close())
	}
	p.outer = outerProject(filepath.Dir(p.dir))
	return p, nil
}

// checkOwner refuses a folder of another user, which no command would use as a project.
func (p *place) checkOwner(c *session.Config) error {
	dir, err := filepath.EvalSymlinks(p.dir)
	if err != nil {
		return nil // it does not exist yet
	}
	return c.CheckOwner(dir, "")
}

// checkIntended refuses the home directory and /, where a shell starts: everything below
// would belong to the project.
func checkIntended(c *session.Config, dir string) error {
	what := ""
	if sameFolder(dir, "/") {
		what = "the root of the file system"
	}
	if home := c.Getenv("HOME"); home != "" && sameFolder(dir, home) {
		what = "your home folder"
	}
	if what == "" {
		return nil
	}
	return &diag.Problem{
		Code: "init.home", Summary: fmt.Sprintf("%s is %s, and all of it would be the project; nothing was written", dir, what),
		Hint: "`reconcile init NAME` starts one in its own folder; `reconcile init .` takes this one",
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
func (p *place) open() error {
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
			return &diag.Problem{Code: "folder.unreadable", Summary: fmt.Sprintf("folder %s cannot be read", at), Found: err.Error()}
		}
		at = filepath.Dir(at)
	}
	below, err := filepath.Rel(at, p.dir)
	if err != nil {
		return err
	}
	p.below = filepath.ToSlash(below)
	if p.root, err = os.OpenRoot(at); err != nil {
		return &diag.Problem{Code: "folder.unreadable", Summary: fmt.Sprintf("folder %s cannot be read", at), Found: err.Error()}
	}
	return nil
}

// path returns the path of a file of the project, relative to root.
func (p *place) path(name string) string { return path.Join(p.below, name) }

// name returns the name of the directory, which the project is named after.
func (p *place) name() string { return filepath.Base(p.dir) }

// notes returns what users should know about the directory.
func (p *place) notes() []string {
	if p.outer == "" {
		return []string{}
	}
	return []string{fmt.Sprintf("this folder is inside the project of %s; the new manifest applies to it from now on", p.outer)}
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

// write creates the files that do not exist. The manifest is the last one, so that it
// exists only after all others.
func (p *place) write(ctx context.Context, files []newFile, doc *Result) error {
	var news []atomicfile.NewFile
	for _, f := range files {
		existing, err := p.compare(f)
		if err != nil {
			return err
		}
		switch existing {
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
			Code: "init.changed", Summary: "another program writes to " + p.dir, Found: err.Error(),
			Hint: "run the same again: existing files are not changed",
		}
	}
	if err != nil && ctx.Err() == nil {
		return writeProblem(p.dir, err)
	}
	return err
}

// compare returns whether a file exists: "" if not, "same" or "other". A parent that is
// not a directory is refused, so that nothing is written through a link.
func (p *place) compare(f newFile) (string, error) {
	for parent := path.Dir(f.name); parent != "."; parent = path.Dir(parent) {
		info, err := p.root.Lstat(p.path(parent))
		if err == nil && !info.IsDir() {
			found := "a file"
			if info.Mode()&fs.ModeSymlink != 0 {
				found = "a link, which is not followed"
			}
			return "", &diag.Problem{
				Code: "init.in-the-way", Summary: fmt.Sprintf("%s is not a folder, so %s cannot be written into it; nothing was written", filepath.Join(p.dir, parent), f.name), Found: found,
				Hint: "move it away, or `reconcile init --bare` writes a manifest alone",
			}
		}
	}
	info, err := p.root.Lstat(p.path(f.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", writeProblem(p.dir, err)
	case !info.Mode().IsRegular() || info.Size() != int64(len(f.content)):
		return "other", nil
	}
	if b, err := rawfile.ReadRoot(p.root, p.path(f.name), int64(len(f.content)), rawfile.NoFollow); err != nil || !bytes.Equal(b, f.content) {
		return "other", nil
	}
	return "same", nil
}

// mode returns the mode of a program for a file that begins as a script.
func (f newFile) mode() fs.FileMode {
	if strings.HasPrefix(string(f.content[:min(2, len(f.content))]), "#!") {
		return 0o755
	}
	return 0o644
}
