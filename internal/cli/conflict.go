package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// What can be done about a conflict: a file that was changed on this machine since
// reconcile wrote it, and that an apply would overwrite.
const (
	conflictFail      = "fail"      // change nothing at all
	conflictOverwrite = "overwrite" // as the plan says; the old content is kept
	conflictAdopt     = "adopt"     // leave it, and remember it as it stands
	conflictSkip      = "skip"      // leave it
)

var conflictPolicies = []string{conflictFail, conflictOverwrite, conflictAdopt, conflictSkip}

// A policyFlag is a flag that takes one of conflictPolicies.
type policyFlag string

// String, Set and Type are for pflag.
func (f *policyFlag) String() string { return string(*f) }

// Set takes one of conflictPolicies.
func (f *policyFlag) Set(word string) error {
	if !slices.Contains(conflictPolicies, word) {
		return fmt.Errorf("take one of %s", strings.Join(conflictPolicies, ", "))
	}
	*f = policyFlag(word)
	return nil
}

// Type names what the flag takes.
func (f *policyFlag) Type() string { return "string" }

// settleConflicts decides what becomes of the conflicts of a plan that was shown, and
// returns the plan that is left of it: a person is asked for each, a script says it once.
func (a *app) settleConflicts(ctx context.Context, m *machine, plan *planner.Plan, o applyFlags) (*planner.Plan, error) {
	var conflicts []*planner.Item
	for i := range plan.Items {
		if plan.Items[i].Conflict {
			conflicts = append(conflicts, &plan.Items[i])
		}
	}
	policy := string(o.onConflict)
	switch {
	case len(conflicts) == 0, policy == conflictOverwrite, policy == "" && (o.yes || !a.interactive()):
		return plan, nil // -y does what the plan shows; without both, consent refuses
	case policy == conflictFail:
		return nil, &exitCode{exitBlocked, inConflict(conflicts)}
	}
	adopted := map[resources.Addr]bool{}
	leave := map[resources.Addr]string{}
	for i, it := range conflicts {
		answer := policy
		if policy == "" {
			var err error
			if answer, err = a.askConflict(m, it, i+1, len(conflicts)); err != nil {
				return nil, err
			}
		}
		switch addr := it.Resource.Addr; answer {
		case conflictAdopt:
			adopted[addr], leave[addr] = true, "adopted as it stands; "+a.manifestName()+" still asks for something else"
		case conflictSkip:
			leave[addr] = "skipped, since it was changed on this machine"
		}
	}
	if len(leave) == 0 {
		return plan, nil
	}
	return m.without(ctx, leave, adopted)
}

// manifestName is what the manifest is called in messages.
func (a *app) manifestName() string {
	if a.manifest != "" {
		return a.manifest
	}
	return defaultManifest
}

// without plans again, without the resources that are left as they stand. Those that are
// adopted are remembered so.
func (m *machine) without(ctx context.Context, leave map[resources.Addr]string, adopted map[resources.Addr]bool) (*planner.Plan, error) {
	m.before.Selection.Skip = leave
	plan, err := m.plan(ctx)
	if err != nil {
		return nil, err
	}
	for i := range m.resources {
		if r := &m.resources[i]; adopted[r.Addr] {
			plan.StateChanges.Entries = append(plan.StateChanges.Entries, asItStands(r, m.facts))
		}
	}
	return plan, nil
}

// asItStands is what is remembered of a thing that is taken over although the manifest
// asks for something else: it is not what was left by us any more, so prune never removes
// it, and what is asked for was never done.
func asItStands(r *resources.Resource, f *facts.Facts) state.Entry {
	return state.Entry{
		Addr: r.Addr, Key: r.Spec.Owns(), Ownership: state.Adopted, Left: resources.LeftAt(f, r.Spec.Owns()), Protect: r.Protect,
	}
}

// inConflict says that an apply stops for conflicts.
func inConflict(conflicts []*planner.Item) error {
	var problems diag.List
	for _, it := range conflicts {
		problems.Add(&diag.Problem{
			Code: "conflict.changed", Addr: it.Resource.Addr.String(), Pos: it.Resource.Pos,
			Summary: fmt.Sprintf("%q was changed on this machine, and an apply would overwrite it; nothing was changed", it.Resource.Spec.Owns().Name),
			Hint:    "put your change into the manifest, or say what is to be done: --on-conflict=overwrite, adopt or skip",
		})
	}
	return problems.Err()
}

// conflictWords are the answers to a conflict: the first letter is enough.
var conflictWords = []string{"diff", conflictOverwrite, conflictAdopt, conflictSkip, "quit"}

const conflictHelp = `  diff       show how the file on this machine differs from what will be written
  overwrite  write what the manifest asks for; the old content is kept below .reconcile
  adopt      leave the file, and remember it as yours: prune never removes it, and until
             the manifest asks for what stands there each plan shows it again
  skip       leave the file this time
  quit       change nothing at all
`

// askConflict asks what is to become of one conflict. It returns overwrite, adopt or
// skip, or how the command ends.
func (a *app) askConflict(m *machine, it *planner.Item, n, of int) (string, error) {
	fmt.Fprintln(a.err)
	_ = say(a.err, "Conflict %d of %d: %s (%s) was changed on this machine; the manifest asks for something else.",
		n, of, it.Resource.Addr, it.Resource.Spec.Owns().Name)
	for {
		word, err := a.ask("[d]iff, [o]verwrite, [a]dopt, [s]kip, [q]uit? ")
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err != nil {
			word = "quit" // nobody answers any more
			fmt.Fprintln(a.err)
		}
		switch answer := fullWord(word, conflictWords); answer {
		case "diff":
			o := a.report(a.err)
			o.ReadText = func(path string) (string, error) { return m.prober.ReadText(path, 1<<20) }
			if err := report.WriteChange(a.err, it, o); err != nil {
				return "", err
			}
		case "quit":
			fmt.Fprintln(a.err, "Nothing was changed.")
			return "", exit(exitError)
		case "":
			fmt.Fprint(a.err, conflictHelp)
		default:
			return answer, nil
		}
	}
}

// fullWord returns the word that an answer is, or is the first letter of, whatever its
// case; "" for none.
func fullWord(answer string, words []string) string {
	answer = strings.ToLower(answer)
	for _, word := range words {
		if answer == word || answer == word[:1] {
			return word
		}
	}
	return ""
}

// tellLeft says what is left of a plan once conflicts were settled.
func (a *app) tellLeft(plan *planner.Plan) {
	if plan.Excluded == nil || plan.Excluded.Conflicts == 0 || a.json {
		return
	}
	for _, out := range plan.Excluded.Resources {
		_ = say(a.err, "Left out: %s: %s.", out.Addr, out.Why)
	}
	if n := plan.Totals().Changes(); n > 0 {
		verb := "remain"
		if n == 1 {
			verb = "remains"
		}
		_ = say(a.err, "%s of the plan above %s.", plural.Count(n, "change"), verb)
	}
}
