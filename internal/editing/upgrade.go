package editing

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Upgrade returns a Draft that moves packages to the newest versions that can be installed
// together: pins in the manifest, and locked versions within the other requests. Without
// names it moves all packages. No version becomes lower than its pin.
func (e *Environment) Upgrade(names []string) (*Draft, error) {
	if err := e.checkLock("upgrade", names); err != nil {
		return nil, err
	}
	d := e.draft()
	d.Everything = len(names) == 0
	if d.Everything {
		for i := range e.Packages {
			d.release(i)
		}
	}
	var problems diag.List
	for _, name := range names {
		at := e.find(name)
		if r, ok := e.declaredIn(name); ok && r.Pin() != "" {
			problems.Add(e.fromFile(r))
			continue
		}
		if len(at) == 0 && !e.isLocked(name) {
			problems.Add(e.absent(name))
			continue
		}
		d.Upgrade = append(d.Upgrade, pep.Normalize(name))
		for _, i := range at {
			d.release(i)
		}
	}
	d.update()
	return d, problems.Err()
}

// release lets a pin move to a higher version.
func (d *Draft) release(i int) {
	request := d.of.Packages[i]
	if pin := request.Pin(); pin != "" && request.URL == "" {
		public, _, _ := strings.Cut(pin, "+")
		request.Specifier = ">=" + public
		d.ops = append(d.ops, op{at: i, request: request, pin: true})
	}
}

func (e *Environment) isLocked(name string) bool {
	if e.locked == nil {
		return false
	}
	for _, p := range e.locked.Packages {
		if p.Name == pep.Normalize(name) {
			return true
		}
	}
	return false
}

// NoteReasons adds a note for each pin that moves although the manifest gives a reason for
// its version.
func (d *Draft) NoteReasons() {
	for _, c := range d.Changes {
		if c.Before != "" && c.After != "" && c.Why != "" {
			d.Notes = append(d.Notes, fmt.Sprintf("check the reason for the previous version of %s (%s): %s", c.Name, c.Pos, c.Why))
		}
	}
}

// MajorChanges returns the packages whose first number changes, such as "numpy 1.26.4 ->
// 2.1.0".
func MajorChanges(changes []resources.PackageChange) (list []string) {
	for _, c := range changes {
		before, _, _ := strings.Cut(c.Actual, ".")
		after, _, _ := strings.Cut(c.Desired, ".")
		if !c.Conda && before != "" && after != "" && before != after {
			list = append(list, fmt.Sprintf("%s %s -> %s", c.Name, c.Actual, c.Desired))
		}
	}
	return list
}
