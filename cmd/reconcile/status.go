package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/report"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/state"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Example: "  reconcile status\n  reconcile status --json",
		Short:   "one line a resource: does this machine agree with the manifest",
		Long: long(`
Shows every resource as converged, drifted (changed behind our back), pending (the
manifest changed) or failing, then the installed packages, the interpreter, the GPU
and the disk.`, readOnly, exitDone, exitError, exitDiffers, exitBlocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.survey(cmd.Context())
			if err != nil {
				return err
			}
			memory, err := m.memory()
			if err != nil {
				return err
			}
			now, err := a.describe(cmd.Context(), m, memory)
			if err != nil {
				return err
			}
			if a.json {
				err = report.StatusJSON(a.out, now)
			} else {
				err = report.Status(a.out, now)
			}
			if err != nil {
				return err
			}
			return exit(planCode(now.Plan, true))
		},
	}
}

// describe puts together what status and summary show of a machine. memory is what
// earlier applies remember.
func (a *app) describe(ctx context.Context, m *machine, memory *state.State) (report.Machine, error) {
	plan, err := m.plan(ctx)
	if err != nil {
		return report.Machine{}, err
	}
	desired := make(map[resources.Addr]*resources.Resource, len(m.resources))
	for i := range m.resources {
		desired[m.resources[i].Addr] = &m.resources[i]
	}
	applied := func(addr resources.Addr) bool {
		entry, ok := memory.Entry(addr)
		return ok && desired[addr] != nil && entry.Spec == resources.Digest(desired[addr].Spec)
	}
	return report.Machine{Plan: plan, Resources: m.resources, Facts: m.facts, Applied: applied, Options: a.report(a.out)}, nil
}

// memory returns what earlier applies of this machine remember; nothing for a
// recorded machine.
func (m *machine) memory() (*state.State, error) {
	here, ok := facts.Find[facts.Project](m.facts, facts.ProjectKey)
	if !ok || m.recorded {
		return &state.State{}, nil
	}
	if closed := m.closed(); closed != nil {
		return nil, closed
	}
	return state.Read(m.file(layout.Journal(here.State)))
}
