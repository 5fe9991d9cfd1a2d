package apply

import (
	_ "embed"
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// sealedMessage is printed by pip, uv and conda clients that refuse to change an environment.
const sealedMessage = "This environment is built from manifest.yaml and is never changed in place. To install a package, run: reconcile add NAME"

// pipModule is the pip of an environment without one. Without it, `python -m pip` would fail
// without a remedy, and the shell would start the pip of another Python, which would change
// that one.
//
//go:embed pip.py
var pipModule string

// pipConf makes the pip that a venv contains refuse to change it: pip and uv ignore
// EXTERNALLY-MANAGED in a venv (PEP 668). pip reads this file in sys.prefix, and prints a
// value that is not valid in its error message. Only the two commands that change the
// environment read these sections.
const pipConf = `# Written by reconcile. The values are not valid, so that pip prints them and stops.
[install]
upgrade-strategy = ` + sealedMessage + `
[uninstall]
root-user-action = ` + sealedMessage + `
`

// writePip writes the files that answer `pip` and `python -m pip` in an environment.
func (t *task) writePip(gen place, conda bool) error {
	sitePackages, _, err := pyenv.SitePackages(gen.abs())
	if err != nil {
		return err
	}
	if !conda { // conda environments have EXTERNALLY-MANAGED
		if err := t.createFile(path.Join(gen.rel, pyenv.PipConf), pipConf, 0o644); err != nil {
			return err
		}
	}
	if _, err := t.store.Lstat(path.Join(gen.rel, sitePackages, "pip")); !errors.Is(err, fs.ErrNotExist) {
		return err // it contains pip
	}
	module := path.Join(sitePackages, pyenv.PipModule)
	if err := t.createFile(path.Join(gen.rel, module), pipModule, 0o644); err != nil {
		return err
	}
	python := resources.ShellQuote(filepath.Join(gen.abs(), "bin/python"))
	text := "#!/bin/sh\nexec " + python + " -I " + resources.ShellQuote(filepath.Join(gen.abs(), module)) + " \"$@\"\n"
	for _, name := range []string{"pip", "pip3"} {
		if err := t.writeIfAbsent(path.Join(gen.rel, "bin", name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}
