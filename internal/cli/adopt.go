package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) adoptCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "adopt ADDR...",
		Short: "take over what is there already; changes the memory alone",
		Long: long(`
Remembers that what stands there belongs to the resource of the manifest from now on. What
agrees stays as it is. What differs is shown by each plan, pending and as a conflict: apply asks before
it is overwritten, and keeps the old content of a file. What was adopted is never pruned. An
environment that reconcile did not make, and a thing of another type, cannot be adopted.`,
			changes, exitDone, exitError, exitLocked),
		Example: "  reconcile adopt directory.data_raw file.notes.txt",
		Args:    words(1, 0, "addresses of resources of the manifest"),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := addresses(args)
			if err != nil {
				return err
			}
			m, err := a.survey(cmd.Context())
			if err != nil {
				return err
			}
			return a.adopt(cmd.Context(), m, addrs, o)
		},
	}
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait so long for another run to end")
	return cmd
}

// An adoption is what became of one resource, as adopt prints it as JSON.
type adoption struct {
	Addr    resources.Addr `json:"addr"`
	Agrees  bool           `json:"agrees"`  // with the manifest; else the next apply changes it
	Changed bool           `json:"changed"` // it was not ours before
}

// adopt writes entries for what stands there.
func (a *app) adopt(ctx context.Context, m *machine, addrs []resources.Addr, o applyFlags) error {
	plan, err := m.plan(ctx)
	if err != nil {
		return err
	}
	var problems diag.List
	var entries []state.Entry
	list := []adoption{}
	for _, addr := range addrs {
		e, agrees, p := m.adoptable(plan, addr)
		if p != nil {
			problems.Add(p)
			continue
		}
		was, known := m.entry(addr)
		owned := known && was.Ownership != state.Observed && !changedSince(was, e)
		if !owned {
			entries = append(entries, e)
		}
		list = append(list, adoption{addr, agrees, !owned})
	}
	if err := problems.Err(); err != nil {
		return err
	}
	if len(entries) > 0 {
		w, err := a.work(ctx, m.project, o)
		if err != nil {
			return err
		}
		defer w.close()
		if err := w.journal.Done(entries...); err != nil {
			return err
		}
	}
	if a.json {
		return report.JSON(a.out, map[string]any{"version": 1, "adopted": list})
	}
	for _, one := range list {
		text := "%s is adopted; it agrees with the manifest."
		switch {
		case !one.Changed:
			text = "%s is managed already."
		case !one.Agrees:
			text = "%s is adopted as it stands; `reconcile plan` shows what the next apply changes."
		}
		if err := say(a.out, text, one.Addr); err != nil {
			return err
		}
	}
	return nil
}

// changedSince reports whether a file or link is not as it was left.
func changedSince(was, now state.Entry) bool {
	return now.Key.Kind == facts.KindPath && was.Left != now.Left
}

// entry returns what is remembered of a resource.
func (m *machine) entry(addr resources.Addr) (state.Entry, bool) {
	if m.before.State == nil {
		return state.Entry{}, false
	}
	return m.before.State.Entry(addr)
}

// adoptable returns the entry for what stands at a resource, and whether that agrees
// with the manifest, or why it cannot be adopted.
func (m *machine) adoptable(plan *planner.Plan, addr resources.Addr) (e state.Entry, agrees bool, p *diag.Problem) {
	r := m.resource(addr)
	if r == nil {
		return e, false, unadoptable(addr, "adopt.unknown", fmt.Sprintf("the manifest does not ask for %s on this machine", addr), "`reconcile status` lists what it asks for")
	}
	if _, check := r.Spec.(resources.Requirement); check {
		return e, false, unadoptable(addr, "adopt.check", fmt.Sprintf("%s is a check, and manages nothing", addr), "adopt a directory, file, link or environment")
	}
	action := resources.None
	for i := range plan.Items {
		if it := &plan.Items[i]; it.Resource.Addr == addr && !it.Orphan {
			if action = it.Change.Action; it.Change.Problem != nil && action == resources.Blocked {
				return e, false, it.Change.Problem
			}
		}
	}
	left := resources.LeftAt(m.facts, r.Spec.Owns())
	if left == (resources.Left{}) {
		return e, false, unadoptable(addr, "adopt.absent", fmt.Sprintf("nothing stands at %s", r.Spec.Owns().Name), "`reconcile apply` makes it; there is nothing to adopt")
	}
	e = asItStands(r, m.facts)
	if action == resources.None {
		e.Spec = resources.Digest(r.Spec) // else what is asked for was never done, and is pending
	}
	return e, action == resources.None, nil
}

// unadoptable says why a resource cannot be adopted.
func unadoptable(addr resources.Addr, code, summary, hint string) *diag.Problem {
	return &diag.Problem{Code: code, Addr: addr.String(), Summary: summary, Hint: hint}
}

// resource returns what the manifest asks for by an address, nil for nothing.
func (m *machine) resource(addr resources.Addr) *resources.Resource {
	for i := range m.resources {
		if m.resources[i].Addr == addr {
			return &m.resources[i]
		}
	}
	return nil
}
