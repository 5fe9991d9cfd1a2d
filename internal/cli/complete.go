package cli

import (
	"strings"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/spf13/cobra"
)

// completions sets up what a shell is offered: names of environments for --env.
// The command that prints the scripts of shells takes the name of one.
func (a *app) completions(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "print the script that completes words for a shell"
		cmd.Long = long(`
Prints the script with which a shell completes commands, flags, environments, generations
and codes. The help of each shell says where to put it.`, readOnly, exit.Done)
		cmd.Example = "  reconcile completion bash > ~/.local/share/bash-completion/completions/reconcile"
		for _, shell := range cmd.Commands() {
			shell.Short = "print the script for " + shell.Name()
			shell.Long = long(shell.Long, readOnly, exit.Done)
		}
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			var shells []string
			for _, shell := range cmd.Commands() {
				shells = append(shells, shell.Name())
			}
			if len(args) > 0 {
				return exit.Usage("%q is no shell that can be completed for; these can: %s", args[0], strings.Join(shells, ", "))
			}
			return exit.Usage("completion takes the name of a shell: %s", strings.Join(shells, ", "))
		}
	}
	// It fails only if the flag did not exist.
	_ = root.RegisterFlagCompletionFunc("env", a.environmentNames)
}

// environmentNames offers the environments of the manifest, with what they are; none
// where it cannot be read.
func (a *app) environmentNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	p, err := session.Load(a.config())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, env := range p.Manifest.Environments {
		names = append(names, cobra.CompletionWithDesc(env.Name, env.Type+", Python "+env.Python))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// unknownCommand says that a command has no such part, and which one may be meant.
func unknownCommand(parent *cobra.Command, word string) error {
	hint := "`" + parent.CommandPath() + " --help` lists them"
	if near := parent.SuggestionsFor(word); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return exit.Usage("unknown command %q; %s", word, hint)
}
