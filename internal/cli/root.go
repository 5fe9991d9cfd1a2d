package cli

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// streams are the three standard files. Results go to out; progress, prompts
// and errors go to err.
type streams struct {
	in  *os.File
	out io.Writer
	err io.Writer
}

// app is one run of the program: the flags that every command has, and the
// world it was started in.
type app struct {
	streams
	environ []string
	args    []string // as typed, without the program

	dir      string // -C
	manifest string // -m
	env      string // --env
	json     bool
	noColor  bool
	quiet    bool
	verbose  bool

	answers *bufio.Reader // of in, once something was asked
	against string        // what a plan is compared with, where that is not the manifest
	started bool          // a command began: errors from here on are not wrong usage
}

// run is the program: it parses words, runs one command and returns the exit
// code.
func run(args []string, s streams, environ []string) int {
	a := &app{streams: s, environ: environ, args: args}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(context.Background())
	code, err := exit.CodeOf(err)
	if err == nil {
		return code
	}
	if code == exit.Error && !a.started {
		code, err = exit.CodeOf(exit.Usage("%v", err))
	}
	if a.json {
		report.ProblemsJSON(s.out, err)
	} else {
		o := a.report(a.err)
		report.Problems(a.err, err, o)
		if line := more(err, o); line != "" && !a.quiet {
			say(a.err, "%s", line)
		}
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "reconcile",
		Short: "bring this machine to what manifest.yaml says",
		Long: long(`
reconcile reads manifest.yaml and brings this machine to it: directories, files, pinned
Python environments (venv, conda). It checks the disk, the NVIDIA driver and its GPUs.

  reconcile plan     show how this machine differs; changes nothing
  reconcile apply    make it so, or say exactly why it cannot
  reconcile run -- python train.py

Commit an edit of manifest.yaml to change every machine.`, ofCommands, ofAnyCommand()...),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2, // letters
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "directory", "C", "", "run as if started in `DIR`")
	f.StringVarP(&a.manifest, "manifest", "m", "", "read `FILE` (default: manifest.yaml here or in the nearest folder above)")
	f.StringVar(&a.env, "env", "", "work on environment `NAME`, whatever this machine matches")
	f.BoolVar(&a.json, "json", false, "print JSON, with a format version")
	f.BoolVar(&a.noColor, "no-color", false, "no colour (also: NO_COLOR)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "results only: no progress, and with -y no plan")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "also what the started programs print")
	root.SetUsageFunc(printUsage)
	root.SetHelpFunc(printHelp)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exit.Usage("%v; `%s --help` lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(
		a.initCommand(), a.validateCommand(), a.planCommand(), a.applyCommand(), a.statusCommand(),
		a.factsCommand(), a.lockCommand(), a.runCommand(), a.generationsCommand(), a.rollbackCommand(),
		a.gcCommand(), a.verifyCommand(), a.healCommand(), a.doctorCommand(), a.modelsCommand(), a.pathsCommand(),
		a.syncCommand(), a.explainCommand(), a.schemaCommand(), a.manCommand(), a.versionCommand(),
		a.stateCommand(), a.adoptCommand(), a.undoCommand(), a.destroyCommand(),
	)
	root.AddCommand(a.graphCommand(), a.compareCommand(), a.runsCommand())
	a.completions(root)
	return root
}

// report returns how to print to w: its width and whether it takes
// colour.
func (a *app) report(w io.Writer) report.Options {
	o := report.Options{Verbose: a.verbose, Manifest: cmp.Or(a.against, a.manifest, session.DefaultManifest)}
	file, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return o
	}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		o.Width = width
	}
	if a.getenv("TERM") == "dumb" {
		return o // an editor or a log: no colour, and no line that is drawn again and again
	}
	o.Terminal = true
	o.Color = !a.noColor && a.getenv("NO_COLOR") == ""
	return o
}

// command is the line that started this run, as a shell reads it.
func (a *app) command() string {
	return report.Command(append([]string{"reconcile"}, a.args...))
}

// getenv reads the environment that the program was started with.
func (a *app) getenv(name string) string {
	for _, kv := range a.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// interactive reports whether a person can answer a question.
func (a *app) interactive() bool {
	return a.in != nil && term.IsTerminal(int(a.in.Fd()))
}
