package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/transfer"
)

func syncCommand(a *app) *cobra.Command {
	list := func(cmd *cobra.Command, _ []string) error {
		c, err := session.Load(a.config())
		if err != nil {
			return err
		}
		status, err := transfer.Status(cmd.Context(), c)
		switch {
		case err != nil:
			return err
		case a.json:
			return report.SyncJSON(a.out, status)
		}
		return report.WriteSync(a.out, status, a.report(a.out))
	}
	const lists = "Lists the entries of sync with their direction and size, and the hosts of the manifest that\nhave ssh."
	cmd := &cobra.Command{
		Use:     "sync",
		Example: "  reconcile sync push processed gpu1\n  reconcile sync push processed gpu1 --dry-run\n  reconcile sync pull adapters gpu1 --run",
		Short:   "copy data to a GPU machine, and adapters back",
		Long: long(lists+`

push and pull print the commands; with --dry-run they compare both machines and list what
would be transferred, with --run they transfer it.

Requires GNU rsync 2.6.9 or newer, or the openrsync of macOS. See docs/sync.md.`, readOnly, exit.Done, exit.Error),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: list,
	}
	cmd.AddCommand(a.transferCommand(true), a.transferCommand(false), &cobra.Command{
		Use:   "list",
		Short: "list the entries of sync and the hosts",
		Long:  long(lists, readOnly, exit.Done, exit.Error),
		Args:  noArgs,
		RunE:  list,
	})
	return cmd
}

func (a *app) transferCommand(push bool) *cobra.Command {
	r := transfer.Request{Push: push}
	var run, dryRun bool
	cmd := &cobra.Command{Use: "pull NAME HOST", Short: "copy a folder from another machine"}
	text, e := `
Copies the files of an entry of sync from another machine that are not on this machine or
differ in size or time. No other file is changed; replaced files are kept in the store.`, pulls
	if push {
		cmd.Use, cmd.Short = "push NAME HOST", "copy a folder to another machine"
		text, e = `
Copies the files of an entry of sync to another machine that are not on that machine or
differ in size or time. No other file is changed.`, pushes
	}
	cmd.Long = long(text+`
HOST is one of hosts in the manifest, or USER@HOST:PATH.

Without --run or --dry-run the commands are printed, ready to paste into a shell, and nothing
is run. However a transfer ends, no file is incomplete under its own name; run it again to
continue.`, e, exit.Done, exit.Error, exit.Partly, exit.Interrupted)
	f := cmd.Flags()
	f.BoolVar(&run, "run", false, "transfer the files")
	f.BoolVarP(&dryRun, "dry-run", "n", false, "list what --run would transfer; changes nothing")
	f.BoolVarP(&r.Checksum, "checksum", "c", false, "compare contents, not only sizes and times; reads every file on both machines")
	f.StringVar(&r.File, "file", "", "transfer a single file, `PATH` inside the folder, by scp")
	f.IntVar(&r.Port, "port", 0, "`PORT` of ssh (default: of the manifest, else the default of ssh)")
	f.StringVar(&r.Identity, "identity", "", "private key, `FILE`, as ssh -i")
	f.StringVar(&r.SSHConfig, "ssh-config", "", "configuration of ssh, `FILE`, as ssh -F")
	f.IntVar(&r.Limit, "bwlimit", 0, "send at most `N` kB a second")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) != 2:
			return exit.Usage("%s takes the name of an entry and a machine: reconcile sync %s", cmd.Name(), cmd.Use)
		case run && dryRun:
			return exit.Usage("--run and --dry-run exclude each other: choose one")
		case r.Port < 0 || r.Port > 65535 || r.Port == 0 && f.Changed("port"):
			return exit.Usage("--port takes a number from 1 to 65535")
		case r.Limit < 0:
			return exit.Usage("--bwlimit takes kB a second")
		}
		return nil
	}
	cmd.ValidArgsFunction = a.completeTransfer(push)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := session.Open(cmd.Context(), a.config(), "")
		if err != nil {
			return err
		}
		r.Name, r.Host = args[0], args[1]
		t, err := transfer.New(p, r, a.transferOptions())
		switch {
		case err != nil:
			return err
		case run:
			return a.showTransfer(cmd.Context(), t.Run, report.WriteTransfer)
		case dryRun:
			return a.showTransfer(cmd.Context(), t.DryRun, report.WritePreview)
		}
		return a.showCommands(t)
	}
	return cmd
}

// transferOptions returns how a transfer reports to the terminal.
func (a *app) transferOptions() transfer.Options {
	o := transfer.Options{
		Interactive: a.interactive(),
		Notice: func(line string) {
			if !a.quiet {
				_ = writeLine(a.err, "%s", line)
			}
		},
		Verbose: func(line string) {
			if a.verbose {
				_ = writeLine(a.err, "| %s", line)
			}
		},
		Interrupted: func() {
			fmt.Fprintln(a.err, "\nInterrupted: stopping the transfer. Interrupt again to stop at once.")
		},
	}
	if !a.quiet && !a.json && !a.verbose { // the lines of -v would break the progress line
		o.Progress = func(title string) (func(int64, int), func()) {
			return report.TransferMeter(a.err, a.report(a.err), title)
		}
	}
	return o
}

// showTransfer runs or previews a transfer and prints the result.
func (a *app) showTransfer(ctx context.Context, do func(context.Context) (*report.Transfer, error), write func(io.Writer, report.Transfer, report.Options) error) error {
	result, err := do(ctx)
	switch {
	case result == nil:
		return err
	case !a.json:
		return errors.Join(write(a.out, *result, a.report(a.out)), err)
	}
	code, problem := exit.CodeOf(err)
	if problem != nil {
		result.Problem = diag.Problems(problem)[0]
	}
	return errors.Join(report.TransferJSON(a.out, *result), exit.Quietly(code))
}

// showCommands prints the commands of a transfer to standard output, and notes on them to
// standard error.
func (a *app) showCommands(t *transfer.Transfer) error {
	if a.json {
		return report.CommandsJSON(a.out, t.Summary(), t.Commands())
	}
	if !a.quiet {
		for _, line := range t.Notes() {
			if err := writeLine(a.err, "%s", line); err != nil {
				return err
			}
		}
	}
	return report.WriteCommands(a.out, t.Commands(), a.report(a.out))
}

// completeTransfer completes the entries of a direction, and then the hosts.
func (a *app) completeTransfer(push bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := session.Load(a.config())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		switch len(args) {
		case 0:
			for _, s := range c.Manifest.Sync {
				if s.Push == push {
					names = append(names, cobra.CompletionWithDesc(s.Name, s.Path))
				}
			}
		case 1:
			for _, h := range c.Manifest.Hosts {
				if h.SSH != nil {
					names = append(names, cobra.CompletionWithDesc(h.Name, h.SSH.Host))
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
