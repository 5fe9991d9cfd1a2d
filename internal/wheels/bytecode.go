package wheels

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// bytecode adds the bytecode that the entries have, and returns the number of its files. It
// replaces that of a wheel, which may be outdated and is not compared with RECORD.
func (a *assembly) bytecode(entries []*Entry) (n int, err error) {
	installed := sources(a.minor, entries)
	for _, e := range entries {
		if err := e.eachBytecode(a.scheme, a.minor, func(source string, t target) {
			if installed[source].entry != e { // it is that of another distribution
				return
			}
			n++
			if i, ok := a.taken[t.path]; ok {
				a.targets[i] = t
				return
			}
			a.target(t)
		}); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// eachBytecode calls add for the bytecode of the sources of an entry. source is the path of
// the source in the environment.
func (e *Entry) eachBytecode(s scheme, minor string, add func(source string, t target)) error {
	root := e.bytecodeRoot(minor)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		stem, ok := strings.CutSuffix(filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator))), ".pyc")
		f := e.file(stem + ".py")
		if !ok || f == nil {
			return nil
		}
		p, err := e.place(f.Path)
		if err != nil || p.scheme != "lib" {
			return err
		}
		source := s.path(e, p)
		add(source, target{path: pyenv.BytecodePath(source, minor), entry: e, from: name, mode: 0o644})
		return nil
	})
	if rawfile.IsAbsent(err) {
		return nil
	}
	return err
}

// SharedBytecode returns where entries keep the bytecode of the sources that Assemble puts
// into site-packages: absolute paths, see Entry.BytecodePath, by the path of the source in
// the environment.
func SharedBytecode(minor string, entries []*Entry) map[string]string {
	shared := map[string]string{}
	for name, s := range sources(minor, entries) {
		shared[name] = s.entry.BytecodePath(s.path, minor)
	}
	return shared
}

// A source is a Python source of an entry.
type source struct {
	entry *Entry
	path  string // in the wheel
}

// sources returns the sources that Assemble puts into site-packages, by their paths in the
// environment.
func sources(minor string, entries []*Entry) map[string]source {
	s := scheme{site: layout.SitePackages("", minor)}
	found := map[string]source{}
	for _, e := range entries {
		for i := range e.Files {
			name := e.Files[i].Path
			p, err := e.place(name)
			if err != nil || p.scheme != "lib" || !strings.HasSuffix(name, ".py") {
				continue
			}
			if to := s.path(e, p); found[to].entry == nil { // the first one is installed
				found[to] = source{e, name}
			}
		}
	}
	return found
}
