// Command reconcile brings a machine to what manifest.yaml says: directories,
// files, pinned Python environments, disk requirements. `reconcile plan` shows
// how this machine differs, `reconcile apply` makes it so.
package main

import (
	"os"

	"github.com/reconcile-ml/reconcile/pkg/probes"
)

func main() {
	// Before all else, so that no flag matters and nothing is set up: see nvmlHelper.
	if code, ok := probes.Help(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], streams{os.Stdin, newStream(os.Stdout), newStream(os.Stderr)}, os.Environ()))
}
