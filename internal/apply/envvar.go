package apply

import (
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// envVar is an environment variable that activation sets, in several shells. Its old
// value is kept in an unexported variable of the shell, after a "="; that of an unset
// variable is kept empty. A kept value is not overwritten by a second activation.
type envVar struct{ name, value string }

// settings returns the variables of a generation with absolute paths.
func (e *engine) settings(list []resources.Variable) []envVar {
	settings := make([]envVar, len(list))
	for i, v := range list {
		settings[i] = envVar{v.Name, v.Path}
		if !filepath.IsAbs(v.Path) {
			settings[i].value = filepath.Join(e.o.Root, filepath.FromSlash(v.Path))
		}
	}
	return settings
}

// assign sets the variable in sh, without keeping its old value.
func (s envVar) assign() string {
	return s.name + "=" + resources.ShellSingleQuote(s.value) + "\nexport " + s.name + "\n"
}

// set and restore are for sh, bash and zsh with any options. A subshell has no kept
// value: there restore unsets the variable if it still has the value of set.
func (s envVar) set() string {
	return s.words(`if [ -z "${KEPT+x}" ]; then KEPT="${NAME+=$NAME}"; fi
`) + s.assign()
}

func (s envVar) restore() string {
	return s.words(`if [ -z "${KEPT+x}" ]; then
  if [ "${NAME-}" = VALUE ]; then unset NAME; fi
elif [ -n "$KEPT" ]; then NAME="${KEPT#=}"
else unset NAME
fi
unset KEPT
`, "VALUE", resources.ShellSingleQuote(s.value))
}

// setFish and restoreFish keep the value in a list, which is empty for an unset variable.
func (s envVar) setFish() string {
	return s.words(`if not set -q KEPT
  if set -qg NAME; set -g KEPT "$NAME"; else; set -g KEPT; end
end
set -gx NAME VALUE
`, "VALUE", fishQuote(s.value))
}

func (s envVar) restoreFish() string {
	return s.words(`if set -q KEPT[1]; set -gx NAME $KEPT
else if set -q KEPT; or test "$NAME" = VALUE; set -eg NAME
end
set -eg KEPT
`, "VALUE", fishQuote(s.value))
}

// setCsh and restoreCsh use :q, which keeps a value one word.
func (s envVar) setCsh() string {
	return s.words(`if (! $?KEPT) then
  set KEPT = ""
  if ($?NAME) then
    set KEPT = "="$NAME:q
  endif
endif
setenv NAME VALUE
`, "VALUE", cshQuote(s.value))
}

func (s envVar) restoreCsh() string {
	return s.words(`if ($?KEPT) then
  if ($KEPT:q == "") then
    unsetenv NAME
  else
    setenv NAME $KEPT:s/=//:q
  endif
  unset KEPT
endif
`)
}

// words replaces NAME, KEPT and others in a script.
func (s envVar) words(text string, more ...string) string {
	return strings.NewReplacer(append([]string{"KEPT", "_RECONCILE_" + s.name, "NAME", s.name}, more...)...).Replace(text)
}

// joinScripts returns the joined results of a method for every variable.
func joinScripts(settings []envVar, script func(envVar) string) string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString(script(s))
	}
	return b.String()
}
