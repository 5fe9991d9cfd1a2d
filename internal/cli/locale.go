package cli

import (
	"cmp"
	"strings"
)

// isASCII reports whether the reader's locale says that it cannot show more than
// ASCII: C, POSIX, or another character set than UTF-8. Where no locale is set at
// all, as in most containers, the terminal is taken for what terminals are today.
func (a *app) isASCII() bool {
	locale := cmp.Or(a.getenv("LC_ALL"), a.getenv("LC_CTYPE"), a.getenv("LANG"))
	if locale == "" {
		return false
	}
	locale, _, _ = strings.Cut(locale, "@")
	_, charset, named := strings.Cut(locale, ".")
	if !named {
		return locale == "C" || locale == "POSIX" // "de_DE" alone is a matter of each system
	}
	charset = strings.ToLower(strings.ReplaceAll(charset, "-", ""))
	return charset != "utf8"
}
