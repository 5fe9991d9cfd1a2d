package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/all"
)

// isAddress reports whether a word can name a resource, and is no code of a problem.
func isAddress(word string) bool {
	kind, name, ok := strings.Cut(word, ".")
	_, known := all.Find(kind)
	_, code := codes()[word]
	return ok && name != "" && known && !code
}

// explainAddress prints why a resource changes, or does not. A line of doctor can look
// like an address: disk.storage is both, and the resource is meant where there is one.
func (a *app) explainAddress(ctx context.Context, word string) error {
	_, finding := findingNamed(word)
	m, err := a.survey(ctx)
	switch {
	case err != nil && (finding || nearestCode(word) != ""): // outside of a project only codes can be meant
		return a.explain(word)
	case err != nil:
		return err
	}
	plan, err := m.plan(ctx)
	if err != nil {
		return err
	}
	r, ok := m.reason(plan, word)
	switch {
	case !ok && finding:
		return a.explain(word)
	case !ok:
		return m.unknownAddress(plan, word)
	}
	if a.json {
		return report.WhyJSON(a.out, r)
	}
	o := a.report(a.out)
	o.ReadText = func(path string) (string, error) { return m.prober.ReadText(path, 1<<20) }
	return report.Why(a.out, r, o)
}

// reason puts together why a resource changes; false where there is no such resource.
func (m *machine) reason(plan *planner.Plan, word string) (report.Reason, bool) {
	var addr resources.Addr
	if addr.UnmarshalText([]byte(word)) != nil {
		return report.Reason{}, false
	}
	asked := m.resource(addr)
	item := itemOf(plan, addr)
	resource := asked
	if item != nil {
		resource = item.Resource // one that moved, or left the manifest, has a body of its own
	}
	if resource == nil {
		return report.Reason{}, false
	}
	r := report.Reason{Addr: addr, Manages: resource.Spec.Owns(), Pos: resource.Pos, Line: m.line(resource.Pos)}
	for _, k := range resource.Spec.Reads() {
		r.Facts = append(r.Facts, seen(m.facts, k))
	}
	if e, known := m.entry(addr); known {
		r.Recorded = &e
	}
	if item != nil {
		r.Drift, r.Pending, r.Conflict, r.Change = item.Drift, item.Pending, item.Conflict, item.Change
	}
	r.DependsOn, r.NeededBy = planner.Relations(m.resources, addr)
	r.Verdict = verdict(item, r)
	r.Unaffected = m.stays(r)
	return r, true
}

// itemOf returns what a plan does with a resource, nil for nothing. An address whose
// place changed has two items: the one of today counts.
func itemOf(plan *planner.Plan, addr resources.Addr) *planner.Item {
	var found *planner.Item
	for i := range plan.Items {
		if it := &plan.Items[i]; it.Resource.Addr == addr && (found == nil || !it.Orphan) {
			found = it
		}
	}
	return found
}

// seen is one fact in words.
func seen(f *facts.Facts, k facts.Key) report.ReasonFact {
	fact, reason, ok := f.Lookup(k)
	if !ok {
		return report.ReasonFact{Key: k, Text: reason}
	}
	return report.ReasonFact{Key: k, Text: report.FactText(fact), Known: true}
}

// verdict says in one sentence what is to be done, and why.
func verdict(it *planner.Item, r report.Reason) string {
	if it == nil {
		return "nothing is to be done: what is on this machine is what the manifest asks for."
	}
	if it.Check {
		switch {
		case it.Change.Action == resources.Blocked:
			return "this check fails, so nothing is changed on this machine until it holds."
		case it.Change.Problem != nil:
			return "this check warns; everything else goes on."
		}
		return "this check holds" + in(it.Change.Summary) + "."
	}
	known := r.Recorded != nil
	switch it.Change.Action {
	case resources.Blocked:
		return "it cannot be done as things are; the problem below says why."
	case resources.Defer:
		return it.Change.Summary + "."
	case resources.Delete:
		return "it goes: the manifest no longer asks for it, reconcile made it, and it is as it was left."
	case resources.None:
		return "nothing is done: the problem below says why."
	case resources.Create:
		if known && it.Drift {
			return "it is made again: it was there after the last apply, and is gone."
		}
		return "it is made: the manifest asks for it, and it is not there."
	}
	switch {
	case !known && it.From.Kind != "":
		return "it moves here: it was " + it.From.String() + " before."
	case !known:
		return "it is changed: it was there before reconcile, and is not what the manifest asks for."
	case it.Conflict && !it.Drift:
		return "it would be changed: it was adopted as it stands, and the manifest asks for something else."
	case it.Drift && it.Pending:
		return "it is changed: somebody changed it on this machine, and the manifest asks for something else too."
	case it.Drift:
		return "it is changed back: the manifest asks for what it did, and this machine is not as the last apply left it."
	}
	return "it is changed: the manifest asks for something else than it did at the last apply."
}

// in puts a phrase behind a sentence.
func in(summary string) string {
	if summary == "" {
		return ""
	}
	return ": " + summary
}

// stays names what the steps of a change keep or do not touch.
func (m *machine) stays(r report.Reason) []string {
	var stays []string
	for _, s := range r.Change.Steps {
		text := ""
		switch s := s.(type) {
		case resources.WriteFile:
			if s.Replaces.IsZero() || s.Replaces == sha256.Sum256([]byte(s.Content)) {
				break
			}
			text = "the content that " + s.Path + " has now, below " + layout.Kept(m.before.StateDir) + "; `reconcile undo` brings it back"
		case resources.Remove:
			if r.Change.Action == resources.Delete && s.Type == facts.Regular {
				text = "the content of " + s.Path + ", below " + layout.Kept(m.before.StateDir)
			}
		case resources.SetMode:
			text = "the content of " + s.Path
		case resources.Switch:
			if e, ok := facts.Find[facts.Environment](m.facts, r.Manages); ok && e.Current != "" {
				text = "generation " + e.Current + ": running jobs go on with it, and `reconcile rollback` shows it again"
			}
		}
		if text != "" && !slices.Contains(stays, text) {
			stays = append(stays, text)
		}
	}
	return stays
}

// line returns a line of the manifest without its indentation, "" where it cannot be
// read.
func (m *machine) line(pos diag.Pos) string {
	if !pos.IsValid() {
		return ""
	}
	root, err := os.OpenRoot(m.root)
	if err != nil {
		return ""
	}
	defer root.Close()
	f, err := root.Open(path.Clean(pos.File))
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

// nearestCode returns the code that a word may have been meant to be, "" for none.
func nearestCode(word string) string {
	var words []string
	for code := range codes() {
		words = append(words, code)
	}
	slices.Sort(words)
	return nearest.Word(word, words)
}

// unknownAddress says that there is no such resource, and what may be meant.
func (m *machine) unknownAddress(plan *planner.Plan, word string) error {
	var words []string
	for i := range m.resources {
		words = append(words, m.resources[i].Addr.String())
	}
	for i := range plan.Items {
		words = append(words, plan.Items[i].Resource.Addr.String())
	}
	for code := range codes() {
		words = append(words, code)
	}
	slices.Sort(words)
	if near := nearest.Word(word, words); near != "" {
		return usage("%q is neither the address of a resource here nor the code of a problem; did you mean %s?", word, near)
	}
	return usage("%q is neither the address of a resource here nor the code of a problem; `reconcile status` lists the addresses, `reconcile explain` the codes", word)
}
