package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/environments"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/locking"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// planCode returns the exit code of a plan that was printed.
func planCode(p *planner.Plan, detailed bool) int {
	t := p.Totals()
	switch {
	case t.Blocked > 0:
		return exit.Blocked
	case detailed && t.Changes() > 0:
		return exit.Differs
	}
	return exit.Done
}

// printPlan prints a plan to standard output.
func (a *app) printPlan(m *session.Machine, p *planner.Plan, format string, detail bool) error {
	o := a.report(a.out)
	o.Detail, o.ReadText = detail, m.ReadText()
	switch format {
	case "json":
		return report.PlanJSON(a.out, p)
	case "markdown":
		return report.PlanMarkdown(a.out, p, o)
	case "html":
		return report.PlanHTML(a.out, report.Machine{Plan: p, Resources: m.Resources, Facts: m.Facts, Options: o})
	}
	return report.Plan(a.out, p, o)
}

// planFormat returns the format in which a plan is printed before it is applied.
func (a *app) planFormat() string {
	if a.json {
		return "json"
	}
	return "text"
}

// describe returns what status and the summary of an apply show of a machine.
func (a *app) describe(ctx context.Context, m *session.Machine) (report.Machine, error) {
	plan, err := m.Plan(ctx, planner.Selection{})
	if err != nil {
		return report.Machine{}, err
	}
	return report.Machine{Plan: plan, Resources: m.Resources, Facts: m.Facts, Options: a.report(a.out)}, nil
}

// A verifiedEnvironment is an environment with the result of verifying it.
type verifiedEnvironment struct {
	*environments.Environment
	result *session.Verification
}

// document returns the result as JSON has it; deep reports whether hashes were compared.
func (e verifiedEnvironment) document(deep bool) map[string]any {
	v := e.result
	return map[string]any{
		"version": 1, "environment": e.Env.Name, "generation": e.Current, "deep": deep,
		"damage": append([]facts.Damage{}, v.Damage...), "record_only": append([]string{}, v.RecordOnly...), "wheels": append([]session.DamagedWheel{}, v.Wheels...), "python": v.Python,
	}
}

// showVerified prints the results of verifying environments. The JSON document of several is
// that of the first, with those of all as environments.
func (a *app) showVerified(list []verifiedEnvironment, deep bool) error {
	if a.json {
		doc := list[0].document(deep)
		if len(list) > 1 {
			var each []map[string]any
			for _, e := range list {
				each = append(each, e.document(deep))
			}
			doc["environments"] = each
		}
		return report.JSON(a.out, doc)
	}
	for _, e := range list {
		if err := a.showDamage(e.Environment, e.result, deep); err != nil {
			return err
		}
	}
	return nil
}

// showDamage prints the result of verifying an environment; deep reports whether hashes were
// compared.
func (a *app) showDamage(e *environments.Environment, v *session.Verification, deep bool) error {
	if a.json {
		return report.JSON(a.out, verifiedEnvironment{e, v}.document(deep))
	}
	if err := report.Damage(a.out, v.Damage, a.report(a.out)); err != nil {
		return err
	}
	heal := a.healing(e)
	if err := a.showStore(v, heal); err != nil {
		return err
	}
	if len(v.Damage) == 0 {
		what := "names and sizes"
		if deep {
			what = "names, sizes and hashes"
		}
		return writeLine(a.out, "Environment %s is intact: %s agree (generation %s)%s.", e.Env.Name, what, e.Current, damagedStore(v))
	}
	return writeLine(a.out, "Environment %s is damaged in %s (generation %s); `%s` builds an intact one.",
		e.Env.Name, plural.Count(len(report.DistinctDamage(v.Damage)), "place"), e.Current, heal)
}

// healing returns the command line that heals an environment.
func (a *app) healing(e *environments.Environment) string { return a.again("heal") + e.Flags(e.Env) }

// damagedStore returns the end of the sentence that the environment is intact, "" if the store
// is intact too.
func damagedStore(v *session.Verification) string {
	var parts []string
	if n := len(v.Wheels); n > 0 {
		parts = append(parts, plural.Count(n, "unpacked wheel"))
	}
	if v.Python != nil {
		parts = append(parts, "the interpreter")
	}
	if len(parts) == 0 {
		return ""
	}
	verb := "are"
	if len(parts) == 1 && len(v.Wheels) <= 1 {
		verb = "is"
	}
	return "; " + strings.Join(parts, " and ") + " in the store " + verb + " damaged"
}

