package scan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// oldestMinor and newestMinor bound the minor version for a range; defaultPython is used if
// no source has one.
const (
	oldestMinor   = 8
	newestMinor   = 14
	defaultPython = "3.10"
)

// readPythonVersion reads .python-version.
func (s *scanner) readPythonVersion() sourced {
	const file = ".python-version"
	text, why, ok := s.readText(file)
	if why != "" {
		s.unread(file, why)
	}
	if ok {
		for line, at := range logicalLines(file, text) {
			if v, ok := minorOf(strings.TrimPrefix(line, "cpython-")); ok {
				s.read(file)
				return sourced{v, at.String()}
			}
			s.unread(file, "it has no version of Python 3")
			break
		}
	}
	return sourced{}
}

// minorOf returns the minor version of a version of Python 3, such as "3.10" of "3.10.13".
func minorOf(version string) (string, bool) {
	parts := strings.Split(version, ".")
	if len(parts) < 2 || parts[0] != "3" {
		return "", false
	}
	digits := parts[1]
	if len(parts) == 2 {
		digits = strings.TrimRight(digits, "abcdefghijklmnopqrstuvwxyz")
	}
	minor, err := strconv.Atoi(digits)
	if err != nil || strconv.Itoa(minor) != digits || minor < oldestMinor || minor > 99 {
		return "", false
	}
	return "3." + digits, true
}

// oldestAllowed returns the oldest minor version that a specifier allows.
func oldestAllowed(specifier string) (string, bool) {
	clauses, ok := pep.ParseClauses(specifier)
	if !ok || len(clauses) == 0 {
		return "", false
	}
	for minor := oldestMinor; minor <= newestMinor; minor++ {
		for _, release := range []string{"0", "99"} { // the first and the last release
			if allowed, ok := pep.Allows(clauses, fmt.Sprintf("3.%d.%s", minor, release)); ok && allowed {
				return "3." + strconv.Itoa(minor), true
			}
		}
	}
	return "", false
}

// pythonFor returns the Python minor version of an environment: from its own file, from
// .python-version, from the installed environment, or from requires-python.
func (s *scanner) pythonFor(own sourced, installed *Installed) sourced {
	if own.value != "" {
		return own
	}
	if s.python.value != "" {
		return s.python
	}
	if installed != nil {
		if v, ok := minorOf(installed.Python); ok {
			return sourced{v, printable(installed.Path) + " has Python " + printable(installed.Python)}
		}
	}
	if p := s.pyproject.python; p.value != "" {
		if v, ok := oldestAllowed(p.value); ok {
			return sourced{v, "the oldest that " + p.by + " allows"}
		}
	}
	return sourced{defaultPython, "choose: no file has a version"}
}
