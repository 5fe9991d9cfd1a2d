package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/nearest"
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

// usualVerbs returns where the verbs of other programs lead, by verb.
func usualVerbs() map[string]string {
	const (
		add      = "`reconcile add PACKAGE` adds a package to the manifest, and `reconcile apply` installs it"
		remove   = "`reconcile remove PACKAGE` removes a package from the manifest, and `reconcile apply` from this machine"
		list     = "`reconcile tree` lists the locked packages, and `reconcile status` the installed ones"
		freeze   = "`reconcile export` prints the locked packages as a requirements file"
		show     = "`reconcile why PACKAGE` shows the version of a package, and why it is locked"
		upgrade  = "`reconcile upgrade` moves packages to newer versions, and `reconcile outdated` lists those"
		activate = "`reconcile run -- bash` starts a shell in the environment, and `source .venv/bin/activate` activates it"
		diff     = "`reconcile plan` shows how this machine differs from the manifest"
		check    = "`reconcile validate` checks the manifest, and `reconcile verify` the installed files"
	)
	return map[string]string{
		"install": add, "uninstall": remove, "rm": remove, "delete": remove, "list": list, "ls": list, "freeze": freeze, "show": show, "info": show,
		"update": upgrade, "shell": activate, "activate": activate, "exec": activate, "diff": diff, "preview": diff, "check": check, "test": check,
		"create": "`reconcile init` starts a project", "new": "`reconcile init` starts a project",
		"clean": "`reconcile gc --dry-run` shows what can be freed", "up": "`reconcile apply` makes the changes",
	}
}

// unknownCommand returns the error for a word that is no subcommand: with the verb that other
// programs use for it, or the nearest subcommand. A destructive one is not proposed.
func unknownCommand(parent *cobra.Command, word string) error {
	hint := "`" + parent.CommandPath() + " --help` lists them"
	var names []string
	for _, cmd := range subcommands(parent) {
		if !strings.Contains(cmd.Long, string(destructive)) {
			names = append(names, cmd.Name())
		}
	}
	usual := ""
	if !parent.HasParent() {
		usual = usualVerbs()[word]
	}
	switch near := nearest.Word(word, names); {
	case usual != "":
		hint = usual
	case near != "":
		hint = "did you mean " + near + "?"
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
