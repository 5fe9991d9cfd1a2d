package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/layout"
)

// attack is a text that must never reach a terminal as it is: it changes the title, clears the
// screen, reverses the direction of text, and rings the bell.
const attack = "\x1b]0;owned\x07\x1b[2J\u202eevil\u0085\x9b31m\x08\r\x7f"

// checkNoControl checks that the output of a run has no control characters for a terminal.
func checkNoControl(t *testing.T, what string, e runResult) {
	t.Helper()
	for _, text := range []string{e.out, e.err} {
		for i, r := range text {
			if r == '\n' || r == '\t' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) && (r != unicode.ReplacementChar || strings.HasPrefix(text[i:], "\ufffd")) {
				continue
			}
			t.Errorf("%s: control character %q in …%q…", what, r, text[max(0, i-60):min(len(text), i+60)])
			break
		}
	}
}

// checkAllOutput runs the commands that print values of a site, and checks that their output
// has no control characters.
func (s *site) checkAllOutput(what string) {
	s.t.Helper()
	for _, words := range [][]string{
		{"plan"},
		{"plan", "--json"},
		{"status"},
		{"facts", "--all"},
		{"verify"},
		{"verify", "--deep", "--json"},
		{"generations"},
		{"generations", "--json"},
		{"gc", "--dry-run"},
		{"apply", "-y", "-v"},
		{"run", "--", "true"},
		{"rollback"},
		{"status", "--json"},
		{"apply", "-y", "--json"},
	} {
		words = append([]string{"--env", "local"}, words...)
		checkNoControl(s.t, fmt.Sprintf("%s: reconcile %v", what, words), s.run(words...))
	}
}

// TestHostileNamesOnDisk checks that names and contents of files are escaped.
func TestHostileNamesOnDisk(t *testing.T) {
	t.Parallel()
	s := newInstalledSite(t)
	generation := must(filepath.EvalSymlinks(s.path(".venv/generation")))
	check(t, os.Mkdir(filepath.Join(filepath.Dir(generation), "x"+attack), 0o755))
	check(t, os.WriteFile(s.path(".venv/lib/python3.10/site-packages/y"+attack), []byte("x"), 0o644))
	s.checkAllOutput("a foreign file and folder")
	check(t, os.WriteFile(s.path("data/readme.txt"), []byte("mine\n"+attack+"\nread me\n"), 0o644))
	s.checkAllOutput("a file that differs")
	check(t, os.RemoveAll(s.path("data")))
	check(t, os.Symlink("elsewhere"+attack, s.path("data")))
	s.checkAllOutput("a link in place of a directory")
	check(t, os.RemoveAll(s.path(".venv")))
	check(t, os.Symlink("elsewhere"+attack, s.path(".venv")))
	s.checkAllOutput("a link in place of an environment")
	check(t, os.Remove(s.path(".venv")))
	check(t, os.MkdirAll(s.path(".venv/"+attack), 0o755))
	s.checkAllOutput("a foreign folder in place of an environment")
}

// TestHostileGeneration checks that the target of an edited generation link is escaped.
func TestHostileGeneration(t *testing.T) {
	t.Parallel()
	s := newInstalledSite(t)
	check(t, os.Remove(s.path(".venv/generation")))
	check(t, os.Symlink("/store/projects/"+attack, s.path(".venv/generation")))
	s.checkAllOutput("a link to a generation")
}

// TestHostileLockHolder checks that the holder's name, host and command in a lock are escaped.
func TestHostileLockHolder(t *testing.T) {
	t.Parallel()
	b := newBusySite(t, false)
	parts, err := filepath.Glob(b.store("projects/*"))
	check(t, err)
	text, err := json.Marshal(map[string]any{"user": attack, "host": attack, "pid": 1, "command": attack})
	check(t, err)
	check(t, os.WriteFile(layout.Lock(parts[0]), text, 0o600)) // the same file: the lock on it stays
	checkNoControl(t, "another process holds the lock", b.want(5, "apply", "-y", "--env", "local"))
	waiting := b.start("apply", "-y", "--env", "local", "--lock-timeout", "1m")
	b.waitFor(waiting, "Waiting for")
	b.finishImport()
	checkNoControl(t, "waiting for another process", waiting.wait())
	checkNoControl(t, "the process that held it", b.first.wait())
}

// TestHostilePackages checks that file names of packages and their output during the smoke test
// are escaped.
func TestHostilePackages(t *testing.T) {
	t.Parallel()
	evil := fmt.Sprintf("import sys\nsys.stderr.write(%[1]q)\nsys.stdout.write(%[1]q)\nraise ImportError(%[1]q)\n", strings.ToValidUTF8(attack, ""))
	x := newMirror(t, wheel{name: "alpha", version: "1.0", init: evil}, wheel{name: "alpha", version: "2.0", files: map[string]string{
		"alpha/ev\u202eil.py": "x = 1\n", "alpha-2.0.dist-info/entry_points.txt": "[console_scripts]\nev\u202eil = alpha:main\n",
	}})
	s := newSite(t, x.indexURL())
	for _, version := range []string{"1.0", "2.0"} {
		s.write("manifest.yaml", environmentManifest("alpha=="+version))
		s.want(0, "lock", "--env", "local")
		s.checkAllOutput("alpha " + version)
	}
}

