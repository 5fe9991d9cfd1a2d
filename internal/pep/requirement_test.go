package pep

import (
	"strings"
	"testing"
)

func TestParseRequirement(t *testing.T) {
	for _, c := range []struct{ in, want, pin, marker string }{
		{"numpy==1.26.4", "numpy==1.26.4", "1.26.4", ""},
		{" pandas [ excel , html ] >= 2 , < 3 ; python_version > '3.9'", "pandas[excel,html]>=2,<3", "", "python_version > '3.9'"},
		{"nvidia-nccl-cu12 (==2.18.1) ; platform_system == \"Linux\"", "nvidia-nccl-cu12==2.18.1", "2.18.1", "platform_system == \"Linux\""},
		{"torch===2.1.2+cu121", "torch===2.1.2+cu121", "2.1.2+cu121", ""},
		{"six==1.*", "six==1.*", "", ""},
		{"x==1.0-RC.1", "x==1.0-RC.1", "1.0rc1", ""},
		{"name", "name", "", ""},
		{"empty[]", "empty", "", ""},
		{"trailing>=1,", "trailing>=1", "", ""},
	} {
		r, err := ParseRequirement(c.in)
		pin, _ := r.Pin()
		if err != nil || r.String() != c.want || pin != c.pin || r.Marker != c.marker {
			t.Errorf("ParseRequirement(%q) = %q, pin %q, marker %q, %v", c.in, r.String(), pin, r.Marker, err)
		}
	}
	if r, err := ParseRequirement("mine @ https://user:secret@host/x;y.whl ; os_name == 'nt'"); err != nil || r.URL != "https://user:secret@host/x;y.whl" || r.Marker != "os_name == 'nt'" {
		t.Errorf("a direct requirement: got %+v, %v", r, err)
	}
	for _, bad := range []string{"", "-e .", "numpy 1.26", "numpy==", "numpy=1.26", "x[", "x[a b]", "x (==1", "x==1 --hash=sha256:0", "../x", "ä==1"} {
		if r, err := ParseRequirement(bad); err == nil {
			t.Errorf("ParseRequirement(%q) = %+v, want an error", bad, r)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		clauses, release string
		want             bool
	}{
		{">=3.10,<3.13", "3.10", true},
		{">=3.10,<3.13", "3.12.99", true},
		{">=3.10,<3.13", "3.13.0", false},
		{"~=3.10", "3.12", true},
		{"~=3.10.2", "3.10.1", false},
		{"~=3.10.2", "3.11", false},
		{"==3.10.*", "3.10.7", true},
		{"==3.1.*", "3.10.7", false},
		{"!=3.11.*,>3.9", "3.11.1", false},
		{"==3.10", "3.10.0", true},
		{"", "3.8", true},
	} {
		clauses, ok := ParseClauses(c.clauses)
		if got, known := Allows(clauses, c.release); !ok || !known || got != c.want {
			t.Errorf("%q allows %s: %v, want %v (%v, %v)", c.clauses, c.release, got, c.want, ok, known)
		}
	}
	for _, bad := range []Clause{{">=", "x"}, {"=", "1"}, {">=", "1.*"}, {}} {
		if _, ok := Allows([]Clause{bad}, "3.12"); ok {
			t.Errorf("Allows accepts the clause %q", bad)
		}
	}
}

func TestMarker(t *testing.T) {
	env := MarkerEnvironment{"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.10", "extra": ""}
	for marker, want := range map[string]bool{
		`sys_platform == "linux"`: true,
		`sys_platform=='win32' or (platform_machine in "x86_64 amd64" and python_version<"3.11")`: true,
		`python_version >= "3.9" and sys_platform != "linux"`:                                     false,
		`"3.9" < python_version`:          true,
		`platform_machine not in "arm64"`: true,
		`extra == "dev"`:                  false,
		`python_version == "3.10"`:        true,
		`( ( sys_platform == "linux" ) )`: true,
		`sys_platform == "darwin" or extra == "" and python_version ~= "3.8"`: true,
	} {
		if got, ok := env.Holds(marker); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", marker, got, ok, want)
		}
	}
	for _, bad := range []string{"", "(", "sys_platform", "sys_platform ==", "os_name == 'nt'", `sys_platform == "linux" and`, `sys_platform < "linux"`, `sys_platform == "linux`, `python_version > "x"`, strings.Repeat("(", 1000)} {
		if got, ok := env.Holds(bad); ok {
			t.Errorf("Holds(%q) = %v, want an error", bad, got)
		}
	}
}

