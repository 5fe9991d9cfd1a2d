package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/transfer"
)

func (a *app) syncCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sync",
		Example: "  reconcile sync push processed gpu1\n  reconcile sync push processed gpu1 --dry-run\n  reconcile sync pull adapters gpu1 --run",
		Short:   "move data to a GPU machine, and adapters back",
		Long: long(`
Lists what travels between machines, which way, and the machines that the manifest knows.

Without a flag push and pull print the commands and run nothing; --dry-run looks at both
machines and lists what would move; --run moves it.

Works with GNU rsync from 2.6.9 and the openrsync of macOS. docs/sync.md has the whole workflow.`, readOnly, exit.Done, exit.Error),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.syncList(cmd.Context()) },
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "what travels, which way, how large it is here, and to which machines",
		Long:  long("Lists what travels between machines, which way, and the machines that the manifest knows.", readOnly, exit.Done, exit.Error),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.syncList(cmd.Context()) },
	}
	cmd.AddCommand(list, a.moveCommand(true), a.moveCommand(false))
	return cmd
}

// syncFlags are what push and pull are told.
type syncFlags struct {
	run, preview bool
	request      transfer.Request
}

func (a *app) moveCommand(push bool) *cobra.Command {
	var o syncFlags
	cmd := &cobra.Command{
		Use:   "pull NAME HOST",
		Short: "bring a folder from another machine",
		Long: long(`
Brings the files of an entry of sync from another machine: those that are not here, and
those that differ in size or time. What is here alone stays; what is replaced is kept
below .reconcile. HOST is a name of hosts in the manifest, or USER@HOST:PATH.`+moveHelp,
			pulls, exit.Done, exit.Error, exit.Partly, exit.Interrupted),
	}
	if push {
		cmd.Use, cmd.Short = "push NAME HOST", "send a folder to another machine"
		cmd.Long = long(`
Sends the files of an entry of sync to another machine: those that are not there, and those
that differ in size or time. What is there alone stays. HOST is a name of hosts in the
manifest, or USER@HOST:PATH.`+moveHelp,
			pushes, exit.Done, exit.Error, exit.Partly, exit.Interrupted)
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) != 2:
			return exit.Usage("%s takes the name of an entry and a machine: reconcile sync %s", cmd.Name(), cmd.Use)
		case o.run && o.preview:
			return exit.Usage("--run and --dry-run are two things: choose one")
		case o.request.Port < 0 || o.request.Port > 65535 || o.request.Port == 0 && cmd.Flags().Changed("port"):
			return exit.Usage("--port takes a number from 1 to 65535")
		case o.request.Limit < 0:
			return exit.Usage("--bwlimit takes kB a second")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := session.Open(cmd.Context(), a.config(), "")
		if err != nil {
			return err
		}
		o.request.Push, o.request.Name, o.request.Host = push, args[0], args[1]
		t, err := transfer.New(p, o.request, a.transferOptions())
		switch {
		case err != nil:
			return err
		case o.preview:
			return a.previewTransfer(cmd.Context(), t)
		case o.run:
			return a.runTransfer(cmd.Context(), t)
		}
		return a.printTransfer(cmd.Context(), t)
	}
	cmd.ValidArgsFunction = a.syncNames(push)
	f := cmd.Flags()
	f.BoolVar(&o.run, "run", false, "do it")
	f.BoolVarP(&o.preview, "dry-run", "n", false, "list what --run would move; changes nothing")
	f.BoolVarP(&o.request.Checksum, "checksum", "c", false, "compare contents, not only sizes and times; reads every file at both ends")
	f.StringVar(&o.request.File, "file", "", "move one file, `PATH` inside the folder, by scp")
	f.IntVar(&o.request.Port, "port", 0, "`PORT` of ssh over there (default: the manifest's, else ssh's own choice)")
	f.StringVar(&o.request.Identity, "identity", "", "private key, `FILE`, as ssh -i")
	f.StringVar(&o.request.SSHConfig, "ssh-config", "", "configuration of ssh, `FILE`, as ssh -F")
	f.IntVar(&o.request.Limit, "bwlimit", 0, "send at most `N` kB a second")
	return cmd
}

const moveHelp = `

Without --run or --dry-run the commands are printed, and nothing is run: stdout can be
pasted into a shell. A file never has its name before it is whole, however the transfer
ends: run it again, and it goes on.`

// syncList prints what the manifest says of travel.
func (a *app) syncList(ctx context.Context) error {
	p, err := session.Load(a.config())
	if err != nil {
		return err
	}
	list, err := transfer.Status(ctx, p)
	if err != nil {
		return err
	}
	if a.json {
		return report.SyncJSON(a.out, list)
	}
	return report.WriteSync(a.out, list, a.report(a.out))
}

// syncNames offers the entries of a direction, and then the machines.
func (a *app) syncNames(push bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		p, err := session.Load(a.config())
		if err != nil || len(args) > 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		if len(args) == 0 {
			for _, s := range p.Manifest.Sync {
				if s.Push == push {
					names = append(names, cobra.CompletionWithDesc(s.Name, s.Path))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		}
		for _, h := range p.Manifest.Hosts {
			if h.SSH != nil {
				names = append(names, cobra.CompletionWithDesc(h.Name, h.SSH.Host))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// printTransfer writes the commands to stdout, one that a shell takes as a whole, and what
// they do to stderr.
func (a *app) printTransfer(ctx context.Context, t *transfer.Transfer) error {
	if a.json {
		return report.CommandsJSON(a.out, t.Summary(), t.Commands())
	}
	if !a.quiet {
		for _, line := range t.Notes(ctx) {
			if err := writeLine(a.err, "%s", line); err != nil {
				return err
			}
		}
	}
	return report.WriteCommands(a.out, t.Commands(), a.report(a.out))
}

// previewTransfer prints what a run would transfer.
func (a *app) previewTransfer(ctx context.Context, t *transfer.Transfer) error {
	result, err := t.DryRun(ctx)
	switch {
	case err != nil:
		return err
	case a.json:
		return report.TransferJSON(a.out, *result)
	}
	return report.WritePreview(a.out, *result, a.report(a.out))
}

// runTransfer does the transfer, and prints what it moved.
func (a *app) runTransfer(ctx context.Context, t *transfer.Transfer) error {
	result, err := t.Run(ctx)
	switch {
	case result == nil:
		return err
	case !a.json:
		return errors.Join(report.WriteTransfer(a.out, *result, a.report(a.out)), err)
	}
	code, problem := exit.CodeOf(err)
	if problem != nil {
		result.Problem = diag.Problems(problem)[0]
	}
	return errors.Join(report.TransferJSON(a.out, *result), exit.Quietly(code))
}

// transferOptions returns how a transfer is done.
func (a *app) transferOptions() transfer.Options {
	o := transfer.Options{Interactive: a.interactive()}
	o.Interrupted = func() { fmt.Fprintln(a.err, "\nInterrupted: ending the transfer. Once more ends it at once.") }
	if !a.quiet {
		o.Notice = func(line string) { _ = writeLine(a.err, "%s", line) }
	}
	if a.verbose {
		o.Verbose = func(line string) { _ = writeLine(a.err, "| %s", line) }
	}
	if !a.quiet && !a.json && !a.verbose { // the lines of -v say more, and would break into it
		o.Progress = func(what string) (func(int64, int), func()) {
			return report.TransferMeter(a.err, a.report(a.err), what)
		}
	}
	return o
}
