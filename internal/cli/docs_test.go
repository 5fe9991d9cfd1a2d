package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

// pageHead returns the handwritten part of a page.
func pageHead(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "docs", page))
	check(t, err)
	return string(text)
}

// TestCommands checks that docs/commands.md has the help of all commands.
func TestCommands(t *testing.T) {
	var b strings.Builder
	b.WriteString(pageHead(t, "commands.md"))
	root := (&app{}).root()
	b.WriteString("## Flags of every command\n\n" + flagTable(root.PersistentFlags()))
	b.WriteString("\n## Exit codes\n\n" + codeTable(parseHelp(root)))
	for _, cmd := range subcommands(root) {
		commandSection(&b, cmd, "##")
	}
	golden.Check(t, "../../docs/commands.md", []byte(b.String()))
}

func commandSection(b *strings.Builder, cmd *cobra.Command, level string) {
	fmt.Fprintf(b, "\n%s %s\n\n```text\n%s\n```\n", level, cmd.CommandPath(), cmd.UseLine())
	h := parseHelp(cmd)
	for i, paragraph := range h.paragraphs {
		switch {
		case strings.HasPrefix(paragraph, " "), strings.HasPrefix(paragraph, "\t"):
			fmt.Fprintf(b, "\n```sh\n%s\n```\n", unindented(paragraph))
		case i == len(h.paragraphs)-1:
			fmt.Fprintf(b, "\n**%s**\n", paragraph)
		default:
			fmt.Fprintf(b, "\n%s\n", strings.TrimLeft(paragraph, "# "))
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", unindented(cmd.Example))
	}
	if flags := cmd.LocalNonPersistentFlags(); flagTable(flags) != "" {
		fmt.Fprintf(b, "\n%s", flagTable(flags))
	}
	fmt.Fprintf(b, "\n%s", codeTable(h))
	for _, sub := range subcommands(cmd) {
		commandSection(b, sub, level+"#")
	}
}

func unindented(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(line, "  "), "\t"))
	}
	return strings.Join(lines, "\n")
}

// flagTable returns a table of all flags except --help, "" if there are none.
func flagTable(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if b.Len() == 0 {
			b.WriteString("| flag | meaning |\n|---|---|\n")
		}
		name, text := pflag.UnquoteUsage(f)
		flag := "--" + f.Name
		if f.Shorthand != "" {
			flag = "-" + f.Shorthand + ", " + flag
		}
		if name != "" {
			flag += " " + name
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", flag, strings.ReplaceAll(text, "|", `\|`))
	})
	return b.String()
}

func codeTable(h help) string {
	var b strings.Builder
	b.WriteString("| exit code | meaning |\n|---|---|\n")
	for _, code := range h.codes {
		fmt.Fprintf(&b, "| %s | %s |\n", code.code, code.meaning)
	}
	return b.String()
}

// TestHelp checks that the help of every command has its effect on the machine, its exit codes
// and an example, and no line that is too wide for a terminal of 80 columns.
func TestHelp(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		h := parseHelp(cmd)
		last := h.paragraphs[len(h.paragraphs)-1]
		if !slices.Contains([]effect{readOnly, digests, audits, changes, destructive, writesFiles, ofCommands, pushes, pulls}, effect(last)) {
			t.Errorf("%s: the help ends with %q, not with the effect of the command", cmd.CommandPath(), last)
		}
		if len(h.codes) < 2 {
			t.Errorf("%s: the help lists no exit codes", cmd.CommandPath())
		}
		if cmd.HasParent() && !cmd.Parent().HasParent() && !cmd.HasExample() {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.Lines(fill(cmd.Long) + "\n" + cmd.UsageString()) {
			if width := utf8.RuneCountInString(strings.TrimRight(line, "\n")); width > helpWidth && !strings.Contains(line, "completion") {
				t.Errorf("%s: a line of %d columns: %s", cmd.CommandPath(), width, line)
			}
		}
		for _, sub := range subcommands(cmd) {
			check(sub)
		}
	}
	check((&app{}).root())
}

// A help is a parsed help text.
type help struct {
	paragraphs []string // the last is the effect
	codes      []exitStatus
}

// An exitStatus is one line of the table of exit codes.
type exitStatus struct{ code, meaning string }

// parseHelp parses the help text of a command.
func parseHelp(cmd *cobra.Command) help {
	text, table, _ := strings.Cut(fill(cmd.Long), ExitHeading)
	h := help{paragraphs: strings.Split(strings.TrimSpace(text), "\n\n")}
	for line := range strings.Lines(table) {
		if code, meaning, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			h.codes = append(h.codes, exitStatus{code, meaning})
		}
	}
	return h
}
