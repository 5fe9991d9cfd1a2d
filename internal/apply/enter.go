package apply

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// entering is how a generation is entered by its real path, whatever link led to
// it.
type entryPoints struct {
	bin    string // of the generation, absolute
	prefix string // of an environment of conda, absolute; "" for type venv
	// settings are what the manifest has set for those who enter.
	settings []envVar
}

// program is the launcher of a program. Those of conda expect their environment's
// programs to be found, and see what a user installed for himself in the same line
// of Python unless they are told not to.
func (e entryPoints) program(name string) string {
	start := each(e.settings, envVar.assign) + "exec " + resources.ShellQuote(filepath.Join(e.bin, name)) + " \"$@\"\n"
	if e.prefix == "" {
		return "#!/bin/sh\n" + start
	}
	// Without a search path none is added: an empty entry is the folder one is in.
	return "#!/bin/sh\nPATH=" + resources.ShellQuote(e.bin) + "${PATH:+:$PATH} CONDA_PREFIX=" + resources.ShellQuote(e.prefix) +
		" PYTHONNOUSERSITE=1\nexport PATH CONDA_PREFIX PYTHONNOUSERSITE\n" + start
}

// activators are the files to source, each in the words of its shell. Those of type
// venv lead to the files of what made it, where it knows that shell.
func (e entryPoints) activators() map[string]string {
	if e.prefix != "" {
		return map[string]string{"activate": condaActivate(e.prefix)}
	}
	return e.venvActivators()
}

// condaSigns writes what keeps an environment of conda as it is, and bound to its
// real path. conda (25.5 and later) does not change one with the file frozen (CEP
// 22), pip and uv do not install into one that is EXTERNALLY-MANAGED (PEP 668).
func (t *task) writeCondaFiles(gen place, enter entryPoints) error {
	sitePackages, _, err := pyenv.SitePackages(gen.abs())
	if err != nil {
		return err
	}
	const message = "This environment is built from manifest.yaml and is never changed in place. Add the package there, then run: reconcile lock && reconcile apply"
	activate, deactivate := path.Join(gen.rel, "etc/conda/activate.d"), path.Join(gen.rel, "etc/conda/deactivate.d")
	frozen, managed := path.Join(gen.rel, "conda-meta/frozen"), path.Join(gen.rel, path.Dir(sitePackages), "EXTERNALLY-MANAGED")
	if err := errors.Join(
		t.writeIfAbsent(frozen, "{\"message\": \""+message+"\"}\n", 0o644),
		t.writeIfAbsent(managed, "[externally-managed]\nError = "+message+"\n", 0o644),
	); err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{
		{path.Join(activate, pyenv.ActivateName+".sh"), condaBind(enter)},
		{path.Join(activate, pyenv.ActivateName+".fish"), condaBindFish(enter)},
		{path.Join(deactivate, pyenv.ActivateName+".sh"), each(enter.hygiene(), envVar.leave)},
		{path.Join(deactivate, pyenv.ActivateName+".fish"), each(enter.hygiene(), envVar.leaveFish)},
	} {
		if err := t.root.MkdirAll(path.Dir(f.name), 0o755); err != nil {
			return err
		}
		if err := t.createFile(f.name, f.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// condaBind is sourced by clients of conda once they have put the visible place
// before PATH and into CONDA_PREFIX. It puts the generation in its place, so that
// the shell stays in it, leaves it as if it had been activated by that path, and
// sources the scripts of packages of this generation.
func condaBind(e entryPoints) string {
	g := resources.ShellQuote(e.prefix)
	return `# Written by reconcile: the shell stays in this generation, whatever the visible place shows later.
if [ -n "${CONDA_PREFIX-}" ] && [ "$CONDA_PREFIX" != ` + g + ` ]; then
  case ":$PATH:" in
  *":$CONDA_PREFIX/bin:"*)
    PATH=":$PATH:"
    PATH="${PATH%%":$CONDA_PREFIX/bin:"*}:"` + resources.ShellQuote(e.prefix+"/bin") + `":${PATH#*":$CONDA_PREFIX/bin:"}"
    PATH="${PATH#:}"
    PATH="${PATH%:}"
    ;;
  esac
  CONDA_PREFIX=` + g + `
  export PATH CONDA_PREFIX
fi
` + each(e.hygiene(), envVar.enter)
}

// hygiene is what an environment of conda sets beside conda's own variables: what the
// manifest asks for, and that Python imports nothing that the user installed for
// himself in the same line.
func (e entryPoints) hygiene() []envVar {
	return append([]envVar{{"PYTHONNOUSERSITE", "1"}}, e.settings...)
}

func condaBindFish(e entryPoints) string {
	g, bin := fishQuote(e.prefix), fishQuote(e.prefix+"/bin")
	return `# Written by reconcile: the shell stays in this generation, whatever the visible place shows later.
if set -q CONDA_PREFIX; and test "$CONDA_PREFIX" != ` + g + `
  set -l i (contains -i -- "$CONDA_PREFIX/bin" $PATH); and set PATH[$i] ` + bin + `
  set -gx CONDA_PREFIX ` + g + `
end
` + each(e.hygiene(), envVar.enterFish)
}

// condaActivate is the file to source in sh, bash and zsh where no client of conda is
// at hand. It sources the scripts of packages and defines deactivate, which puts back
// what was there: a value after "=", nothing for a variable that was not set. What was
// activated before, by this or by an environment of type venv, is left first, since a
// shell knows one deactivate.
func condaActivate(prefix string) string {
	return `# Written by reconcile. Enters this generation by its real path; leave it with: deactivate
if [ -n "${_RECONCILE_PATH-}${VIRTUAL_ENV-}" ] && [ "$(command -v deactivate 2>/dev/null)" = deactivate ]; then deactivate; fi
_RECONCILE_PATH="=$PATH"
_RECONCILE_PREFIX="${CONDA_PREFIX+=$CONDA_PREFIX}"
_RECONCILE_PS1="${PS1+=$PS1}"
CONDA_PREFIX=` + resources.ShellQuote(prefix) + `
PATH="$CONDA_PREFIX/bin:$PATH"
PS1=` + resources.ShellQuote("("+path.Base(path.Dir(prefix))+") ") + `"${PS1-}"
export PATH CONDA_PREFIX
for _reconcile_script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$_reconcile_script"; done
unset _reconcile_script
deactivate() {
  for _reconcile_script in "$CONDA_PREFIX"/etc/conda/deactivate.d/*.sh; do . "$_reconcile_script"; done
  PATH="${_RECONCILE_PATH#=}"
  if [ -n "$_RECONCILE_PS1" ]; then PS1="${_RECONCILE_PS1#=}"; else unset PS1; fi
  if [ -n "$_RECONCILE_PREFIX" ]; then CONDA_PREFIX="${_RECONCILE_PREFIX#=}"; else unset CONDA_PREFIX; fi
  unset _RECONCILE_PATH _RECONCILE_PREFIX _RECONCILE_PS1 _reconcile_script
  unset -f deactivate
  hash -r 2>/dev/null || true
}
hash -r 2>/dev/null || true
`
}

// fishQuote quotes one word for fish: within quotes only \ and ' are special.
func fishQuote(word string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(word) + "'"
}

// cshQuote quotes one word for csh, where ! acts within quotes too.
func cshQuote(word string) string {
	return "'" + strings.NewReplacer(`'`, `'\''`, `!`, `\!`, "\n", "\\\n").Replace(word) + "'"
}