// TestHostileIndex checks that responses of the index and its settings are escaped.
func TestHostileIndex(t *testing.T) {
	t.Parallel()
	s, x := newUpgradeSite(t)
	x.setFault(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html; x="+strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, attack))
		http.Error(w, attack, http.StatusForbidden)
		return true
	})
	checkNoControl(t, "apply", s.run("apply", "-y", "--env", "local", "-v"))
	checkNoControl(t, "lock", s.run("lock", "--env", "local", "--upgrade", "-v"))
	s.with("RECONCILE_INDEX_URL=http://127.0.0.1:1/" + strings.ToValidUTF8(attack, "")).checkAllOutput("an address")
	s.with("RECONCILE_CERT=/nowhere/" + strings.ToValidUTF8(attack, "")).checkAllOutput("a CA")
}

// TestHostileArguments checks that arguments and the facts that they name are escaped.
func TestHostileArguments(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.write("manifest.yaml", "version: 1\nproject: site\ndirectories:\n  data: {path: data}\n")
	word := strings.ToValidUTF8(attack, "?")
	s.write("facts.json", fmt.Sprintf(`{"version": 1, "facts": {"host": {"": {"os": %[1]q, "arch": %[1]q, "platform": %[1]q, "hostname": %[1]q}}, "gpu": {"": {"vendor": "none"}}, "path": {"data": {"type": "symlink", "target": %[1]q}}}}`, "\u202eevil"))
	for _, words := range [][]string{
		{word},
		{"plan", word},
		{"plan", "--" + word},
		{"-C", word, "plan"},
		{"-m", word, "plan"},
		{"--env", word, "plan"},
		{"plan", "--facts", word},
		{"plan", "--facts", "facts.json"},
		{"run", "--", word},
		{"rollback", word},
		{"gc", "--keep", word},
	} {
		checkNoControl(t, fmt.Sprintf("reconcile %q", words), s.run(words...))
		checkNoControl(t, fmt.Sprintf("reconcile --json %q", words), s.run(append([]string{"--json"}, words...)...))
	}
}

// TestHostileManifest checks that a manifest with control characters is refused and quoted, and
// that other alphabets are allowed.
func TestHostileManifest(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"escape": "\x1b[31mred", "escape as YAML": `"\x1b]0;owned\a"`, "C1": "\u009b31m", "C1 as YAML": `"\u009b31m"`, "not UTF-8": "\x9b31m",
		"bidi": "\u202eevil", "bidi as YAML": `"\u202eevil"`, "bell": "ding\a", "backspace": "a\b\bb", "delete": "a\x7f", "carriage return": "a\rb",
		"zero": "a\x00b", "zero as YAML": `"a\0b"`, "line separator": "\"a\u2028b\"", "next line as YAML": `"a\Nb"`,
	} {
		for field, text := range map[string]string{
			"purpose": "directories:\n  data: {path: data, purpose: %s}\n",
			"path":    "directories:\n  data: {path: %s}\n",
			"key":     "directories:\n  %s: {path: data}\n",
			"unknown": "%s: 1\n",
			"why":     "environments:\n  local:\n    type: venv\n    python: \"3.10\"\n    path: .venv\n    lock: l.toml\n    platforms: [linux-x86_64]\n    packages:\n      - {name: six, version: 1.16.0, why: %s}\n",
			"comment": "directories: {} # %s\n",
		} {
			s := newSite(t, "")
			s.write("manifest.yaml", "version: 1\nproject: site\n"+fmt.Sprintf(text, value))
			all := [][]string{{"validate"}}
			if field == "purpose" {
				all = append(all, []string{"validate", "--json"}, []string{"plan"}, []string{"plan", "--json"}, []string{"status"}, []string{"apply", "-y"})
			}
			for _, words := range all {
				e := s.run(words...)
				checkNoControl(t, fmt.Sprintf("%s in %s: reconcile %v", name, field, words), e)
				if e.code == 0 && field != "comment" && words[0] == "validate" {
					t.Errorf("%s in %s is accepted: %s", name, field, e)
				}
			}
		}
	}
	s := newSite(t, "")
	s.write("manifest.yaml", "version: 1\nproject: site\ndirectories:\n  data: {path: données/日本, purpose: \"Прошлое — naïve ☃\"}\n")
	if e := s.want(0, "apply", "-y"); !e.contains("données/日本") {
		t.Errorf("other alphabets: %s", e)
	}
}
