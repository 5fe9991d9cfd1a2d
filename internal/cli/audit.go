package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/audit"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func auditCommand(a *app) *cobra.Command {
	o := audit.Options{Again: a.again}
	var all bool
	cmd := &cobra.Command{
		Use:     "audit",
		Example: "  reconcile audit\n  reconcile audit --all --json\n  reconcile audit --offline --database all.zip",
		Short:   "find known vulnerabilities, withdrawn releases and ends of life",
		Long: long(`
Compares the locked packages of an environment with the OSV database of known
vulnerabilities, reports the releases that their index marks as withdrawn, and the end of life
of Python, of PyTorch's builds for a CUDA version, and of conda channels. A finding that counts
makes the exit code 3; audit.ignore of the manifest accepts findings, with a reason.

The names and versions of packages that the default index lists, and the ids of the records to
read, are sent to api.osv.dev, or to the server of RECONCILE_OSV_URL. Nothing else is sent, and
nothing about packages from git, URLs and directories, or from other indexes, unless
audit.public_indexes names them. With --database nothing is sent: it names OSV's all.zip for PyPI,
a folder of JSON records, or a file of them.

The environment is that of --env, which may name several, else the only one, else that of this
machine.`, audits, exit.Done, exit.Error, exit.Blocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			envs, err := audit.Select(p, all)
			if err != nil {
				return err
			}
			doc, err := audit.Run(cmd.Context(), p, envs, o)
			if err != nil {
				return err
			}
			if err := p.RecordAudit(cmd.Context(), audit.Results(p, doc)); err != nil && !a.quiet {
				_ = writeLine(a.err, "The result could not be recorded for plan, status and doctor: %v", err)
			}
			if a.json {
				err = report.JSON(a.out, doc)
			} else {
				err = report.AuditText(a.out, doc, a.report(a.out))
			}
			if err == nil && doc.Count() > 0 {
				return exit.Quietly(exit.Blocked)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all environments of the manifest")
	cmd.Flags().StringVar(&o.Database, "database", "", "compare with the OSV database in `PATH`, and send nothing")
	cmd.Flags().BoolVar(&o.Offline, "offline", false, "use no network; needs --database")
	cmd.Flags().StringSliceVar(&o.Ignore, "ignore", nil, "accept the finding `ID`; repeatable")
	cmd.Flags().BoolVar(&o.Licenses, "licenses", false, "also print the licences of all packages")
	return cmd
}
