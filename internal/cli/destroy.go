package cli

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) destroyCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "remove what reconcile created on this machine, and only that",
		Long: long(`
Shows the plan that removes what reconcile created here and left as it is now, and asks for
"yes". What was there before, what was edited since, what is protected, directories with
anything in them and environments that a process uses stay, and are named. Contents of
files are kept below .reconcile; the memory of runs stays there too. The manifest is not
changed: `+"`reconcile apply`"+` makes all of it again.`,
			destructive, exitDone, exitError, exitPartly, exitLocked, exitInterrupted),
		Example: "  reconcile destroy",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.survey(cmd.Context())
			if err != nil {
				return err
			}
			if m.blind != nil {
				return m.blind // without the memory it is not known what is ours
			}
			o.word = "Destroy"
			return a.destroy(cmd.Context(), m, o)
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.detail, "detail", false, "a block for every change, however many there are")
	return cmd
}

func (a *app) destroy(ctx context.Context, m *machine, o applyFlags) error {
	plan, err := m.planDestroy(ctx)
	if err != nil {
		return err
	}
	if plan.Totals().Changes() > 0 {
		plan.Notices = append(plan.Notices, "contents of files and the memory of runs stay in "+m.before.StateDir)
		return a.confirm(ctx, m, plan, o)
	}
	a.tidy(ctx, m, plan)
	if a.json {
		return report.PlanJSON(a.out, plan)
	}
	for i := range plan.Items {
		if p := plan.Items[i].Change.Problem; p != nil {
			if err := say(a.out, "%s: %s", p.Addr, p.Summary); err != nil {
				return err
			}
		}
	}
	return say(a.out, "Nothing to destroy: nothing that reconcile created on this machine can be removed.")
}

// planDestroy plans as if the manifest asked for nothing.
func (m *machine) planDestroy(ctx context.Context) (*planner.Plan, error) {
	all := m.before
	all.Declared, all.DeclaredPaths, all.Moves, all.Reason = nil, nil, nil, "managed by reconcile"
	own := m.ownFolders()
	keys := append(all.Keys(nil), planner.Keys(own)...)
	known := m.probe(ctx, keys)
	known.Merge(m.base)
	plan, err := all.Make(nil, known)
	if err != nil {
		return nil, err
	}
	used := slices.ContainsFunc(plan.Items, func(i planner.Item) bool {
		return i.Resource.Addr.Kind != "directory" && i.Change.Action == resources.None && i.Resource.Spec.Owns().Kind == facts.KindEnvironment
	})
	if used {
		return plan, nil // an environment that stays needs its interpreter
	}
	addOwn(plan, own, known)
	for _, e := range all.State.Sorted() {
		if e.Key.Kind == facts.KindTool || e.Key.Kind == facts.KindPython {
			plan.StateChanges.Forget = append(plan.StateChanges.Forget, e)
		}
	}
	return plan, nil
}

// addOwn adds what is ours alone below .reconcile: it goes last, since environments
// are made from it.
func addOwn(plan *planner.Plan, own []resources.Resource, known *facts.Facts) {
	var after []int
	for i := range plan.Items {
		if plan.Items[i].Change.Action == resources.Delete {
			after = append(after, i)
		}
	}
	for i := range own {
		reads := own[i].Spec.Reads()
		if _, _, ok := known.Lookup(reads[0]); !ok {
			continue
		}
		c := own[i].Spec.Diff(facts.NewView(known, reads))
		if c.Action != resources.None || c.Problem != nil {
			plan.Items = append(plan.Items, planner.Item{Resource: &own[i], Change: c, Orphan: true, After: after})
		}
	}
}

// ownFolders are the folders below .reconcile that can be made again: those of this
// machine, and where no other machine has a part in the project, the shared ones.
func (m *machine) ownFolders() []resources.Resource {
	here, _ := m.here()
	folders := []string{layout.Conda(here.State)}
	alone := true
	for _, name := range names(m.file(layout.Dir)) {
		if part := path.Join(layout.Dir, name); part != here.State && len(names(m.file(part))) > 0 && name != "cache" && name != "tools" {
			alone = false
		}
	}
	if alone {
		folders = append(folders, layout.Tools(m.selection.Host.Platform), layout.Cache(""))
	}
	list := make([]resources.Resource, len(folders))
	for i, folder := range folders {
		addr := resources.Addr{Kind: "own", Name: strings.TrimPrefix(folder, layout.Dir+"/")}
		w := resources.Recorded{Addr: addr, Key: facts.TreeKey(folder), Left: resources.Left{Path: folder, Type: facts.Dir}, Reason: "can be made again"}
		list[i] = resources.Resource{Addr: addr, Spec: &resources.RemoveOwn{Recorded: w}}
	}
	return list
}
