package report

import (
	"cmp"
	"io"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
)

// State prints the recorded resources, one line each.
func State(w io.Writer, list []state.Entry, o Options) error {
	p := newPage(w, o)
	if len(list) == 0 {
		p.line(0, "Nothing is managed on this machine yet; `reconcile apply` starts to.")
		return p.close()
	}
	rows := [][]string{{"", "RESOURCE", "OWNERSHIP", "PLACE", "SINCE"}}
	for _, e := range list {
		star := ""
		if e.Protect {
			star = "*"
		}
		rows = append(rows, []string{star, e.Addr.String(), string(e.Ownership), cmp.Or(e.Left.Path, e.Key.Name), e.Time})
	}
	p.grid(rows)
	return p.close()
}

// StateEntry prints what the state records of one resource.
func StateEntry(w io.Writer, e state.Entry, o Options) error {
	p := newPage(w, o)
	rows := [][2]string{{"resource", e.Addr.String()}, {"manages", e.Key.String()}, {"ownership", ownershipText(e.Ownership)}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, [2]string{name, value})
		}
	}
	if e.Protect {
		add("protected", "yes: it is not pruned, even if it is removed from the manifest")
	}
	add("last action", string(e.Action))
	add("at", e.Time)
	add("left", leftText(e.Left))
	add("sha256", e.Left.SHA256.String())
	add("replaced", e.Kept.String())
	p.table(0, rows)
	return p.close()
}

func ownershipText(o state.Ownership) string {
	switch o {
	case state.Created:
		return "created: reconcile created it, and prune may remove it"
	case state.Adopted:
		return "adopted: it existed, and was changed or adopted; prune never removes it"
	case state.Observed:
		return "observed: it existed and agreed; prune never removes it"
	}
	return string(o)
}

// leftText describes what the last action left at the path.
func leftText(l state.Left) string {
	switch {
	case l.Path == "":
		return ""
	case l.Type == facts.Symlink:
		return l.Path + ", a link to " + l.Target
	case l.Type == facts.Dir && l.Target != "":
		return l.Path + ", with generation " + l.Target
	}
	return l.Path + ", a " + string(l.Type)
}
