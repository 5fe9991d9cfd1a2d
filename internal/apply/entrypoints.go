package apply

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// entryPoints writes the launchers and activation scripts of a generation, which use
// its real path.
type entryPoints struct {
	bin    string // of the generation, absolute
	prefix string // of a conda environment, absolute; "" for type venv
	// settings are the variables of the manifest, with absolute paths.
	settings []envVar
}

// program returns the launcher of a program. Conda programs expect the environment in
// PATH, and import packages of the user site unless PYTHONNOUSERSITE is set.
func (e entryPoints) program(name string) string {
	start := joinScripts(e.settings, envVar.assign) + "exec " + resources.ShellQuote(filepath.Join(e.bin, name)) + " \"$@\"\n"
	if e.prefix == "" {
		return "#!/bin/sh\n" + start
	}
	// An empty PATH stays without an empty entry, which is the current directory.
	return "#!/bin/sh\nPATH=" + resources.ShellQuote(e.bin) + "${PATH:+:$PATH} CONDA_PREFIX=" + resources.ShellQuote(e.prefix) +
		" PYTHONNOUSERSITE=1\nexport PATH CONDA_PREFIX PYTHONNOUSERSITE\n" + start
}

// activators returns the activation scripts by name. Those of type venv source the
// scripts of the tool that created the environment, for the shells that it supports.
func (e entryPoints) activators() map[string]string {
	if e.prefix != "" {
		return map[string]string{"activate": condaActivate(e.prefix)}
	}
	return e.venvActivators()
}

// writeCondaFiles writes the files that protect a conda environment from changes and
// bind it to its real path. conda (25.5 and later) does not change an environment with
// the file frozen (CEP 22); pip and uv do not install into one with the file
// EXTERNALLY-MANAGED (PEP 668).
func (t *task) writeCondaFiles(gen place, entry entryPoints) error {
	sitePackages, _, err := pyenv.SitePackages(gen.abs())
	if err != nil {
		return err
	}
	activate, deactivate := path.Join(gen.rel, "etc/conda/activate.d"), path.Join(gen.rel, "etc/conda/deactivate.d")
	frozen, managed := path.Join(gen.rel, "conda-meta/frozen"), path.Join(gen.rel, path.Dir(sitePackages), "EXTERNALLY-MANAGED")
	if err := errors.Join(
		t.writeIfAbsent(frozen, "{\"message\": \""+sealedMessage+"\"}\n", 0o644),
		t.writeIfAbsent(managed, "[externally-managed]\nError = "+sealedMessage+"\n", 0o644),
	); err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{
		{path.Join(activate, pyenv.ActivateName+".sh"), condaBind(entry)},
		{path.Join(activate, pyenv.ActivateName+".fish"), condaBindFish(entry)},
		{path.Join(deactivate, pyenv.ActivateName+".sh"), joinScripts(entry.condaVars(), envVar.restore)},
		{path.Join(deactivate, pyenv.ActivateName+".fish"), joinScripts(entry.condaVars(), envVar.restoreFish)},
	} {
		if err := t.store.MkdirAll(path.Dir(f.name), 0o755); err != nil {
			return err
		}
		if err := t.createFile(f.name, f.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// condaBind returns the script that conda clients source after they have put the
// environment path into PATH and CONDA_PREFIX. It replaces that by the path of the
// generation, so that the shell keeps using it, deactivates it by that path, and sources
// the scripts of its packages.
func condaBind(e entryPoints) string {
	g := resources.ShellQuote(e.prefix)
	return `# Written by reconcile: the shell keeps this generation, even if another becomes active.
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
` + joinScripts(e.condaVars(), envVar.set)
}

// condaVars returns the variables that a conda environment sets: those of the manifest,
// and the one that disables the user site of Python.
func (e entryPoints) condaVars() []envVar {
	return append([]envVar{{"PYTHONNOUSERSITE", "1"}}, e.settings...)
}

func condaBindFish(e entryPoints) string {
	g, bin := fishQuote(e.prefix), fishQuote(e.prefix+"/bin")
	return `# Written by reconcile: the shell keeps this generation, even if another becomes active.
if set -q CONDA_PREFIX; and test "$CONDA_PREFIX" != ` + g + `
  set -l i (contains -i -- "$CONDA_PREFIX/bin" $PATH); and set PATH[$i] ` + bin + `
  set -gx CONDA_PREFIX ` + g + `
end
` + joinScripts(e.condaVars(), envVar.setFish)
}

// condaActivate returns the activation script for sh, bash and zsh without a conda
// client. It sources the scripts of packages and defines deactivate, which restores the
// old values. They are kept after a "="; an unset variable is kept empty. An active
// environment, of either type, is deactivated first: a shell has one deactivate.
func condaActivate(prefix string) string {
	return `# Written by reconcile. Activates this generation by its real path; leave it with: deactivate
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

// fishQuote quotes a word for fish, where only \ and ' are special within quotes.
func fishQuote(word string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(word) + "'"
}

// cshQuote quotes a word for csh, where ! is special within quotes too.
func cshQuote(word string) string {
	return "'" + strings.NewReplacer(`'`, `'\''`, `!`, `\!`, "\n", "\\\n").Replace(word) + "'"
}
