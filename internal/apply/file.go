package apply

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxKept is the largest file whose old content is kept, in bytes: the largest
// whose digest a plan can name.
const maxKept = 64 << 20

func (t *task) makeDir(s resources.MakeDir) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	return makeDurably(p.root, p.rel, fs.FileMode(s.Mode))
}

func (t *task) writeFile(s resources.WriteFile) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	if err := t.makeParents(p); err != nil {
		return err
	}
	dir, err := atomicfile.OpenDir(p.root, p.dir())
	if err != nil {
		return err
	}
	defer dir.Close()
	st, err := t.stage(dir, p, s)
	if err != nil {
		return err
	}
	if st.temp == "" {
		return nil
	}
	if err := dir.Commit(st.temp, p.base(), st.want); err != nil {
		dir.Discard(st.temp)
		return err
	}
	t.kept = t.appendKept(t.kept, s.Path, st.kept, st.mode)
	return dir.Sync()
}

// remember adds the content that a file at name had to those that are kept; the
// zero digest says that nothing was replaced.
func (e *engine) appendKept(kept []Kept, name string, was facts.SHA256, mode facts.Mode) []Kept {
	if was.IsZero() {
		return kept
	}
	return append(kept, Kept{Path: name, SHA256: was, Mode: mode, Copy: path.Join(layout.Kept(e.o.State), was.String())})
}

// staged is a file that is written beside its place.
type staged struct {
	temp string             // "" if the file is there already
	want *atomicfile.FileID // what must still stand there; nil for anything
	kept facts.SHA256
	mode facts.Mode // of the file that is replaced
}

// stage compares what stands at a place with what the plan saw, keeps its
// content, and writes the new content beside it.
func (e *engine) stage(dir *atomicfile.Dir, p place, s resources.WriteFile) (staged, error) {
	was, err := dir.Stat(p.base())
	if err != nil {
		return staged{}, err
	}
	st := staged{want: &was, mode: facts.Mode(was.Mode.Perm())}
	if isOurs(p, e) {
		st.want = nil
	} else if st.kept, err = e.keep(dir, p, was, s); errors.Is(err, errSame) {
		return staged{}, nil
	} else if err != nil {
		return staged{}, err
	}
	st.temp, err = dir.Stage(p.base(), fs.FileMode(s.Mode), []byte(s.Content), was)
	return st, err
}

// errSame says that a file is what it was to become: an apply that was killed
// in the middle of an item has written it.
var errSame = errors.New("it is there already")

// keep makes sure that what stands at p is what the plan saw, and puts a copy of
// it below kept/, named by its digest.
func (e *engine) keep(dir *atomicfile.Dir, p place, was atomicfile.FileID, s resources.WriteFile) (facts.SHA256, error) {
	switch {
	case !was.Exists && s.Replaces.IsZero():
		return facts.SHA256{}, nil
	case !was.Exists:
		return facts.SHA256{}, changedProblem(fmt.Sprintf("%s is no longer there", p.rel))
	case !was.Mode.IsRegular():
		return facts.SHA256{}, changedProblem(fmt.Sprintf("%s is not a file", p.rel))
	case was.Size > maxKept:
		return facts.SHA256{}, changedProblem(fmt.Sprintf("%s has %d bytes now", p.rel, was.Size))
	}
	content, err := readEntry(dir, p.base())
	if err != nil {
		return facts.SHA256{}, err
	}
	digest := facts.SHA256(sha256.Sum256(content))
	switch {
	case digest != s.Replaces && string(content) == s.Content && was.Mode.Perm() == fs.FileMode(s.Mode):
		return facts.SHA256{}, errSame
	case s.Replaces.IsZero():
		return facts.SHA256{}, changedProblem(fmt.Sprintf("a file stands at %s now", p.rel))
	case digest != s.Replaces:
		return facts.SHA256{}, changedProblem(fmt.Sprintf("%s has other content now: sha256 %s", p.rel, digest))
	case string(content) == s.Content: // it is written anew, and nothing is lost
		return facts.SHA256{}, nil
	}
	return digest, e.keepContent(digest, content)
}

func readEntry(dir *atomicfile.Dir, base string) ([]byte, error) {
	f, err := dir.Open(base)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKept+1))
}

// putAway writes content below kept/ unless it is there already.
func (e *engine) keepContent(digest facts.SHA256, content []byte) error {
	folder := layout.Kept(e.o.State)
	if err := makeDurably(e.root, folder, 0o700); err != nil {
		return err
	}
	name := path.Join(folder, digest.String())
	info, err := e.root.Lstat(name)
	if err == nil && info.Mode().IsRegular() && info.Size() == int64(len(content)) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.Write(e.root, name, 0o600, content)
}

func (t *task) setMode(s resources.SetMode) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	return atomicfile.SetMode(p.root, p.rel, fs.FileMode(s.Mode))
}

func (t *task) link(s resources.Link) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	if err := t.makeParents(p); err != nil {
		return err
	}
	if err := atomicfile.Symlink(p.root, p.rel, s.Target); err != nil {
		return err
	}
	return syncDir(p.root, p.dir())
}