func TestMarkerVariables(t *testing.T) {
	env := MarkerEnvironment{"sys_platform": "linux", "python_version": "3.10", "python_full_version": "3.10.13", "extra": "flash-attn", "platform_python_implementation": "CPython"}
	for marker, want := range map[string]bool{
		`extra == "Flash_Attn"`:                    true,
		`"flash.attn" == extra`:                    true,
		`extra != 'flash_attn'`:                    false,
		`sys.platform == 'linux'`:                  true,
		`python_implementation == 'CPython'`:       true,
		`python_full_version >= "3.10.2"`:          true,
		`python_full_version < "3.11.0rc1"`:        true,
		`python_full_version ~= "3.10.0"`:          true,
		`"3.9" <= python_version`:                  true,
		`"3.11" > python_version`:                  true,
		`python_version in "3.9 3.10"`:             true,
		`python_version not in "2.7, 3.10"`:        false,
		`python_version == "3.*"`:                  true,
		`python_version != "3.10.*"`:               false,
		`"linux" in sys_platform`:                  true,
		`sys_platform in 'linux darwin'`:           true,
		`python_version >= "3.10" and extra == ''`: false,
	} {
		if got, ok := env.Holds(marker); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", marker, got, ok, want)
		}
	}
}

// TestNot tests that exactly one of a marker and its negation holds.
func TestNot(t *testing.T) {
	for _, marker := range []string{
		`sys_platform == "linux"`, `python_version < '3.9' or sys_platform != 'linux' and "3.12" > python_version`,
		`(sys_platform == "darwin" or python_version >= "3.10") and extra not in "a b"`, `'x' in extra`,
	} {
		not, ok := Not(marker)
		if !ok {
			t.Errorf("Not(%s) fails", marker)
		}
		for _, platform := range []string{"linux", "darwin"} {
			for _, version := range []string{"3.8", "3.10", "3.13"} {
				env := MarkerEnvironment{"sys_platform": platform, "python_version": version, "extra": "a"}
				a, okA := env.Holds(marker)
				b, okB := env.Holds(not)
				both, okBoth := env.Holds(And(marker, not))
				if !okA || !okB || !okBoth || a == b || both {
					t.Errorf("%s is %v and %s is %v on %s with %s", marker, a, not, b, platform, version)
				}
			}
		}
	}
	for _, bad := range []string{"", "(", "x", `python_version ~= "3.8"`, `"a" == `, `and == or`, `a == b)`, strings.Repeat("(", 100)} {
		if not, ok := Not(bad); ok {
			t.Errorf("Not(%q) = %q", bad, not)
		}
	}
}

func TestMarkerOfSets(t *testing.T) {
	env := MarkerEnvironment{"sys_platform": "linux"}
	sets := map[string]map[string]bool{"extra": {"extra-4-demo-cpu": true}, "extras": {"html-clean": true}, "dependency_groups": {}}
	for marker, want := range map[string]bool{
		`extra == 'extra-4-demo-cpu' and sys_platform == 'linux'`: true,
		`'extra-4-demo-cpu' == extra`:                             true,
		`extra != 'extra-4-demo-cpu'`:                             false,
		`extra == 'extra-4-demo-gpu'`:                             false,
		`extra != 'extra-4-demo-gpu'`:                             true,
		`'HTML_clean' in extras`:                                  true,
		`'dev' in dependency_groups`:                              false,
		`'dev' not in dependency_groups`:                          true,
	} {
		if got, ok := env.HoldsWith(marker, sets); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", marker, got, ok, want)
		}
	}
	for _, bad := range []string{`extra < 'x'`, `extras in 'x'`, `extra == extras`, `extra in extra`} {
		if got, ok := env.HoldsWith(bad, sets); ok {
			t.Errorf("HoldsWith(%q) = %v, want an error", bad, got)
		}
	}
}

func FuzzRequirement(f *testing.F) {
	for _, s := range []string{"a==1", "a[b]>=1,<2; python_version<'3'", "a @ https://x ; os_name == 'nt'", "a (==1.*)", "((('"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		env := MarkerEnvironment{"python_version": "3.10"}
		holds, ok := env.Holds(s)
		if not, okNot := Not(s); ok && okNot {
			if got, ok := env.Holds(not); !ok || got == holds {
				t.Errorf("%s is %v, and %s is %v, %v", s, holds, not, got, ok)
			}
		}
		r, err := ParseRequirement(s)
		if err != nil || r.URL != "" {
			return
		}
		again, err := ParseRequirement(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q is %q, which is parsed as %q, %v", s, r.String(), again.String(), err)
		}
		if v, ok := r.Pin(); ok && !ValidVersion(v) {
			t.Errorf("%q pins %q", s, v)
		}
		Allows(r.Clauses, "3.10.1")
	})
}
