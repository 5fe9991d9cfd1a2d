package report_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain text, ü, 漢字, 🙂":  "plain text, ü, 漢字, 🙂",
		"a\nb\rc\td":            `a\nb\rc\td`,
		"\x1b[31mred\x07\x00":   `\x1b[31mred\x07\x00`,
		"\x7f\u0085\u009b":      `\x7f\u0085\u009b`,
		"abc\u202edcba\u2066":   `abc\u202edcba\u2066`,
		"zero\u200bwidth\ufeff": `zero\u200bwidth\ufeff`,
		"line\u2028separator":   `line\u2028separator`,
		"\xff\xfe":              `\xff\xfe`,
		"tag\U000e0041":         `tag\U000e0041`,
		"\ufffd stays":          "\ufffd stays",
	} {
		if got := report.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

// controls reports whether text has more than graphic characters, line ends and tabs.
func controls(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsGraphic(r) && r != '\n' && r != '\t'
	})
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"plain", hostile, "\x1b", "\u202e", "\xff", "\U000e0041", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := report.Escape(s)
		if controls(got) || strings.ContainsAny(got, "\n\t") {
			t.Fatalf("Escape(%q) = %q", s, got)
		}
		if report.Escape(got) != got {
			t.Fatalf("Escape(%q) is escaped again", s)
		}
	})
}

// TestTextIsEscaped prints hostile text through every page.
func TestTextIsEscaped(t *testing.T) {
	o := report.Options{Width: 80, Detail: true, Verbose: true, Manifest: hostile, ReadText: func(string) (string, error) { return "old\x1b[2J\n", nil }}
	known := facts.Of(
		facts.Environment{Name: hostile, Path: hostile, Current: hostile, Generations: []facts.Generation{{
			Name: hostile, Python: hostile, Base: hostile, Packages: []facts.Package{{Name: hostile, Version: hostile, Origin: hostile}},
		}}},
		facts.Environment{Name: "b", Path: hostile, Foreign: hostile},
		facts.GPU{Vendor: hostile, Driver: hostile},
		facts.Disk{Path: hostile},
	)
	known.Fail(facts.HostKey, hostile)
	m := report.Machine{Plan: hostilePlan(), Facts: known, Options: o}
	damage := []facts.Damage{{What: hostile, Path: hostile, Dist: hostile}}
	generations := []report.Generation{{Name: hostile, Created: hostile, Python: hostile}}
	pages := map[string]func(*bytes.Buffer) error{
		"plan":            func(b *bytes.Buffer) error { return report.Plan(b, hostilePlan(), o) },
		"plan json":       func(b *bytes.Buffer) error { return report.PlanJSON(b, hostilePlan()) },
		"status":          func(b *bytes.Buffer) error { return report.Status(b, m) },
		"status json":     func(b *bytes.Buffer) error { return report.StatusJSON(b, m) },
		"facts":           func(b *bytes.Buffer) error { return report.Facts(b, known) },
		"problems":        func(b *bytes.Buffer) error { return report.Problems(b, errors.New(hostile), o) },
		"problems json":   func(b *bytes.Buffer) error { return report.ProblemsJSON(b, errors.New(hostile)) },
		"damage":          func(b *bytes.Buffer) error { return report.Damage(b, damage, o) },
		"generations":     func(b *bytes.Buffer) error { return report.Generations(b, generations, o) },
		"problem of plan": func(b *bytes.Buffer) error { return report.Problems(b, hostilePlan().Items[1].Change.Problem, o) },
		"package of plan": func(b *bytes.Buffer) error {
			return report.PackageChange(b, hostilePlan().Items[0].Change.Packages[0], o)
		},
		"a hostile position": func(b *bytes.Buffer) error { return report.Problems(b, &diag.Problem{Pos: diag.Pos{File: hostile}}, o) },
	}
	for name, print := range pages {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := print(&b); err != nil {
				t.Fatal(err)
			}
			if b.Len() == 0 || controls(b.String()) {
				t.Errorf("printed %q", &b)
			}
		})
	}
}

// FuzzCommand asks bash to read a printed command back.
func FuzzCommand(f *testing.F) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Skip("no bash on this machine")
	}
	for _, s := range []string{"plain", "it's", "a b", hostile, "$(id)", `\`, "\x1b[0m'", "\u202e", "\u0085", "\xff1", "\x01f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			return // no argument of a process holds one
		}
		cmd := exec.Command(bash, "-c", "printf '%s.' "+report.Command([]string{word}))
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.Output()
		if err != nil || string(out) != word+"." {
			t.Fatalf("bash reads %s as %q, %v, want %q", report.Command([]string{word}), out, err, word)
		}
	})
}
