package wheels

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A place is the directory of an environment for a file of a wheel, and its path there.
type place struct {
	scheme string // "lib", "scripts", "headers" or "data"
	rel    string
}

// place returns the place of a file of the wheel. Files of a directory *.data are spread
// over the environment.
func (e *Entry) place(name string) (place, error) {
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(e.InfoDir, infoSuffix)+".data/")
	if !ok {
		return place{"lib", name}, nil
	}
	scheme, rel, ok := strings.Cut(rest, "/")
	if !ok {
		return place{}, fmt.Errorf("%q is in no directory for data", name)
	}
	switch scheme {
	case "purelib", "platlib": // one directory in the environments of venv and conda
		return place{"lib", rel}, nil
	case "scripts":
		return place{scheme, rel}, checkScript(rel)
	case "headers":
		return place{scheme, rel}, nil
	case "data":
		return place{scheme, rel}, checkData(rel)
	}
	return place{}, fmt.Errorf("%q is in an unknown directory for data", name)
}

// checkData returns an error for the files of an environment that do not belong to a
// distribution.
func checkData(rel string) error {
	top, name, _ := strings.Cut(rel, "/")
	for _, reserved := range []string{"reconcile", "conda-meta", "pyvenv.cfg"} {
		if strings.EqualFold(top, reserved) {
			return fmt.Errorf("the data file %q would be a part of the environment itself", rel)
		}
	}
	if strings.EqualFold(top, "bin") && isInterpreter(name) {
		return fmt.Errorf("the data file %q has the name of the interpreter", rel)
	}
	return nil
}

// A scheme is the directories of an environment, relative to it.
type scheme struct{ site, bin, include string }

// readScheme returns the directories of an environment. Like pip, it puts headers into a
// directory of their own, except in conda environments.
func readScheme(prefix, minor string) scheme {
	s := scheme{site: layout.SitePackages("", minor), bin: "bin", include: "include/site/python" + minor}
	var st unix.Stat_t
	if rawfile.Lstat(filepath.Join(prefix, "conda-meta"), &st) == nil {
		s.include = "include/python" + minor
	}
	return s
}

// path returns the path of a file of an entry, relative to the environment.
func (s scheme) path(e *Entry, p place) string {
	switch p.scheme {
	case "scripts":
		return path.Join(s.bin, p.rel)
	case "headers":
		return path.Join(s.include, e.Name, p.rel)
	case "data":
		return p.rel
	}
	return path.Join(s.site, p.rel)
}
