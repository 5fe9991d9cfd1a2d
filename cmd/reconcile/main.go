// Command reconcile brings a machine to what manifest.yaml says: directories,
// files, pinned Python environments, disk requirements. `reconcile plan` shows
// how this machine differs, `reconcile apply` makes it so.
package main

import (
	"os"

	"github.com/reconcile-ml/reconcile/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Standard(), os.Environ()))
}
