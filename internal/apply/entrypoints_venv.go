package apply

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// venvActivators returns scripts that source those of the tool that created the
// environment, for the shells that it supports. With variables to set, deactivate
// restores them first.
func (e entryPoints) venvActivators() map[string]string {
	texts := map[string]string{}
	for _, shell := range []struct {
		name string
		text func(file string) string
	}{{"activate", e.venvSh}, {"activate.fish", e.venvFish}, {"activate.csh", e.venvCsh}} {
		file := filepath.Join(e.bin, shell.name)
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			texts[shell.name] = shell.text(file)
		}
	}
	if _, ok := texts["activate.csh"]; ok && len(e.settings) > 0 {
		texts[cshDeactivate] = e.deactivateCsh()
	}
	return texts
}

// venvSh is for sh, bash and zsh. sh cannot rename a function, so deactivate restores the
// original one by sourcing its file again, which deactivates first, and calls it. If the
// file is missing, because the generation was deleted meanwhile, it restores the variables
// itself.
func (e entryPoints) venvSh(file string) string {
	activate := ". " + resources.ShellQuote(file) + "\n"
	if len(e.settings) == 0 {
		return activate
	}
	return `# Written by reconcile. Leave it with: deactivate
if [ -n "${_RECONCILE_PATH-}${VIRTUAL_ENV-}" ] && [ "$(command -v deactivate 2>/dev/null)" = deactivate ]; then deactivate; fi
` + activate + joinScripts(e.settings, envVar.set) + `deactivate() {
` + joinScripts(e.settings, envVar.restore) + `unset -f deactivate
if [ -r ` + resources.ShellQuote(file) + ` ]; then
` + activate + `deactivate
else
  PATH="${_OLD_VIRTUAL_PATH:-$PATH}"
  PS1="${_OLD_VIRTUAL_PS1-${PS1-}}"
  unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT _OLD_VIRTUAL_PATH _OLD_VIRTUAL_PS1
fi
}
`
}

func (e entryPoints) venvFish(file string) string {
	activate := "source " + fishQuote(file) + "\n"
	if len(e.settings) == 0 {
		return activate
	}
	return `# Written by reconcile. Leave it with: deactivate
if set -q VIRTUAL_ENV; and functions -q deactivate; deactivate; end
` + activate + joinScripts(e.settings, envVar.setFish) + `functions -q _reconcile_deactivate; and functions -e _reconcile_deactivate
functions -c deactivate _reconcile_deactivate
function deactivate
` + joinScripts(e.settings, envVar.restoreFish) + `functions -e deactivate
functions -c _reconcile_deactivate deactivate
functions -e _reconcile_deactivate
deactivate
end
`
}

// cshDeactivate is the file that deactivate sources in csh, where it is an alias of one
// line.
const cshDeactivate = "deactivate.csh"

func (e entryPoints) venvCsh(file string) string {
	activate := "source " + cshQuote(file) + "\n"
	if len(e.settings) == 0 {
		return activate
	}
	file = filepath.Join(filepath.Dir(e.bin), filepath.FromSlash(layout.Launchers("")), cshDeactivate)
	return activate + joinScripts(e.settings, envVar.setCsh) + "alias deactivate " + cshQuote("source "+cshQuote(file)) + "\n"
}

// deactivateCsh sources the file of the environment again, to restore its deactivate.
func (e entryPoints) deactivateCsh() string {
	return joinScripts(e.settings, envVar.restoreCsh) + "source " + cshQuote(filepath.Join(e.bin, "activate.csh")) + "\ndeactivate\n"
}
