package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// selectFlags are the patterns that choose a part of the manifest.
type selectFlags struct {
	target, exclude, replace []string
}

func (s *selectFlags) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.target, "target", nil, "only `ADDR` and what it needs; repeatable, * stands for any characters")
	f.StringArrayVar(&s.exclude, "exclude", nil, "all but `ADDR` and what needs it; repeatable")
	f.StringArrayVar(&s.replace, "replace", nil, "make `ADDR`, a file or an environment, anew though it agrees; repeatable")
	for _, name := range []string{"target", "exclude", "replace"} {
		_ = cmd.RegisterFlagCompletionFunc(name, a.addressNames) // it fails only if the flag did not exist
	}
}

// selection is what the flags say.
func (s *selectFlags) selection() planner.Selection {
	return planner.Selection{Target: s.target, Exclude: s.exclude, Replace: s.replace}
}

// wrongSelection makes an error of patterns wrong usage; others stay as they are.
func wrongSelection(err error) error {
	if err == nil || slices.ContainsFunc(diag.Problems(err), func(p *diag.Problem) bool { return !strings.HasPrefix(p.Code, "select.") }) {
		return err
	}
	return &exitCode{exitUsage, err}
}

// tellPart says that an exit code tells of a part of the manifest alone.
func (a *app) tellPart(plan *planner.Plan) {
	if plan.Excluded != nil && plan.Excluded.Differ > 0 && !a.quiet {
		_ = say(a.err, "The exit code tells of what is selected alone; %s left out.", report.Differing(plan.Excluded))
	}
}

// asked is what the manifest asks of this machine, without a look at all of it.
func (a *app) asked(cmd *cobra.Command) (*machine, error) {
	p, err := a.open(cmd.Context())
	if err != nil {
		return nil, err
	}
	m := &machine{project: p, facts: &facts.Facts{}}
	m.facts.Merge(p.base)
	if err := m.choose(a.env); err != nil {
		return nil, err
	}
	return m, m.compile()
}

// addressNames offers the addresses of the manifest to a shell, and a pattern for each
// kind of which there are several.
func (a *app) addressNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	m, err := a.asked(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	of := map[string]int{}
	for i := range m.resources {
		r := &m.resources[i]
		words = append(words, cobra.CompletionWithDesc(r.Addr.String(), r.Spec.Owns().Name))
		if of[r.Addr.Kind]++; of[r.Addr.Kind] == 2 {
			words = append(words, cobra.CompletionWithDesc(r.Addr.Kind+".*", "all of this kind"))
		}
	}
	slices.Sort(words)
	return words, cobra.ShellCompDirectiveNoFileComp
}
