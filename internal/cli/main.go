// Package cli is the command line of reconcile: its words, flags and exit codes.
package cli

import (
	"os"

	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// Main runs the program with the arguments, streams and environment of this process,
// and returns its exit code.
func Main() int {
	// Before all else, so that no flag matters and nothing is set up: see nvmlHelper.
	if code, ok := probes.RunHelper(os.Args[1:]); ok {
		return code
	}
	return run(os.Args[1:], streams{os.Stdin, newStream(os.Stdout), newStream(os.Stderr)}, os.Environ())
}
