package cli

import (
	"slices"
	"strings"
	"testing"
)

// TestFindCommand checks which argument is the command, and that groups of flags before it
// are split.
func TestFindCommand(t *testing.T) {
	flags := (&app{}).root().PersistentFlags()
	for in, want := range map[string]string{
		"plan":                            "> plan",
		"-v plan -qC":                     "-v > plan -qC",
		"-C plan status":                  "-C plan > status",
		"-Cplan status":                   "-Cplan > status",
		"-qC plan status":                 "-q -C plan > status",
		"-qvm a.yaml -qC . plan":          "-qv -m a.yaml -q -C . > plan",
		"-qCplan status":                  "-qCplan > status",
		"--directory plan status":         "--directory plan > status",
		"--directory=x --env plan status": "--directory=x --env plan > status",
		"--json -q":                       "--json -q",
		"-C":                              "-C",
		"- plan":                          "- > plan",
	} {
		split, i := findCommand(flags, strings.Fields(in))
		if i >= 0 {
			split = slices.Insert(slices.Clone(split), i, ">")
		}
		if got := strings.Join(split, " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
