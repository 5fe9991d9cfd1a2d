package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

// specifiedLines is the number of lines of the specification by section.
var specifiedLines = map[string]int{
	"User stories": 2, "Local environment (Mac M4, data processing)": 6, "Remote environment (H100, RTX 3090; GPU training)": 6,
	"Project directory structure": 8, "Storage verification": 5, "Dependency version pinning": 5,
	"CUDA and GPU validation (remote only)": 5, "Data sync workflow documentation": 5, "Base model download strategy": 5,
	"Configuration management": 5, "Setup scripts and automation": 5, "Existing code to leverage": 6,
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	mdLink   = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	fileName = regexp.MustCompile(`^[A-Za-z0-9_./-]+\.(sh|py|yaml|yml|json|toml|txt|md)$`)
)

// TestSpecification checks docs/specification.md: its files, commands, flags and tests exist, and
// every line of the specification has a row.
func TestSpecification(t *testing.T) {
	page, err := os.ReadFile("../../docs/specification.md")
	check(t, err)
	tests := testNames(t)
	commands := (&app{}).root()
	section, rows := "", map[string]int{}
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(title)
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| asked for") {
			continue
		}
		if len(cells) != 3 {
			t.Errorf("%s: %d cells in %q", section, len(cells), line)
			continue
		}
		rows[section]++
		checkFulfilled(t, commands, cells[1])
		named := codeSpan.FindAllStringSubmatch(cells[2], -1)
		if len(named) == 0 {
			t.Errorf("%q has no test", cells[0])
		}
		for _, m := range named {
			if !tests[m[1]] {
				t.Errorf("%q: test %s does not exist", cells[0], m[1])
			}
		}
	}
	for section, want := range specifiedLines {
		if rows[section] != want {
			t.Errorf("section %q has %d rows, want %d", section, rows[section], want)
		}
	}
}

// checkFulfilled checks that the files and commands in a cell exist.
func checkFulfilled(t *testing.T, commands *cobra.Command, cell string) {
	if !strings.ContainsAny(cell, "`[") && cell != "the same" {
		t.Errorf("%q names no file or command", cell)
	}
	for _, m := range mdLink.FindAllStringSubmatch(cell, -1) {
		if _, err := os.Stat(filepath.Join("../../docs", m[1])); err != nil {
			t.Errorf("%q: %v", cell, err)
		}
	}
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		word := m[1]
		switch {
		case strings.HasPrefix(word, "reconcile "):
			checkCommand(t, commands, strings.Fields(word)[1:])
		case fileName.MatchString(word):
			if _, err := os.Stat(filepath.Join("../..", word)); err != nil {
				t.Errorf("%q: %v", cell, err)
			}
		}
	}
}

// checkCommand checks that a command has help and the named flags.
func checkCommand(t *testing.T, commands *cobra.Command, words []string) {
	cmd, rest, err := commands.Find(words)
	if err != nil || cmd == commands {
		t.Errorf("there is no command %q: %v", words, err)
		return
	}
	for _, word := range rest {
		if name, ok := strings.CutPrefix(word, "--"); ok && lookupFlag(cmd, name) == nil {
			t.Errorf("%s has no flag %s", cmd.CommandPath(), word)
		} else if !ok && cmd.Parent() == commands && cmd.HasSubCommands() {
			t.Errorf("%s has no command %s", cmd.CommandPath(), word)
		}
	}
	path := strings.Fields(cmd.CommandPath())[1:]
	var out strings.Builder
	if code := Main(append(path, "--help"), Streams{Out: &out, Err: &out}, nil); code != exit.Done || !strings.Contains(out.String(), "Usage:") {
		t.Errorf("%q --help ends with %d: %s", path, code, out.String())
	}
}

func lookupFlag(cmd *cobra.Command, name string) *pflag.Flag {
	if f := cmd.Flags().Lookup(name); f != nil {
		return f
	}
	return cmd.InheritedFlags().Lookup(name)
}

// testNames returns the names of all tests of this repository.
func testNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
	for _, dir := range []string{"../../cmd", "../../pkg", "../../internal", "../../bench"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range declared.FindAllSubmatch(text, -1) {
				names[string(m[1])] = true
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return names
}
