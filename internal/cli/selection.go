package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// selectFlags are the patterns that select a part of the manifest.
type selectFlags struct {
	target, exclude, replace []string
}

func (s *selectFlags) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.target, "target", nil, "only `ADDR` and what it depends on; repeatable, * matches any characters")
	f.StringArrayVar(&s.exclude, "exclude", nil, "all but `ADDR` and what depends on it; repeatable")
	f.StringArrayVar(&s.replace, "replace", nil, "recreate `ADDR`, a file or an environment, though it agrees; repeatable")
	for _, name := range []string{"target", "exclude", "replace"} {
		_ = cmd.RegisterFlagCompletionFunc(name, a.addressNames) // it fails only if the flag did not exist
	}
}

// selection returns what the flags select.
func (s *selectFlags) selection() planner.Selection {
	return planner.Selection{Target: s.target, Exclude: s.exclude, Replace: s.replace}
}

// addressNames completes the addresses of the manifest, and a pattern for each kind with
// several.
func (a *app) addressNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	t, err := a.target(cmd.Context(), "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := t.Resources()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	of := map[string]int{}
	for i := range list {
		r := &list[i]
		words = append(words, cobra.CompletionWithDesc(r.Addr.String(), r.Spec.Owns().Name))
		if of[r.Addr.Kind]++; of[r.Addr.Kind] == 2 {
			words = append(words, cobra.CompletionWithDesc(r.Addr.Kind+".*", "all of this kind"))
		}
	}
	slices.Sort(words)
	return words, cobra.ShellCompDirectiveNoFileComp
}
