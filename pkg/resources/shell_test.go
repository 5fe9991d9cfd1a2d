package resources

import (
	"os/exec"
	"testing"
)

func TestShellJoin(t *testing.T) {
	for want, words := range map[string][]string{
		"uv pip install --python=.venv/bin/python": {"uv", "pip", "install", "--python=.venv/bin/python"},
		`'' 'a b' 'it'\''s' '$HOME' '~' '*'`:       {"", "a b", "it's", "$HOME", "~", "*"},
		"'a\nb' 'ü' '--index=a b'":                 {"a\nb", "ü", "--index=a b"},
	} {
		if got := ShellJoin(words...); got != want {
			t.Errorf("ShellJoin(%q) = %s, want %s", words, got, want)
		}
	}
}

// FuzzShellQuote compares the word with the output of a shell.
func FuzzShellQuote(f *testing.F) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("no sh on this machine")
	}
	for _, s := range []string{"", "a", "it's", "$(id)", "`id`", "~", "a\nb", "\\", "-n", "é", "\x1b[0m", "!x", "a=b", "{a,b}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		for i := range len(word) {
			if word[i] == 0 {
				return // arguments cannot contain it
			}
		}
		out, err := exec.Command(sh, "-c", "printf '%s.' "+ShellQuote(word)).Output()
		if err != nil || string(out) != word+"." {
			t.Fatalf("sh reads %s as %q, %v, want %q", ShellQuote(word), out, err, word)
		}
	})
}
