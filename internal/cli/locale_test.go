package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestLocaleDecidesWhatIsShown(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    bool
	}{
		{nil, false},
		{[]string{"LC_ALL="}, false},
		{[]string{"LC_ALL=C"}, true},
		{[]string{"LANG=POSIX"}, true},
		{[]string{"LANG=C.UTF-8"}, false},
		{[]string{"LANG=C.utf8"}, false},
		{[]string{"LANG=en_US.UTF-8", "LC_ALL=C"}, true},
		{[]string{"LANG=C", "LC_CTYPE=en_US.UTF-8"}, false},
		{[]string{"LC_ALL=C.UTF-8", "LANG=C"}, false},
		{[]string{"LANG=de_DE.ISO-8859-1@euro"}, true},
		{[]string{"LANG=de_DE.UTF-8@euro"}, false},
		{[]string{"LANG=de_DE"}, false},
	} {
		if a := (&app{environ: c.environ}); a.isASCII() != c.want {
			t.Errorf("%v: ASCII is %v", c.environ, !c.want)
		}
	}
}

// TestHelpIsASCIIWhereAskedFor holds that nothing but ASCII leaves the help of any
// command in the C locale.
func TestHelpIsASCIIWhereAskedFor(t *testing.T) {
	for _, cmd := range (&app{}).root().Commands() {
		var out bytes.Buffer
		run([]string{cmd.Name(), "--help"}, streams{nil, &out, &out}, []string{"LC_ALL=C"})
		if at := strings.IndexFunc(out.String(), func(r rune) bool { return r > '~' }); at >= 0 || out.Len() == 0 {
			t.Errorf("%s --help shows %q", cmd.Name(), out.String()[max(0, at-20):])
		}
	}
}
