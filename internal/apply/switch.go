package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// switchTo makes a sealed generation the visible one.
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
	before, err := p.root.Readlink(p.rel)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target := switchTarget(s)
	failpoint.Hit(failpoint.SwitchBefore)
	if err := atomicfile.Symlink(p.root, p.rel, target); err != nil {
		return err
	}
	failpoint.Hit(failpoint.SwitchRenamed)
	if err := syncDir(p.root, p.dir()); err != nil {
		return err
	}
	from := ""
	if before != "" {
		from = path.Base(before)
	}
	if before == target {
		return nil
	}
	err = t.record(func(j *state.Journal) error { return j.Switched(s.Environment, from, path.Base(target)) })
	failpoint.Hit(failpoint.SwitchAfter)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		// Going back to what works must not wait for room: only the way that it
		// went is forgotten.
		t.emit(Event{Kind: Note, Addr: t.item.Resource.Addr, Text: fmt.Sprintf("the disk is full: it is done, and could not be remembered (%v)", err)})
		return nil
	}
	return err
}

// checkSeal refuses a generation that was never finished, or was moved here.
func checkSeal(gen place) error {
	seal, err := pyenv.ReadSeal(gen.abs())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errors.New("it was never sealed")
	case err == nil && seal.Prefix != gen.abs():
		err = fmt.Errorf("it was built for %s", seal.Prefix)
	}
	if err == nil {
		return nil
	}
	return &diag.Problem{
		Code: "apply.unsealed", Summary: fmt.Sprintf("the generation %s is not one that can be used", gen.rel), Found: err.Error(),
		Hint: "run `reconcile apply` again; it builds a new one",
	}
}
