package planfile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Mismatch returns why a plan cannot be applied here at all, one reason per line: it was
// made on another machine, by another user, or for another project or manifest. Nil means
// that it can.
func (d *Document) Mismatch(m Machine, root, manifest string) []string {
	var why []string
	if d.Machine.Host != m.Host {
		why = append(why, fmt.Sprintf("it was made on %s, but this is %s", d.Machine.Host, m.Host))
	}
	if d.Machine.Part != m.Part {
		why = append(why, fmt.Sprintf("it was made with the state in %s, but this is %s", d.Machine.Part, m.Part))
	}
	if d.Machine.UID != m.UID {
		why = append(why, fmt.Sprintf("it was made by user %s, but this is user %s", d.Machine.userName(), m.userName()))
	}
	if root = strings.ToValidUTF8(root, "\uFFFD"); d.Root != root {
		why = append(why, fmt.Sprintf("it was made for the project at %s, but this is %s", d.Root, root))
	}
	if d.Manifest != manifest {
		why = append(why, fmt.Sprintf("it was made from %s, but this is %s", d.Manifest, manifest))
	}
	return why
}

func (m Machine) userName() string {
	if m.User == "" {
		return fmt.Sprint(m.UID)
	}
	return fmt.Sprintf("%s (%d)", m.User, m.UID)
}

// ChangedInputs returns which inputs changed, one per line. digest returns the current
// digest of a file, or false if it cannot be read.
func (d *Document) ChangedInputs(digest func(name string) (facts.SHA256, bool)) []string {
	var why []string
	for _, name := range slices.Sorted(maps.Keys(d.Inputs)) {
		switch sum, ok := digest(name); {
		case !ok:
			why = append(why, name+" can no longer be read")
		case sum != d.Inputs[name]:
			why = append(why, name+" has changed since")
		}
	}
	return why
}

// Stale returns why a saved plan must not be applied, one reason per line, compared with the
// same plan made now. Nil means that everything that the plan does now is in the saved one.
// A change that is no longer needed is no reason.
func (d *Document) Stale(now *Document) []string {
	var why []string
	if d.Program != now.Program {
		why = append(why, fmt.Sprintf("it was made by reconcile %s, but this is %s", d.Program, now.Program))
	}
	if saved, is := d.EnvironmentText(), now.EnvironmentText(); saved != is {
		why = append(why, fmt.Sprintf("it was made for %s, but this machine has %s now", saved, is))
	}
	why = append(why, d.ChangedInputs(func(name string) (facts.SHA256, bool) {
		sum, ok := now.Inputs[name]
		return sum, ok
	})...)
	for _, name := range slices.Sorted(maps.Keys(now.Inputs)) {
		if _, known := d.Inputs[name]; !known {
			why = append(why, name+" is an input now, and was not")
		}
	}
	why = append(why, d.compareState(now)...)
	if len(why) > 0 {
		return why
	}
	return append(d.compareItems(now), d.compareTools(now)...)
}

// EnvironmentText returns "environment train", "environments train, eval" or "no environment".
func (d *Document) EnvironmentText() string {
	switch {
	case len(d.Environments) > 0:
		return "environments " + strings.Join(d.Environments, ", ")
	case d.Environment != "":
		return "environment " + d.Environment
	}
	return "no environment"
}

// compareState compares the states. A newer serial may be of another environment; the items
// decide whether it matters.
func (d *Document) compareState(now *Document) []string {
	switch {
	case d.State.Lineage != now.State.Lineage && d.State.Lineage == "":
		return []string{"assumed that nothing was applied here, but there is a state now"}
	case d.State.Lineage != now.State.Lineage && now.State.Lineage == "":
		return []string{"the state of earlier applies is gone"}
	case d.State.Lineage != now.State.Lineage:
		return []string{"the state of earlier applies has another lineage"}
	case now.State.Serial < d.State.Serial:
		return []string{"the state of earlier applies is an older one"}
	}
	return nil
}

// compareItems compares the items. An address can have two: an orphan and a resource.
func (d *Document) compareItems(now *Document) []string {
	type name struct {
		addr   resources.Addr
		orphan bool
	}
	saved := make(map[name]*Item, len(d.Items))
	for i := range d.Items {
		saved[name{d.Items[i].Addr, d.Items[i].Orphan}] = &d.Items[i]
	}
	var why []string
	for i := range now.Items {
		it := &now.Items[i]
		if headline := compareItem(saved[name{it.Addr, it.Orphan}], it); headline != "" {
			why = append(why, it.Addr.String()+": "+headline)
			why = append(why, d.changedFacts(now, it)...)
		}
	}
	return why
}

// compareItem returns how an item is not covered by the saved one, "" if it is. saved is nil
// if there was none.
func compareItem(saved, now *Item) string {
	idle := now.Action == resources.None && now.Problem == ""
	switch {
	case idle, saved != nil && saved.Digest == now.Digest:
		return ""
	case now.Action == resources.Blocked:
		return "blocked now: " + now.Summary
	case now.Action == resources.None && saved != nil && saved.Problem == now.Problem:
		return "" // the same warning, or a lesser one
	case now.Action == resources.None:
		return "warns now: " + now.Summary
	case saved == nil || saved.Action == resources.None:
		return fmt.Sprintf("no change was planned, now: %s", now.Action)
	case saved.Action != now.Action:
		return fmt.Sprintf("planned: %s, now: %s", saved.Action, now.Action)
	}
	return fmt.Sprintf("planned and now: %s, but with other steps or differences", now.Action)
}

// maxFacts is the number of facts that are listed for one item.
const maxFacts = 4

// changedFacts lists the changed facts that an item reads: its own first, then those whose
// descriptions differ.
func (d *Document) changedFacts(now *Document, it *Item) []string {
	var described, subtle []string
	for i, k := range it.Reads {
		saved, known := d.Facts[k]
		is := now.Facts[k]
		switch {
		case !known && i == 0:
			described = append(described, fmt.Sprintf("  %s is now %s", label(k), is.Text))
		case !known || saved.SHA256 == is.SHA256:
		case saved.Text == is.Text, i > 0 && k.Kind == facts.KindDisk: // free space always changes
			subtle = append(subtle, "  "+assumed(k, saved.Text, is.Text))
		default:
			described = append(described, "  "+assumed(k, saved.Text, is.Text))
		}
	}
	if len(described) == 0 {
		described = subtle
	}
	if len(described) == 0 {
		return []string{"  the state of earlier applies has changed since"}
	}
	return described[:min(len(described), maxFacts)]
}

// compareTools compares the programs that the plan runs. A program in the store that was
// absent may have been installed since, because it is pinned.
func (d *Document) compareTools(now *Document) []string {
	var why []string
	for _, at := range slices.Sorted(maps.Keys(now.Tools)) {
		saved, known := d.Tools[at]
		is := now.Tools[at]
		switch {
		case known && saved == is:
		case known && saved.Absent && strings.HasPrefix(at, layout.Tools(path.Dir(path.Dir(d.Machine.Part)), "")+"/"):
		case !known:
			why = append(why, fmt.Sprintf("it would run %s, which the saved plan does not", at))
		default:
			why = append(why, fmt.Sprintf("assumed that the program %s is %s, now %s", at, saved.describe(), is.describe()))
		}
	}
	return why
}

func (t Tool) describe() string {
	if t.Absent {
		return "absent"
	}
	text := "unknown"
	if !t.SHA256.IsZero() {
		text = "sha256 " + t.SHA256.String()[:digits]
	}
	if t.Version != "" {
		text = t.Version + ", " + text
	}
	return text
}
