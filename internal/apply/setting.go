package apply

import (
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A setting is an environment variable that a way into a generation sets, in the
// words of each shell. What was there before is kept beside it in a variable of the
// shell that no program sees: a value after "=", nothing for a variable that was not
// set. One that is kept already stays: who enters a second time has ours.
type envVar struct{ name, value string }

// settings are the variables of a generation, with the absolute paths that they
// have in this project.
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

// assign sets a variable in a program that ends with it, in sh.
func (s envVar) assign() string {
	return s.name + "=" + resources.ShellSingleQuote(s.value) + "\nexport " + s.name + "\n"
}

// enter and leave are for sh, bash and zsh, whatever options are set. What is kept is
// lost to a shell that was started inside: it forgets the variable if it is ours.
func (s envVar) enter() string {
	return s.words(`if [ -z "${KEPT+x}" ]; then KEPT="${NAME+=$NAME}"; fi
`) + s.assign()
}

func (s envVar) leave() string {
	return s.words(`if [ -z "${KEPT+x}" ]; then
  if [ "${NAME-}" = VALUE ]; then unset NAME; fi
elif [ -n "$KEPT" ]; then NAME="${KEPT#=}"
else unset NAME
fi
unset KEPT
`, "VALUE", resources.ShellSingleQuote(s.value))
}

// enterFish and leaveFish keep a list: one value, or none.
func (s envVar) enterFish() string {
	return s.words(`if not set -q KEPT
  if set -qg NAME; set -g KEPT "$NAME"; else; set -g KEPT; end
end
set -gx NAME VALUE
`, "VALUE", fishQuote(s.value))
}

func (s envVar) leaveFish() string {
	return s.words(`if set -q KEPT[1]; set -gx NAME $KEPT
else if set -q KEPT; or test "$NAME" = VALUE; set -eg NAME
end
set -eg KEPT
`, "VALUE", fishQuote(s.value))
}

// enterCsh and leaveCsh read variables with :q, which keeps what is in them one word.
func (s envVar) enterCsh() string {
	return s.words(`if (! $?KEPT) then
  set KEPT = ""
  if ($?NAME) then
    set KEPT = "="$NAME:q
  endif
endif
setenv NAME VALUE
`, "VALUE", cshQuote(s.value))
}

func (s envVar) leaveCsh() string {
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

// words puts names into a text of a shell.
func (s envVar) words(text string, more ...string) string {
	return strings.NewReplacer(append([]string{"KEPT", "_RECONCILE_" + s.name, "NAME", s.name}, more...)...).Replace(text)
}

// each joins what one method says of every setting.
func each(settings []envVar, say func(envVar) string) string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString(say(s))
	}
	return b.String()
}
