// Package explain explains changes of resources, and codes of problems.
package explain

import (
	"bufio"
	"crypto/sha256"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Reason returns why a plan of m changes a resource, or does not; false for an unknown
// address.
func Reason(m *session.Machine, plan *planner.Plan, addr resources.Addr) (report.Reason, bool) {
	asked := m.Resource(addr)
	item := itemOf(plan, addr)
	resource := asked
	if item != nil {
		resource = item.Resource // one that moved, or left the manifest, has a body of its own
	}
	if resource == nil {
		return report.Reason{}, false
	}
	r := report.Reason{Addr: addr, Manages: resource.Spec.Owns(), Pos: resource.Pos, Line: line(m, resource.Pos)}
	for _, k := range resource.Spec.Reads() {
		r.Facts = append(r.Facts, seen(m.Facts, k))
	}
	if e, known := m.Entry(addr); known {
		r.Recorded = &e
	}
	if item != nil {
		r.Drift, r.Pending, r.Conflict, r.Change = item.Drift, item.Pending, item.Conflict, item.Change
	}
	r.DependsOn, r.NeededBy = planner.Relations(m.Resources, addr)
	r.Verdict = verdict(item, r)
	r.Unaffected = stays(m, r)
	return r, true
}

// itemOf returns the item of a resource in a plan, nil for none. An address whose path
// changed has two items; the one that is no orphan is returned.
func itemOf(plan *planner.Plan, addr resources.Addr) *planner.Item {
	var found *planner.Item
	for i := range plan.Items {
		if it := &plan.Items[i]; it.Resource.Addr == addr && (found == nil || !it.Orphan) {
			found = it
		}
	}
	return found
}

// seen returns one fact in words.
func seen(f *facts.Facts, k facts.Key) report.ReasonFact {
	fact, reason, ok := f.Lookup(k)
	if !ok {
		return report.ReasonFact{Key: k, Text: reason}
	}
	return report.ReasonFact{Key: k, Text: report.FactText(fact), Known: true}
}

// verdict returns the decision of the plan and its reason, in one sentence.
func verdict(it *planner.Item, r report.Reason) string {
	if it == nil {
		return "nothing is changed: this machine agrees with the manifest."
	}
	if it.Check {
		switch {
		case it.Change.Action == resources.Blocked:
			return "this check fails, so nothing is changed on this machine until it passes."
		case it.Change.Problem != nil:
			return "this check warns; all other changes go on."
		}
		return "this check passes" + in(it.Change.Summary) + "."
	}
	known := r.Recorded != nil
	switch it.Change.Action {
	case resources.Blocked:
		return "the change is blocked by the problem below."
	case resources.Defer:
		return it.Change.Summary + "."
	case resources.Delete:
		return "it is removed: the manifest no longer asks for it, reconcile created it, and it is unchanged since."
	case resources.None:
		return "nothing is changed, because of the problem below."
	case resources.Create:
		if known && it.Drift {
			return "it is created again: it existed after the last apply, and is missing."
		}
		return "it is created: the manifest asks for it, and it does not exist."
	}
	switch {
	case !known && it.From.Kind != "":
		return "it moves here: it was " + it.From.String() + " before."
	case !known:
		return "it is changed: it existed before reconcile, and differs from the manifest."
	case it.Conflict && !it.Drift:
		return "it would be changed: it was adopted as it is, and the manifest asks for something else."
	case it.Drift && it.Pending:
		return "it is changed: it was changed on this machine, and the manifest asks for something else too."
	case it.Drift:
		return "it is changed back: it was changed on this machine since the last apply, and the manifest was not."
	}
	return "it is changed: the manifest was changed since the last apply."
}

// in returns a phrase that follows a sentence.
func in(summary string) string {
	if summary == "" {
		return ""
	}
	return ": " + summary
}

// stays lists the things that the steps of a change keep.
func stays(m *session.Machine, r report.Reason) []string {
	var stays []string
	for _, s := range r.Change.Steps {
		text := ""
		switch s := s.(type) {
		case resources.WriteFile:
			if s.Replaces.IsZero() || s.Replaces == sha256.Sum256([]byte(s.Content)) {
				break
			}
			text = "the content that " + s.Path + " has now, below " + layout.Kept(m.Prior.StateDir) + "; `reconcile undo` restores it"
		case resources.Remove:
			if r.Change.Action == resources.Delete && s.Type == facts.Regular {
				text = "the content of " + s.Path + ", below " + layout.Kept(m.Prior.StateDir)
			}
		case resources.SetMode:
			text = "the content of " + s.Path
		case resources.Switch:
			if e, ok := facts.Find[facts.Environment](m.Facts, r.Manages); ok && e.Current != "" {
				text = "generation " + e.Current + ": running jobs keep it, and `reconcile rollback` activates it again"
			}
		}
		if text != "" && !slices.Contains(stays, text) {
			stays = append(stays, text)
		}
	}
	return stays
}

// line returns a line of the manifest without its indentation, "" if it cannot be read.
func line(m *session.Machine, pos diag.Pos) string {
	if !pos.IsValid() {
		return ""
	}
	root, err := os.OpenRoot(m.Root)
	if err != nil {
		return ""
	}
	defer root.Close()
	f, err := rawfile.OpenRoot(root, path.Clean(pos.File), 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if n == pos.Line {
			return strings.TrimSpace(lines.Text())
		}
	}
	return ""
}
