package command

import (
	"fmt"
	"path/filepath"
	"syscall"
)

// Exec replaces this process by program, with args after its name and exactly env as
// its environment. It returns only if that fails.
func Exec(program string, args, env []string) error {
	if !filepath.IsAbs(program) {
		return fmt.Errorf("start %q: the path is not absolute", program)
	}
	err := syscall.Exec(program, append([]string{program}, args...), env)
	return fmt.Errorf("start %s: %w", program, err)
}
