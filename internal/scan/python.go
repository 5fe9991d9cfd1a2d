package scan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// The lines of Python that a scan chooses from, and the one it takes where nothing
// says any.
const (
	oldestLine  = 8
	newestLine  = 14
	defaultLine = "3.10"
)

// projectPython is the line that the project as a whole names.
func (s *scanner) projectPython() said {
	const file = ".python-version"
	text, why, ok := s.text(file)
	if why != "" {
		s.unread(file, why)
	}
	if ok {
		for line, at := range logicalLines(file, text) {
			if v, ok := lineIn(strings.TrimPrefix(line, "cpython-")); ok {
				s.read(file)
				return said{v, at.String()}
			}
			s.unread(file, "it names no version of Python 3")
			break
		}
	}
	return said{}
}

// lineIn returns the line of a version of Python 3 that a manifest takes.
func lineIn(version string) (string, bool) {
	parts := strings.Split(version, ".")
	if len(parts) < 2 || parts[0] != "3" {
		return "", false
	}
	digits := parts[1]
	if len(parts) == 2 {
		digits = strings.TrimRight(digits, "abcdefghijklmnopqrstuvwxyz")
	}
	minor, err := strconv.Atoi(digits)
	if err != nil || strconv.Itoa(minor) != digits || minor < oldestLine || minor > 99 {
		return "", false
	}
	return "3." + digits, true
}

// lineFor returns the oldest line that a specifier allows.
func lineFor(specifier string) (string, bool) {
	clauses, ok := pep.ParseClauses(specifier)
	if !ok || len(clauses) == 0 {
		return "", false
	}
	for minor := oldestLine; minor <= newestLine; minor++ {
		for _, release := range []string{"0", "99"} { // the first and the last of a line
			if allowed, ok := pep.Allows(clauses, fmt.Sprintf("3.%d.%s", minor, release)); ok && allowed {
				return "3." + strconv.Itoa(minor), true
			}
		}
	}
	return "", false
}

// line decides the line of an environment: its own word goes before the project's, an
// installed environment before a range.
func (s *scanner) line(own said, installed *Installed) said {
	if own.value != "" {
		return own
	}
	if s.python.value != "" {
		return s.python
	}
	if installed != nil {
		if v, ok := lineIn(installed.Python); ok {
			return said{v, printable(installed.Path) + " has Python " + printable(installed.Python)}
		}
	}
	if p := s.pyproject.python; p.value != "" {
		if v, ok := lineFor(p.value); ok {
			return said{v, "the oldest that " + p.by + " allows"}
		}
	}
	return said{defaultLine, "nothing here says which: choose"}
}
