package apply

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// venvActivators lead to the files of what made the environment, where it knows that
// shell. Where something is to be set beside, deactivate puts that back first.
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
		texts[cshLeaving] = e.leaveCsh()
	}
	return texts
}

// venvSh is for sh, bash and zsh. sh cannot give a function another name, so what
// deactivate was before is had by sourcing its file again, which first leaves what
// was entered. A generation that is gone by then has no such file.
func (e entryPoints) venvSh(file string) string {
	activate := ". " + resources.ShellQuote(file) + "\n"
	if len(e.settings) == 0 {
		return activate
	}
	return `# Written by reconcile. Leave it with: deactivate
if [ -n "${_RECONCILE_PATH-}${VIRTUAL_ENV-}" ] && [ "$(command -v deactivate 2>/dev/null)" = deactivate ]; then deactivate; fi
` + activate + each(e.settings, envVar.enter) + `deactivate() {
` + each(e.settings, envVar.leave) + `unset -f deactivate
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
` + activate + each(e.settings, envVar.enterFish) + `functions -q _reconcile_deactivate; and functions -e _reconcile_deactivate
functions -c deactivate _reconcile_deactivate
function deactivate
` + each(e.settings, envVar.leaveFish) + `functions -e deactivate
functions -c _reconcile_deactivate deactivate
functions -e _reconcile_deactivate
deactivate
end
`
}

// cshLeaving is the file that deactivate sources in csh, where it is an alias of one
// line.
const cshLeaving = "deactivate.csh"

func (e entryPoints) venvCsh(file string) string {
	activate := "source " + cshQuote(file) + "\n"
	if len(e.settings) == 0 {
		return activate
	}
	leaving := filepath.Join(filepath.Dir(e.bin), filepath.FromSlash(layout.Launchers("")), cshLeaving)
	return activate + each(e.settings, envVar.enterCsh) + "alias deactivate " + cshQuote("source "+cshQuote(leaving)) + "\n"
}

// leaveCsh sources the file of the environment again, to have its deactivate.
func (e entryPoints) leaveCsh() string {
	return each(e.settings, envVar.leaveCsh) + "source " + cshQuote(filepath.Join(e.bin, "activate.csh")) + "\ndeactivate\n"
}
