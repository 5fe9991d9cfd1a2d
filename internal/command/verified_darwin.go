package command

import "os"

// executable returns a path that executes the open program f: macOS cannot execute an open
// file.
func executable(f *os.File) string { return f.Name() }
