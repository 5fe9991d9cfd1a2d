package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exit.Usage("%s takes no arguments, and got %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// argCount accepts from least to most arguments; most 0 is any number.
func argCount(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return exit.Usage("%s needs %s; see `%s --help`", cmd.CommandPath(), what, cmd.CommandPath())
		case most > 0 && len(args) > most:
			return exit.Usage("%s takes %s, and got %q too; see `%s --help`", cmd.CommandPath(), what, args[most], cmd.CommandPath())
		}
		return nil
	}
}

// unknownCommand returns the error for a word that is no subcommand, with the nearest one.
func unknownCommand(parent *cobra.Command, word string) error {
	hint := "`" + parent.CommandPath() + " --help` lists them"
	if near := parent.SuggestionsFor(word); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return exit.Usage("unknown command %q; %s", word, hint)
}

// addresses parses the arguments of a command as addresses, without duplicates.
func addresses(words []string) ([]resources.Addr, error) {
	var list []resources.Addr
	for _, word := range words {
		var addr resources.Addr
		if err := addr.UnmarshalText([]byte(word)); err != nil {
			return nil, exit.Usage("%q is not an address; write KIND.NAME, such as directory.data_raw", word)
		}
		if !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	return list, nil
}
