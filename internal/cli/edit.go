package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/editing"
	"github.com/reconcile-ml/reconcile/internal/locking"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// editFlags are the flags of the commands that edit the manifest.
type editFlags struct {
	lockFlags
	frozen bool // do not resolve
}

func (o *editFlags) register(cmd *cobra.Command) {
	o.registerTimeout(cmd)
	cmd.Flags().BoolVar(&o.frozen, "frozen", false, "edit only the manifest; resolve it later, with reconcile lock")
}

// packageNames completes the packages that the manifest requests.
func (a *app) packageNames(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := session.Load(a.config())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, e := range p.Manifest.Environments {
		if len(a.envs) > 0 && !slices.Contains(a.envs, e.Name) {
			continue
		}
		for _, r := range e.Packages {
			if !slices.Contains(given, r.Name) && !slices.Contains(names, r.Name) {
				names = append(names, r.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// editManifest changes the packages of an environment, locks it, and prints what changed and
// the totals of the plan that follows. If the packages cannot be resolved, nothing is written.
func (a *app) editManifest(ctx context.Context, o editFlags, change func(*editing.Environment) (*editing.Draft, error)) error {
	p, err := session.Open(ctx, a.config(), "")
	if err != nil {
		return err
	}
	env, err := editing.Open(p)
	if err != nil {
		return err
	}
	d, err := change(env)
	if err != nil {
		return err
	}
	var result *locking.Result
	if !d.IsEmpty() {
		if result, err = a.applyDraft(ctx, p, d, o); err != nil {
			return err
		}
	}
	if a.json {
		return report.JSON(a.out, map[string]any{
			"version": 1, "environment": env.Name, "manifest": p.Name,
			"changes": append([]editing.Change{}, d.Changes...), "lock": result, "notes": append([]string{}, d.Notes...),
		})
	}
	if err := a.showDraft(env, p.Name, d, result); err != nil {
		return err
	}
	if result == nil || !result.Changed {
		return nil
	}
	return a.showFollowing(ctx, env.Name)
}

// applyDraft resolves a draft, and writes the manifest and the lock. The Result is nil if
// nothing was to be resolved.
func (a *app) applyDraft(ctx context.Context, p *session.Project, d *editing.Draft, o editFlags) (*locking.Result, error) {
	if o.frozen {
		if err := d.Unresolved(); err != nil {
			return nil, err
		}
		return nil, d.SettleAndWrite(nil)
	}
	lo := a.lockingOptions(o.lockFlags)
	lo.Upgrade, lo.UpgradeNames = d.Everything, d.Upgrade
	lo.Interrupted = func() { fmt.Fprintln(a.err, "\nInterrupted: nothing is changed.") }
	resolution, err := locking.Resolve(ctx, p, d.Env, lo)
	if err != nil {
		return nil, err
	}
	if err := d.SettleAndWrite(resolution.Lock); err != nil {
		return nil, err
	}
	result, err := resolution.Write(p)
	if err != nil {
		return nil, errors.Join(err, d.Restore())
	}
	local, err := p.Local()
	if err != nil {
		return nil, err
	}
	d.NoteRemoved(resolution.Lock, local.Store)
	d.NoteReasons()
	return result, nil
}

// showDraft prints the changes of the manifest and of the lock.
func (a *app) showDraft(env *editing.Environment, name string, d *editing.Draft, result *locking.Result) error {
	lines := []string{fmt.Sprintf("%s, environment %s: no change", name, env.Name)}
	if len(d.Changes) > 0 {
		lines = []string{fmt.Sprintf("Changed %s, environment %s:", name, env.Name)}
	}
	for _, c := range d.Changes {
		switch {
		case c.Before == "":
			lines = append(lines, "  + "+c.After)
		case c.After == "":
			lines = append(lines, "  - "+c.Before)
		case c.Index != "":
			lines = append(lines, "  ~ "+c.Before+" -> "+c.After+" of index "+c.Index)
		default:
			lines = append(lines, "  ~ "+c.Before+" -> "+c.After)
		}
	}
	for _, line := range lines {
		if err := writeLine(a.out, "%s", line); err != nil {
			return err
		}
	}
	if result != nil {
		if err := a.showLocked(result); err != nil {
			return err
		}
		if major := editing.MajorChanges(result.Changes); len(major) > 0 {
			d.Notes = append(d.Notes, "major versions change: "+strings.Join(major, ", "))
		}
	}
	for _, note := range d.Notes {
		if err := writeLine(a.out, "Note: %s.", note); err != nil {
			return err
		}
	}
	return nil
}

// showFollowing prints the totals of the plan of this machine, if the environment is for it.
func (a *app) showFollowing(ctx context.Context, env string) error {
	c := a.config()
	c.Environments = []string{env}
	p, err := session.Open(ctx, c, "")
	if err != nil {
		return err
	}
	target, err := p.Select()
	if err != nil {
		return err
	}
	words := []string{"plan"}
	for _, name := range a.envs {
		words = append(words, "--env", name)
	}
	matching, err := p.Manifest.SelectAll(target.Selection)
	if err != nil || !slices.Contains(matching, target.Env) {
		return writeLine(a.out, "Environment %s is not for this machine. To plan it here nevertheless: %s", env, a.again("plan", "--env", env))
	}
	m, err := target.Observe(ctx)
	if err != nil {
		return err
	}
	plan, err := m.Plan(ctx, planner.Selection{})
	if err != nil {
		return err
	}
	if err := report.PlanTotals(a.out, plan, a.report(a.out)); err != nil || a.quiet {
		return err
	}
	return writeLine(a.err, "To see the changes: %s. To make them: %s", a.again(words...), a.again(append([]string{"apply"}, words[1:]...)...))
}
