package state

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// checkNames returns an error unless all paths and names in a line are of the form that
// apply writes. The journal may be in a store from elsewhere, and its paths are removed when
// a resource leaves the manifest.
func (l *line) checkNames() error {
	for i := range l.Done {
		e := &l.Done[i]
		if err := checkKey(e.Addr, e.Key); err != nil {
			return err
		}
		if err := checkPath(e.Left.Path); err != nil {
			return err
		}
	}
	for i := range l.Intents {
		in := &l.Intents[i]
		if err := checkKey(in.Addr, in.Key); err != nil {
			return err
		}
		for _, makes := range in.Makes {
			if err := checkPath(makes.Path); err != nil {
				return err
			}
		}
	}
	for _, s := range l.Switched {
		for _, name := range []string{s.Environment, s.From, s.To} {
			if name != "" && !isName(name) {
				return fmt.Errorf("%q is not the name of a directory", name)
			}
		}
	}
	return nil
}

// checkKey checks the path of a key, and the name of an environment, which is that of a
// directory in the state.
func checkKey(a resources.Addr, k facts.Key) error {
	environment := k.Kind == facts.KindEnvironment
	switch {
	case environment && !isName(k.Name):
		return fmt.Errorf("%q is not the name of an environment", k.Name)
	case (environment || a.Kind == "venv" || a.Kind == "conda") && !isName(a.Name):
		return fmt.Errorf("%q is not the name of an environment", a.Name)
	case k.Kind == facts.KindPath:
		return checkPath(k.Name)
	}
	return nil
}

// checkPath checks a path, "" for none.
func checkPath(p string) error {
	if p == "" {
		return nil
	}
	if p == "." || p == "/" || p == ".." || strings.HasPrefix(p, "../") || path.Clean(p) != p || strings.IndexByte(p, 0) >= 0 {
		return fmt.Errorf("%q is not the path of a resource", p)
	}
	return nil
}

// isName reports whether a text is one element of a path, and no hidden one.
func isName(s string) bool {
	return s != "" && s[0] != '.' && !strings.ContainsAny(s, "/\x00")
}
