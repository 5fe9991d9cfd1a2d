package apply

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// MaxKept is the largest file whose old content is kept, in bytes: the largest one
// with a digest in the facts.
const MaxKept = 64 << 20

func (t *task) makeDir(s resources.MakeDir) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	return makeDurably(p.root, p.rel, fs.FileMode(s.Mode))
}

func (t *task) setMode(s resources.SetMode) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	return atomicfile.SetMode(p.root, p.rel, fs.FileMode(s.Mode))
}

func (t *task) link(s resources.Link) error {
	p, err := t.placeWithParents(s.Path)
	if err != nil {
		return err
	}
	if err := atomicfile.Symlink(p.root, p.rel, s.Target); err != nil {
		return err
	}
	return syncDir(p.root, p.dir())
}

func (t *task) writeFile(s resources.WriteFile) error {
	p, err := t.placeWithParents(s.Path)
	if err != nil {
		return err
	}
	dir, err := atomicfile.OpenDir(p.root, p.dir())
	if err != nil {
		return err
	}
	defer dir.Close()
	st, err := t.stage(dir, p, s)
	if err != nil || st.temp == "" {
		return err
	}
	if err := dir.Commit(st.temp, p.base(), st.want); err != nil {
		dir.Discard(st.temp)
		return err
	}
	t.kept = t.appendKept(t.kept, s.Path, st.kept, st.mode)
	return dir.Sync()
}

// appendKept adds the replaced content of the file at name to kept; the zero digest
// means that nothing was replaced.
func (e *engine) appendKept(kept []Kept, name string, content facts.SHA256, mode facts.Mode) []Kept {
	if content.IsZero() {
		return kept
	}
	return append(kept, Kept{Path: name, SHA256: content, Mode: mode, Copy: path.Join(layout.Kept(e.o.State), content.String())})
}

// staged is a temporary file that is ready to be renamed.
type staged struct {
	temp string             // "" if the file already has its content
	want *atomicfile.FileID // of the file to replace; nil for any
	kept facts.SHA256
	mode facts.Mode // of the file to replace
}

// stage compares the existing file with the plan, keeps its content, and writes the
// new content to a temporary file.
func (e *engine) stage(dir *atomicfile.Dir, p place, s resources.WriteFile) (staged, error) {
	old, err := dir.Stat(p.base())
	if err != nil {
		return staged{}, err
	}
	st := staged{want: &old, mode: facts.Mode(old.Mode.Perm())}
	if isOurs(p, e) {
		st.want = nil
	} else if st.kept, err = e.keep(dir, p, old, s); errors.Is(err, errSame) {
		return staged{}, nil
	} else if err != nil {
		return staged{}, err
	}
	st.temp, err = dir.Stage(p.base(), fs.FileMode(s.Mode), []byte(s.Content), old)
	return st, err
}

// errSame reports that a file already has its content: an apply that was killed in the
// middle of the item has written it.
var errSame = errors.New("the file already has its content")

// keep checks that the existing file is the one in the plan, and copies it to kept/,
// named by its digest.
func (e *engine) keep(dir *atomicfile.Dir, p place, old atomicfile.FileID, s resources.WriteFile) (facts.SHA256, error) {
	if !old.Exists {
		if s.Replaces.IsZero() {
			return facts.SHA256{}, nil
		}
		return facts.SHA256{}, changedProblem(fmt.Sprintf("%s no longer exists", p.rel))
	}
	content, digest, err := readContent(dir, p, old)
	switch {
	case err != nil:
		return facts.SHA256{}, err
	case digest != s.Replaces && string(content) == s.Content && old.Mode.Perm() == fs.FileMode(s.Mode):
		return facts.SHA256{}, errSame
	case s.Replaces.IsZero():
		return facts.SHA256{}, changedProblem(fmt.Sprintf("%s exists now", p.rel))
	case digest != s.Replaces:
		return facts.SHA256{}, changedContent(p.rel, digest)
	case string(content) == s.Content: // only the mode changes
		return facts.SHA256{}, nil
	}
	return digest, e.keepContent(digest, content)
}

func changedContent(name string, digest facts.SHA256) error {
	return changedProblem(fmt.Sprintf("%s has other content now: sha256 %s", name, digest))
}

// readContent reads the file that was seen as old, which must be regular and small
// enough to keep.
func readContent(dir *atomicfile.Dir, p place, old atomicfile.FileID) ([]byte, facts.SHA256, error) {
	switch {
	case !old.Mode.IsRegular():
		return nil, facts.SHA256{}, changedProblem(fmt.Sprintf("%s is not a file", p.rel))
	case old.Size > MaxKept:
		return nil, facts.SHA256{}, changedProblem(fmt.Sprintf("%s has %d bytes now", p.rel, old.Size))
	}
	f, err := dir.Open(p.base())
	if err != nil {
		return nil, facts.SHA256{}, err
	}
	defer f.Close()
	content, err := rawfile.ReadOpen(f, p.rel, MaxKept)
	return content, sha256.Sum256(content), err
}

// keepContent writes content to kept/ unless it is there already.
func (e *engine) keepContent(digest facts.SHA256, content []byte) error {
	folder := e.own(layout.Kept(e.o.State))
	if err := makeDurably(folder.root, folder.rel, 0o700); err != nil {
		return err
	}
	name := path.Join(folder.rel, digest.String())
	info, err := e.store.Lstat(name)
	if err == nil && info.Mode().IsRegular() && info.Size() == int64(len(content)) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.Write(e.store, name, 0o600, content)
}
