package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// oldestMinor is the oldest minor version of Python 3 that a manifest may name.
const oldestMinor = 8

// A minor version of Python 3 is released in October of 2011 + N and maintained for five years,
// since PEP 602.
func isReleased(minor int, now time.Time) bool {
	return !now.Before(time.Date(2011+minor, time.November, 1, 0, 0, 0, 0, time.UTC))
}

func isMaintained(minor int, now time.Time) bool {
	return now.Before(time.Date(2016+minor, time.November, 1, 0, 0, 0, 0, time.UTC))
}

// A pythonLimit is a range of Python versions with its source.
type pythonLimit struct {
	clauses []pep.Clause
	by      string
}

// forbids returns the first limit that forbids every release of a minor version, or nil.
func forbids(limits []pythonLimit, minor int) *pythonLimit {
	for i, l := range limits {
		releases := []string{fmt.Sprintf("3.%d.0", minor), fmt.Sprintf("3.%d.99", minor)} // the first and the last one
		for _, c := range l.clauses {
			if strings.HasPrefix(c.Version, fmt.Sprintf("3.%d.", minor)) {
				releases = append(releases, strings.TrimSuffix(c.Version, ".*"))
			}
		}
		allowed := false
		for _, release := range releases {
			ok, valid := pep.Allows(l.clauses, release)
			allowed = allowed || ok || !valid
		}
		if !allowed {
			return &limits[i]
		}
	}
	return nil
}

// A pythonChoice is the Python of an environment, and those that could take its place.
type pythonChoice struct {
	sourced
	others []string // best first; none if a file of the project names the version
	first  sourced  // the choice before NextPython, zero before its first call
	// lacking are the packages that have no wheels for first.
	lacking []string
}

// choosePython returns the Python minor version of an environment. named are versions that files
// name, in the order of preference; limits are the ranges of all files. A named version outside
// of a range is passed over. Without a named one it is the newest maintained version that this
// machine has, otherwise the newest that can be fetched.
func (s *scanner) choosePython(named []sourced, limits []pythonLimit) pythonChoice {
	for _, n := range named {
		minor, ok := minorOf(n.value)
		if !ok {
			continue
		}
		if l := forbids(limits, minor); l != nil {
			s.omit(n.at, fmt.Sprintf("Python 3.%d is not in the range of %s", minor, l.by))
			continue
		}
		return pythonChoice{sourced: sourced{fmt.Sprintf("3.%d", minor), n.by, n.at}}
	}
	type candidate struct{ minor, rank int }
	var list []candidate
	for minor := oldestMinor; isReleased(minor, s.in.Now); minor++ {
		version := fmt.Sprintf("3.%d", minor)
		has, fetched := slices.Contains(s.in.Pythons, version), slices.Contains(s.in.Fetched, version)
		if forbids(limits, minor) != nil {
			continue
		}
		c := candidate{minor, 0}
		if !isMaintained(minor, s.in.Now) {
			c.rank += 10
		}
		switch {
		case has:
		case fetched:
			c.rank++
		case isReleased(minor+1, s.in.Now):
			c.rank += 20
		default:
			c.rank += 21 // many packages have no wheels for the newest yet
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b candidate) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return b.minor - a.minor
	})
	by := "the newest that this machine has"
	if len(limits) > 0 {
		by += " and " + limits[len(limits)-1].by + " allows"
	}
	var choice pythonChoice
	for i, c := range list {
		version := fmt.Sprintf("3.%d", c.minor)
		switch {
		case i > 0:
			choice.others = append(choice.others, version)
			continue
		case c.rank >= 20:
			by = "this machine has no Python in this range"
		case c.rank >= 10:
			by += "; past its end of life"
		case c.rank == 1:
			by = strings.Replace(by, "this machine has", "can be fetched", 1)
		}
		choice.sourced = sourced{value: version, by: by}
	}
	if choice.value == "" {
		choice.sourced = sourced{value: defaultPython, by: "no version is in all ranges"}
	}
	return choice
}

// defaultPython is the version that is written if there is none in the ranges of the files.
const defaultPython = "3.12"

// readPythonVersion reads .python-version.
func (s *scanner) readPythonVersion() []sourced {
	const file = ".python-version"
	text, why, ok := s.readText(file)
	if why != "" {
		s.unread(file, why)
	}
	if !ok {
		return nil
	}
	line := 0
	for text := range strings.Lines(text) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		version := strings.TrimPrefix(text, "cpython-")
		if _, ok := minorOf(version); ok {
			s.read(file)
			at := place{file, line}
			return []sourced{{version, at.String(), at}}
		}
		break
	}
	s.unread(file, "it has no version of Python 3")
	return nil
}

// minorOf returns the minor version of a version of Python 3, such as 10 of "3.10.13".
func minorOf(version string) (int, bool) {
	parts := strings.Split(version, ".")
	if len(parts) < 2 || parts[0] != "3" {
		return 0, false
	}
	digits := parts[1]
	if len(parts) == 2 {
		digits = strings.TrimRight(digits, "abcdefghijklmnopqrstuvwxyz")
	}
	minor, err := strconv.Atoi(digits)
	if err != nil || strconv.Itoa(minor) != digits || minor < oldestMinor || minor > 99 {
		return 0, false
	}
	return minor, true
}
