package facts

import (
	"testing"
)

func TestDamageDescription(t *testing.T) {
	for want, d := range map[string]Damage{
		"lib/a.py: missing":                                               {What: "missing", Path: "lib/a.py", Dist: "a"},
		"lib/a.py: changed":                                               {What: "changed", Path: "lib/a.py", Dist: "a"},
		"six: missing":                                                    {What: "missing", Dist: "six"},
		"lib/b: not installed by reconcile":                               {What: "foreign", Path: "lib/b"},
		"bin/python: interpreter not found":                               {What: "interpreter", Path: "bin/python"},
		"six: 1.16.0 installed instead of 1.17.0":                         {What: "package", Path: "lib/six-1.16.0.dist-info", Dist: "six", Version: "1.16.0", Sealed: "1.17.0"},
		"six: package was changed by hand":                                {What: "package", Path: "lib/Six-1.17.0.dist-info", Dist: "six", Version: "1.17.0", Sealed: "1.17.0"},
		"location: the project was moved or copied from another location": {What: "moved", Path: "bin/pip"},
		"generation: interpreter not found":                               {What: "interpreter"},
	} {
		if got := d.Subject() + ": " + d.Description(); got != want {
			t.Errorf("%+v is %q, want %q", d, got, want)
		}
	}
}
