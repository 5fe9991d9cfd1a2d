package cli

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/spf13/cobra"
)

// formatFlag registers --format with the words that a command takes, the usual one
// first.
func formatFlag(cmd *cobra.Command, into *string, words ...string) {
	cmd.Flags().StringVar(into, "format", words[0], "print `FORMAT`: "+strings.Join(words, ", "))
	// It fails only if the flag did not exist.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// format returns in which format a command prints. --json is the short form of
// --format json, and both make errors JSON too.
func (a *app) format(cmd *cobra.Command, asked string, words ...string) (string, error) {
	if !slices.Contains(words, asked) {
		return "", exit.Usage("there is no format %q; these are: %s", asked, strings.Join(words, ", "))
	}
	if a.json && cmd.Flags().Changed("format") && asked != "json" {
		return "", exit.Usage("--json and --format %s contradict each other", asked)
	}
	if a.json || asked == "json" {
		a.json = true
		return "json", nil
	}
	return asked, nil
}