// maxNames is how many packages a line names.
const maxNames = 5

// showStore prints the damage that a verification found in the store, and the command line
// that heals it.
func (a *app) showStore(v *session.Verification, heal string) error {
	if n := len(v.RecordOnly); n > 0 {
		names := strings.Join(v.RecordOnly[:min(n, maxNames)], ", ")
		if n > maxNames {
			names += fmt.Sprintf(" and %d more", n-maxNames)
		}
		if err := writeLine(a.out, "Compared with RECORD alone, since the store no longer has the unpacked wheel: %s.", names); err != nil {
			return err
		}
	}
	for _, w := range v.Wheels {
		if n := len(w.Bytecode); n > 0 && len(w.Files) == 0 {
			if err := writeLine(a.out, "The bytecode of %s %s in the store is damaged (of %s): `%s` removes it, and the next apply compiles it again. Other environments may share it: run `reconcile verify --deep` in their projects.",
				w.Name, w.Version, strings.Join(w.Bytecode[:min(n, maxNames)], ", "), heal); err != nil {
				return err
			}
			continue
		}
		if err := writeLine(a.out, "The unpacked wheel of %s %s in the store is damaged (%s): `%s` removes it, and the next build that needs it fetches it again. Other environments may share the damaged files: run `reconcile verify` in their projects.",
			w.Name, w.Version, strings.Join(w.Files[:min(len(w.Files), maxNames)], ", "), heal); err != nil {
			return err
		}
	}
	if v.Python == nil {
		return nil
	}
	return writeLine(a.out, "The interpreter in %s is damaged (%s): `%s` fetches it again.",
		v.Python.Dir, strings.Join(v.Python.Files[:min(len(v.Python.Files), maxNames)], ", "), heal)
}

// showLocked prints what one lock holds, what changed in it, and known conflicts of its packages.
func (a *app) showLocked(r *locking.Result) error {
	if a.json {
		return nil
	}
	var conflicts diag.List
	for _, p := range r.Conflicts {
		conflicts.Add(p)
	}
	if err := a.showLock(r); err != nil {
		return err
	}
	return report.Problems(a.err, conflicts.Err(), a.report(a.err))
}

func (a *app) showLock(r *locking.Result) error {
	if r.Foreign {
		return writeLine(a.out, "%s is the lock of another tool, which is used as it is", r.Path)
	}
	if !r.Changed {
		return writeLine(a.out, "%s is up to date: %s", r.Path, r.Count())
	}
	var platforms []string
	for _, size := range r.Platforms {
		platforms = append(platforms, size.Platform)
	}
	if err := writeLine(a.out, "Wrote %s: %s for %s", r.Path, r.Count(), strings.Join(platforms, ", ")); err != nil {
		return err
	}
	for _, c := range r.Changes {
		if err := report.PackageChange(a.out, c, a.report(a.out)); err != nil {
			return err
		}
	}
	for _, size := range r.Platforms {
		_, err := fmt.Fprintf(a.out, "  %s: downloads %s, takes %s on disk\n", size.Platform, bytesize.Format(size.Download), bytesize.Format(size.Disk))
		if err != nil {
			return err
		}
	}
	for _, note := range r.Notes {
		if err := writeLine(a.out, "Note: %s.", note); err != nil {
			return err
		}
	}
	return nil
}

// lockOptions returns how a run takes the lock; events receives its events.
func (a *app) lockOptions(o lockFlags, events func(apply.Event)) session.LockOptions {
	return session.LockOptions{
		Timeout: o.timeout, NoLock: o.noLock, Jobs: o.jobs, Events: events,
		Waiting: func(h state.Holder) { _ = writeLine(a.err, "Waiting for %s", h) },
		Interrupted: func() {
			fmt.Fprintln(a.err, "\nInterrupted: stopping after the current step. Interrupt again to stop at once.")
		},
	}
}

// events returns the receiver of what apply does.
func (a *app) events() func(apply.Event) {
	switch {
	case a.json:
		return report.EventsJSON(a.out)
	case a.quiet:
		return func(apply.Event) {}
	}
	return report.Progress(a.err, a.report(a.err))
}

// eventsText is events for a command that prints one JSON document: with --json it has no
// receiver.
func (a *app) eventsText() func(apply.Event) {
	if a.json {
		return nil
	}
	return a.events()
}
