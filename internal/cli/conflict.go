package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// resolveConflicts decides each conflict of a plan that was shown, by asking or by
// --on-conflict, and returns the proposal that remains.
func (a *app) resolveConflicts(ctx context.Context, p proposal, o applyFlags) (proposal, error) {
	var conflicts []*planner.Item
	for i := range p.plan.Items {
		if p.plan.Items[i].Conflict {
			conflicts = append(conflicts, &p.plan.Items[i])
		}
	}
	switch {
	case len(conflicts) == 0, o.onConflict == conflictOverwrite, o.onConflict == "" && (o.yes || !a.interactive()):
		return p, nil // -y applies the plan; without both, askYes refuses
	case o.onConflict == conflictFail:
		return p, exit.With(exit.Blocked, conflictProblems(conflicts))
	}
	adopted := map[resources.Addr]bool{}
	p.selection.Skip = map[resources.Addr]string{}
	for i, it := range conflicts {
		answer := o.onConflict
		if answer == "" {
			var err error
			if answer, err = a.askConflict(p.machine, it, i+1, len(conflicts)); err != nil {
				return p, err
			}
		}
		switch addr := it.Resource.Addr; answer {
		case conflictAdopt:
			adopted[addr], p.selection.Skip[addr] = true, "adopted as it is; "+a.config().ManifestName()+" still asks for something else"
		case conflictSkip:
			p.selection.Skip[addr] = "skipped, since it was changed on this machine"
		}
	}
	if len(p.selection.Skip) == 0 {
		return p, nil
	}
	var err error
	if p.plan, err = p.machine.Plan(ctx, p.selection); err != nil {
		return p, err
	}
	for i := range p.machine.Resources {
		if r := &p.machine.Resources[i]; adopted[r.Addr] {
			p.plan.StateChanges.Entries = append(p.plan.StateChanges.Entries, p.machine.AdoptedEntry(r))
		}
	}
	return p, nil
}

// conflictProblems returns the problems of an apply that stops for conflicts.
func conflictProblems(conflicts []*planner.Item) error {
	var problems diag.List
	for _, it := range conflicts {
		problems.Add(&diag.Problem{
			Code: "conflict.changed", Addr: it.Resource.Addr.String(), Pos: it.Resource.Pos,
			Summary: fmt.Sprintf("%q was changed on this machine, and an apply would overwrite it; nothing was changed", it.Resource.Spec.Owns().Name),
			Hint:    "put your change into the manifest, or choose what to do: --on-conflict=overwrite, adopt or skip",
		})
	}
	return problems.Err()
}

const conflictHelp = `  diff       show how the file on this machine differs from what will be written
  overwrite  write the content of the manifest; the old content is kept in the store
  adopt      keep the file, and record it as yours: prune never removes it, and each plan
             shows it again until the manifest asks for its content
  skip       keep the file this time
  quit       change nothing at all
`

// askConflict asks what to do with one conflict. It returns overwrite, adopt or skip, or
// the error that ends the command.
func (a *app) askConflict(m *session.Machine, it *planner.Item, n, of int) (conflictPolicy, error) {
	answers := []string{"diff", string(conflictOverwrite), string(conflictAdopt), string(conflictSkip), "quit"} // the first letter is enough
	fmt.Fprintln(a.err)
	_ = writeLine(a.err, "Conflict %d of %d: %s (%s) was changed on this machine; the manifest asks for something else.",
		n, of, it.Resource.Addr, it.Resource.Spec.Owns().Name)
	for {
		word, err := a.ask("[d]iff, [o]verwrite, [a]dopt, [s]kip, [q]uit? ")
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err != nil {
			word = "quit" // the end of the input
			fmt.Fprintln(a.err)
		}
		switch answer := fullWord(word, answers); answer {
		case "diff":
			o := a.report(a.err)
			o.ReadText = m.ReadText()
			if err := report.WriteChange(a.err, it, o); err != nil {
				return "", err
			}
		case "quit":
			fmt.Fprintln(a.err, "Nothing was changed.")
			return "", exit.Quietly(exit.Error)
		case "":
			fmt.Fprint(a.err, conflictHelp)
		default:
			return conflictPolicy(answer), nil
		}
	}
}

// fullWord returns the word that equals an answer or begins with its only letter, ignoring
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

// reportRemaining prints what remains of a plan once conflicts were resolved.
func (a *app) reportRemaining(plan *planner.Plan) {
	if plan.Excluded == nil || plan.Excluded.Conflicts == 0 || a.json {
		return
	}
	for _, out := range plan.Excluded.Resources {
		_ = writeLine(a.err, "Excluded: %s: %s.", out.Addr, out.Why)
	}
	if n := plan.Totals().Changes(); n > 0 {
		verb := "remain"
		if n == 1 {
			verb = "remains"
		}
		_ = writeLine(a.err, "%s of the plan above %s.", plural.Count(n, "change"), verb)
	}
}
