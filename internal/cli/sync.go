package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
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
	run, preview, checksum bool
	file, identity, config string
	port, limit            int
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
		case o.port < 0 || o.port > 65535 || o.port == 0 && cmd.Flags().Changed("port"):
			return exit.Usage("--port takes a number from 1 to 65535")
		case o.limit < 0:
			return exit.Usage("--bwlimit takes kB a second")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.shipment(cmd.Context(), push, args[0], args[1], o)
		if err != nil {
			return err
		}
		switch {
		case o.preview:
			return s.preview(cmd.Context())
		case o.run:
			return s.carry(cmd.Context())
		}
		return s.print(cmd.Context())
	}
	cmd.ValidArgsFunction = a.syncNames(push)
	f := cmd.Flags()
	f.BoolVar(&o.run, "run", false, "do it")
	f.BoolVarP(&o.preview, "dry-run", "n", false, "list what --run would move; changes nothing")
	f.BoolVarP(&o.checksum, "checksum", "c", false, "compare contents, not only sizes and times; reads every file at both ends")
	f.StringVar(&o.file, "file", "", "move one file, `PATH` inside the folder, by scp")
	f.IntVar(&o.port, "port", 0, "`PORT` of ssh over there (default: the manifest's, else ssh's own choice)")
	f.StringVar(&o.identity, "identity", "", "private key, `FILE`, as ssh -i")
	f.StringVar(&o.config, "ssh-config", "", "configuration of ssh, `FILE`, as ssh -F")
	f.IntVar(&o.limit, "bwlimit", 0, "send at most `N` kB a second")
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
	list := report.SyncStatus{}
	for _, entry := range p.Manifest.Sync {
		size, err := measure(ctx, filepath.Join(p.Root, filepath.FromSlash(entry.Path)))
		if err != nil && !isAbsent(err) {
			return err
		}
		list.Entries = append(list.Entries, report.SyncEntry{
			Name: entry.Name, Push: entry.Push, Path: entry.Path, Absent: err != nil, Files: size.files, Bytes: size.bytes,
		})
	}
	for _, h := range p.Manifest.Hosts {
		if h.SSH == nil {
			continue
		}
		far, problem := farOf(p, h, 0)
		host := report.SyncHost{Name: h.Name, Remote: far.String(), Port: far.Port}
		if problem != nil {
			host.Remote, host.Problem = h.SSH.Host, problem.Summary
		}
		list.Hosts = append(list.Hosts, host)
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

// print writes the commands to stdout, one that a shell takes as a whole, and what they
// do to stderr.
func (s *shipment) print(ctx context.Context) error {
	calls := s.Commands()
	if s.json {
		return report.CommandsJSON(s.out, s.summary(), calls)
	}
	if !s.quiet {
		for _, line := range s.why(ctx) {
			if err := writeLine(s.err, "%s", line); err != nil {
				return err
			}
		}
	}
	return report.WriteCommands(s.out, calls, s.report(s.out))
}

// why says in a line each what the printed commands do, and what they take for granted.
func (s *shipment) why(ctx context.Context) []string {
	lines := []string{fmt.Sprintf("# %s. Nothing is deleted. Printed only: --dry-run looks at both machines, --run does it.", s.what())}
	if s.File != "" {
		lines = append(lines, "# scp writes to a name of its own, and the file gets its name when it is whole.")
		if !s.Push {
			lines = append(lines, "# One that is here under that name is gone then; --run keeps it.")
		}
		return lines
	}
	local, _, err := s.localRsync(ctx)
	switch {
	case err != nil:
		lines = append(lines, "# There is no rsync here: "+localRsyncHint)
	case !local.HasDelayUpdates():
		lines = append(lines, fmt.Sprintf("# %s here does not know --delay-updates: %s", local, localRsyncHint))
	default:
		lines = append(lines, fmt.Sprintf("# %s here; any rsync from 2.6.9, or the openrsync of macOS, will do over there.", local))
	}
	return lines
}

// what says what moves from where to where.
func (s *shipment) what() string {
	thing := s.entry.Path
	if s.File != "" {
		thing += "/" + s.File
	}
	if s.Push {
		return fmt.Sprintf("push %s to %s", thing, s.hostName())
	}
	return fmt.Sprintf("pull %s from %s", thing, s.hostName())
}

// summary names the transfer for people and programs.
func (s *shipment) summary() report.Transfer {
	return report.Transfer{
		Name: s.entry.Name, Push: s.Push, Path: s.entry.Path, File: s.File, Host: s.hostName(), Remote: s.Remote.String(), Port: s.Remote.Port,
		Files: []rsync.Change{}, Left: []rsync.Skipped{},
	}
}

// findSync returns the entry of a name, if it goes that way.
func findSync(m *manifest.Manifest, name string, push bool) (manifest.Sync, error) {
	i := slices.IndexFunc(m.Sync, func(s manifest.Sync) bool { return s.Name == name })
	if i < 0 {
		return manifest.Sync{}, noEntry(m, name, push)
	}
	if s := m.Sync[i]; s.Push != push {
		return s, otherWay(s)
	}
	return m.Sync[i], nil
}

// isInterrupted reports whether a program was ended because we were asked to stop.
func isInterrupted(err error) bool { return errors.Is(err, context.Canceled) }
