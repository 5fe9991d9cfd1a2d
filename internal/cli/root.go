package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// Main runs the program with these arguments, without the program's name, and returns its
// exit code.
func Main(args []string, s Streams, environ []string) (code int) {
	// Probes start this program again to query NVML: see session.NewProber.
	if code, ok := probes.RunHelper(args); ok {
		return code
	}
	a := newApp(args, s, environ)
	defer a.flush()
	defer a.reportPanic(&code)
	root := a.root()
	root.SetArgs(a.args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(context.Background())
	code, err = exit.CodeOf(err)
	if err == nil {
		return code
	}
	if code == exit.Error && !a.started {
		code, err = exit.CodeOf(exit.Usage("%v", err))
	}
	if a.json || !a.started && slices.Contains(a.args, "--json") { // a wrong flag before it
		a.setJSON(true)
		report.ProblemsJSON(a.out, err)
	} else {
		o := a.report(a.err)
		report.Problems(a.err, err, o)
		if line := explainHint(err, o); line != "" && !a.quiet {
			writeLine(a.err, "%s", line)
		}
	}
	return code
}

func (a *app) root() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "reconcile",
		Short: "bring this machine to what manifest.yaml says",
		Long: long(`
reconcile reads manifest.yaml and brings this machine to it: directories, files, pinned
Python environments (venv, conda). It checks the disk, the NVIDIA driver and its GPUs.

  reconcile plan     show how this machine differs; changes nothing
  reconcile apply    make the changes, or report exactly why it cannot
  reconcile run -- python train.py

Commit an edit of manifest.yaml to change every machine.

Settings of this user are in ~/.config/reconcile/config.yaml, below XDG_CONFIG_HOME if it is
set. RECONCILE_SAFE_DIRECTORY, or safe_directories in that file, names projects of other
users that may be used: folders, DIR/* or *, in the variable separated by colons.`, ofCommands, allCodes()...),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.started = true
			a.setJSON(a.json || printsJSON(cmd))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			if version {
				return a.printVersion()
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "directory", "C", "", "run as if started in `DIR`")
	f.StringVarP(&a.manifest, "manifest", "m", "", "read `FILE` (default: manifest.yaml here or in the nearest folder above)")
	f.StringSliceVar(&a.envs, "env", nil, "work on environment `NAME`, whatever this machine matches; NAME,NAME for several")
	f.BoolVar(&a.json, "json", false, "print JSON, with a format version")
	f.BoolVar(&a.noColor, "no-color", false, "no colour (also: NO_COLOR)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "results only: no progress, and with -y no plan")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "also the output of started programs")
	root.Flags().BoolVarP(&version, "version", "V", false, "print the version")
	root.SetUsageFunc(printUsage)
	root.SetHelpFunc(printHelp)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
			if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
				return exit.Usage("%s; did you mean --%s?", err, near)
			}
		}
		return exit.Usage("%s; `%s --help` lists the flags", flagProblem(err), cmd.CommandPath())
	})
	var command int
	if a.args, command = findCommand(f, a.args); command >= 0 && commands()[a.args[command]] != nil {
		root.AddCommand(commands()[a.args[command]](a)) // to create all takes a quarter of the time of a start
	} else {
		for _, create := range commands() {
			root.AddCommand(create(a))
		}
		addCompletion(root)
	}
	_ = root.RegisterFlagCompletionFunc("env", a.environmentNames) // it fails only if the flag did not exist
	return root
}

// nearestFlag returns the long flag of a command that a name resembles, "" for none.
func nearestFlag(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if len(name) < 2 {
		return ""
	}
	return nearest.Word(name, names)
}

// flagProblem returns the text of an error of the flags.
func flagProblem(err error) string {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err.Error()
	}
	f := invalid.GetFlag()
	takes := map[string]string{
		"int": "a whole number", "bool": "true or false", "duration": "a duration such as 90s or 10m",
	}[f.Value.Type()]
	if takes == "" {
		return err.Error()
	}
	return fmt.Sprintf("--%s takes %s, and got %q", f.Name, takes, invalid.GetValue())
}

// Root returns the command line with all commands, for programs that document it.
func Root() *cobra.Command { return (&app{}).root() }

// commands returns the functions that create the commands, by name.
func commands() map[string]func(*app) *cobra.Command {
	return map[string]func(*app) *cobra.Command{
		"add": addCommand, "adopt": adoptCommand, "apply": applyCommand, "audit": auditCommand, "compare": compareCommand, "destroy": destroyCommand,
		"doctor": doctorCommand, "explain": explainCommand, "export": exportCommand, "facts": factsCommand, "gc": gcCommand,
		"generations": generationsCommand, "graph": graphCommand, "heal": healCommand, "init": initCommand,
		"kernel": kernelCommand, "lock": lockCommand, "models": modelsCommand, "outdated": outdatedCommand, "paths": pathsCommand, "plan": planCommand,
		"remove": removeCommand, "rollback": rollbackCommand, "run": runCommand, "runs": runsCommand, "schema": schemaCommand,
		"state": stateCommand, "status": statusCommand, "store": storeCommand, "sync": syncCommand, "tree": treeCommand, "undo": undoCommand,
		"upgrade": upgradeCommand, "validate": validateCommand, "verify": verifyCommand, "version": versionCommand, "why": whyCommand,
	}
}

// findCommand returns the index of the command in the arguments, -1 for none, and the
// arguments with groups such as -qC before it split: cobra takes a group for flags without a
// value, and the value for the command. global are the flags that may precede it.
func findCommand(global *pflag.FlagSet, args []string) (split []string, command int) {
	split = args
	for i := 0; i < len(split); i++ {
		arg := split[i]
		long, isLong := strings.CutPrefix(arg, "--")
		switch {
		case !strings.HasPrefix(arg, "-"):
			return split, i
		case isLong:
			if takesValue(global.Lookup(long)) {
				i++
			}
		case len(arg) == 2:
			if takesValue(global.ShorthandLookup(arg[1:])) {
				i++
			}
		case len(arg) > 2 && !takesValue(global.ShorthandLookup(arg[1:2])) && takesValue(global.ShorthandLookup(arg[len(arg)-1:])):
			split = slices.Concat(split[:i], []string{arg[:len(arg)-1], "-" + arg[len(arg)-1:]}, split[i+1:])
			i += 2
		}
	}
	return split, -1
}

// takesValue reports whether the next argument is the value of a flag.
func takesValue(f *pflag.Flag) bool { return f != nil && f.NoOptDefVal == "" }

// addCompletion adds the command that prints the completion scripts of shells.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "print the completion script of a shell"
		cmd.Long = long(`
Prints the script with which a shell completes commands, flags, environments, generations
and codes. The help of each shell tells where to put it.`, readOnly, exit.Done)
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
				return exit.Usage("there is no completion for shell %q; the shells are: %s", args[0], strings.Join(shells, ", "))
			}
			return exit.Usage("completion needs the name of a shell: %s", strings.Join(shells, ", "))
		}
	}
}

// environmentNames completes the environments of the manifest.
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
