// Command reconcile brings a machine to what manifest.yaml says: directories,
// files, pinned Python environments, disk requirements. `reconcile plan` shows
// how this machine differs, `reconcile apply` makes it so.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A reader that goes away (`reconcile apply | head -1`) must not end an
	// apply in the middle; writes to it fail instead, and a stream drops them.
	// Taken, not ignored: what `reconcile run` becomes would go on ignoring it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], streams{os.Stdin, stream{os.Stdout}, stream{os.Stderr}}, os.Environ()))
}
