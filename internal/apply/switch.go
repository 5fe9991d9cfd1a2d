package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// switchTo makes a sealed generation the active one, and records that durably unless the
// disk is full.
func (t *task) switchTo(s resources.Switch) error {
	gen, err := t.generation(s.Target)
	if err != nil {
		return err
	}
	if err := checkSeal(gen); err != nil {
		return err
	}
	p, err := t.place(s.Link)
	if err != nil {
		return err
	}
	old, err := p.root.Readlink(p.rel)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target := switchTarget(s)
	failpoint.Hit(failpoint.SwitchBefore)
	if err := replaceLink(p, target); err != nil {
		return err
	}
	if old == target {
		return nil
	}
	from := ""
	if old != "" {
		from = path.Base(old)
	}
	err = t.record(func(j *state.Journal) error { return j.Switched(s.Environment, from, path.Base(target)) })
	failpoint.Hit(failpoint.SwitchAfter)
	if isAny(err, unix.ENOSPC, unix.EDQUOT) {
		// A rollback must work on a full disk. Only the record of the switch is lost.
		t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Text: fmt.Sprintf("the disk is full: the switch is done, but not recorded (%v)", err)})
		return nil
	}
	return err
}

// replaceLink points the link at p to target, durably. If the disk is full, it uses the block of
// the .gitignore beside the link: ext4 stores the target of a link in a block if it has 60 bytes
// or more. The replaced link then frees its own.
func replaceLink(p place, target string) error {
	err := atomicfile.Symlink(p.root, p.rel, target)
	if isAny(err, unix.ENOSPC, unix.EDQUOT) {
		ignore := place{p.root, path.Join(p.dir(), ".gitignore")}
		text, readErr := rawfile.ReadRoot(ignore.root, ignore.rel, int64(len(layout.IgnoreAll)), rawfile.NoFollow)
		if readErr != nil || string(text) != layout.IgnoreAll { // of the user
			return err
		}
		if err := rewriteIgnore(ignore, ""); err != nil {
			return err
		}
		err = errors.Join(atomicfile.Symlink(p.root, p.rel, target), rewriteIgnore(ignore, layout.IgnoreAll))
	}
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.SwitchRenamed)
	return syncDir(p.root, p.dir())
}

// rewriteIgnore replaces the content of a .gitignore in place, and syncs it so that the file
// system frees the block that it no longer needs.
func rewriteIgnore(p place, content string) error {
	f, err := p.root.OpenFile(p.rel, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// checkSeal returns an error for a generation that is incomplete or was moved here.
func checkSeal(gen place) error {
	seal, err := pyenv.ReadSeal(gen.abs())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errors.New("it has no seal")
	case err == nil && seal.Prefix != gen.abs():
		err = fmt.Errorf("it was built for %s", seal.Prefix)
	}
	if err == nil {
		return nil
	}
	return &diag.Problem{
		Code: "apply.unsealed", Summary: fmt.Sprintf("generation %s cannot be used", gen.rel), Found: err.Error(),
		Hint: "run `reconcile apply` again; it builds a new one",
	}
}
