package python

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// remedy says what to type on this system to get an interpreter of the line.
func (s *Spec) remedy(host facts.Host) string {
	anywhere := fmt.Sprintf("`uv python install %s` or `pyenv install %s`", s.Line, s.Line)
	system := strings.ToLower(host.OSVersion)
	has := func(names ...string) bool {
		for _, n := range names {
			if strings.Contains(system, n) {
				return true
			}
		}
		return false
	}
	switch {
	case host.OS == "darwin":
		return fmt.Sprintf("run `brew install python@%s`, %s", s.Line, anywhere)
	case host.Libc.Name == "musl":
		return fmt.Sprintf("run %s, or use a system with glibc: the wheels in locks need it", anywhere)
	case has("fedora", "rhel", "red hat", "rocky", "alma", "centos"):
		return fmt.Sprintf("run `sudo dnf install python%s` where the release has it, or %s", s.Line, anywhere)
	case has("ubuntu", "debian", "mint"):
		return fmt.Sprintf("run `sudo apt install python%s python%s-venv` where the release has it, or %s", s.Line, s.Line, anywhere)
	case has("arch"):
		return fmt.Sprintf("run %s", anywhere)
	}
	return fmt.Sprintf("install Python %s with the system's packages, or run %s", s.Line, anywhere)
}
