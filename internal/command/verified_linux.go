package command

import (
	"fmt"
	"os"
)

// executable returns a path that executes the open program f, even if another file replaces it
// meanwhile. It returns f.Name() for a script, and on a machine without /proc.
func executable(f *os.File) string {
	name := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	if _, err := os.Stat(name); err != nil || isScript(f) {
		return f.Name()
	}
	return name
}
