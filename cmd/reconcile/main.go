// Command reconcile brings a machine to what manifest.yaml says: directories,
// files, pinned Python environments, disk requirements. `reconcile plan` shows
// how this machine differs, `reconcile apply` makes it so.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, newStream(os.Stdout), newStream(os.Stderr)}, os.Environ()))
}
