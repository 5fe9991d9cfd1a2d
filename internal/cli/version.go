package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Example: "  reconcile version\n  reconcile version --json",
		Short:   "print the version of this program",
		Long:    long("Prints the version of this program and of the Go that built it.", readOnly, exit.Done),
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	v := buildVersion()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if a.json {
		return report.JSON(a.out, map[string]any{"version": 1, "reconcile": v, "go": runtime.Version(), "platform": platform})
	}
	_, err := fmt.Fprintf(a.out, "reconcile %s (%s, %s)\n", v, runtime.Version(), platform)
	return err
}
