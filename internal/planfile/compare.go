package planfile

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Elsewhere returns why a plan does not belong here at all, a line each: it is one of
// another machine, user, project or manifest. Nil says that it belongs here.
func (d *Document) Mismatch(m Machine, root, manifest string) []string {
	var why []string
	if d.Machine.Part != m.Part {
		why = append(why, fmt.Sprintf("it was made on %s (%s), and this is %s (%s)", d.Machine.Host, path.Base(d.Machine.Part), m.Host, path.Base(m.Part)))
	}
	if d.Machine.UID != m.UID {
		why = append(why, fmt.Sprintf("it was made by user %s, and this is user %s", d.Machine.who(), m.who()))
	}
	if root = strings.ToValidUTF8(root, "\uFFFD"); d.Root != root {
		why = append(why, fmt.Sprintf("it was made for the project at %s, and this is %s", d.Root, root))
	}
	if d.Manifest != manifest {
		why = append(why, fmt.Sprintf("it was made from %s, and this is %s", d.Manifest, manifest))
	}
	return why
}

func (m Machine) who() string {
	if m.User == "" {
		return fmt.Sprint(m.UID)
	}
	return fmt.Sprintf("%s (%d)", m.User, m.UID)
}

// Changed returns what of the inputs is not what it was, a line each. digest returns
// that of a file of today, or false if it cannot be read.
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

// Stale returns why a plan that was saved must not be carried out any more, a line
// each, given the same plan as it is made today. Nil says that all that today's plan
// does is part of the saved one. What of the saved one is no longer needed is no reason.
func (d *Document) Stale(now *Document) []string {
	var why []string
	if d.Program != now.Program {
		why = append(why, fmt.Sprintf("it was made by reconcile %s, and this is %s", d.Program, now.Program))
	}
	if d.Environment != now.Environment {
		why = append(why, fmt.Sprintf("it was made for environment %s, and this machine has %s now", orNone(d.Environment), orNone(now.Environment)))
	}
	why = append(why, d.inputs(now)...)
	why = append(why, d.memory(now)...)
	if len(why) > 0 {
		return why
	}
	why = append(why, d.items(now)...)
	return append(why, d.tools(now)...)
}

func orNone(s string) string { return cmp.Or(s, "none") }

// inputs compares what was read with what is read today.
func (d *Document) inputs(now *Document) []string {
	why := d.ChangedInputs(func(name string) (facts.SHA256, bool) {
		sum, ok := now.Inputs[name]
		return sum, ok
	})
	for _, name := range slices.Sorted(maps.Keys(now.Inputs)) {
		if _, was := d.Inputs[name]; !was {
			why = append(why, name+" is read, which it was not")
		}
	}
	return why
}

// memory compares the states. One that went on may be of another environment: then the
// items tell whether that matters.
func (d *Document) memory(now *Document) []string {
	switch {
	case d.State.Lineage != now.State.Lineage && d.State.Lineage == "":
		return []string{"assumed that nothing was applied here yet, and now there is a memory of an apply"}
	case d.State.Lineage != now.State.Lineage && now.State.Lineage == "":
		return []string{"the memory of earlier applies is gone"}
	case d.State.Lineage != now.State.Lineage:
		return []string{"the memory of earlier applies is another one"}
	case now.State.Serial < d.State.Serial:
		return []string{"the memory of earlier applies is an older one"}
	}
	return nil
}

// name tells items of a plan apart: an address can have a thing that leaves and
// another that comes.
type name struct {
	addr   resources.Addr
	orphan bool
}

// items compares what today's plan does with what the saved one did.
func (d *Document) items(now *Document) []string {
	saved := make(map[name]*Item, len(d.Items))
	for i := range d.Items {
		saved[name{d.Items[i].Addr, d.Items[i].Orphan}] = &d.Items[i]
	}
	var why []string
	for i := range now.Items {
		it := &now.Items[i]
		was := saved[name{it.Addr, it.Orphan}]
		if headline := differs(was, it); headline != "" {
			why = append(why, it.Addr.String()+": "+headline)
			why = append(why, d.because(now, it)...)
		}
	}
	return why
}

// differs says how an item of today is more than, or other than, the one that was
// saved; "" if it is not. was is nil where there was none.
func differs(was, now *Item) string {
	quiet := now.Action == resources.None && now.Problem == ""
	switch {
	case quiet, was != nil && was.Digest == now.Digest:
		return ""
	case now.Action == resources.Blocked:
		return "blocked now: " + now.Summary
	case now.Action == resources.None && was != nil && was.Problem == now.Problem:
		return "" // warns as it did, or less
	case now.Action == resources.None:
		return "warns now: " + now.Summary
	case was == nil || was.Action == resources.None:
		return fmt.Sprintf("nothing was to be done, and now it is to %s", verb(now.Action))
	case was.Action != now.Action:
		return fmt.Sprintf("was to %s, and now it is to %s", verb(was.Action), verb(now.Action))
	}
	return fmt.Sprintf("is still to %s, in another way than was shown", verb(now.Action))
}

func verb(a resources.Action) string {
	if a == resources.Defer {
		return "be decided during apply"
	}
	return string(a)
}

// mostFacts is how many facts are named for one item.
const mostFacts = 4

// because names the facts that an item reads and that are not what they were: its own
// first, then those that people can tell apart.
func (d *Document) because(now *Document, it *Item) []string {
	var plain, fine []string
	for i, k := range it.Reads {
		was, known := d.Facts[k]
		is := now.Facts[k]
		switch {
		case !known && i == 0:
			plain = append(plain, fmt.Sprintf("  %s is now %s", label(k), is.Text))
		case !known || was.SHA256 == is.SHA256:
		case was.Text == is.Text:
			fine = append(fine, "  "+assumed(k, was.Text, is.Text))
		case i > 0 && k.Kind == facts.KindDisk: // free space never stands still
			fine = append(fine, "  "+assumed(k, was.Text, is.Text))
		default:
			plain = append(plain, "  "+assumed(k, was.Text, is.Text))
		}
	}
	if len(plain) == 0 {
		plain = fine
	}
	if len(plain) == 0 {
		return []string{"  what is remembered of earlier applies has changed since"}
	}
	return plain[:min(len(plain), mostFacts)]
}

// tools compares the programs that today's plan runs. One that was not there is made by
// the plan: it may have come meanwhile, below .reconcile, where it is pinned.
func (d *Document) tools(now *Document) []string {
	var why []string
	for _, at := range slices.Sorted(maps.Keys(now.Tools)) {
		was, known := d.Tools[at]
		is := now.Tools[at]
		switch {
		case known && was == is:
		case known && was.Absent && strings.HasPrefix(at, d.Root+"/.reconcile/"):
		case !known:
			why = append(why, fmt.Sprintf("%s would be run, which the saved plan does not", at))
		default:
			why = append(why, fmt.Sprintf("assumed that the program %s is %s, now %s", at, was.describe(), is.describe()))
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
