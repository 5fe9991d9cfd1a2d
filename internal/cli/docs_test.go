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

// head is the part of a page that people write.
func pageHead(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCommands holds docs/commands.md to the help of the commands.
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

// flagTable is that of all flags but --help, "" for none.
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

// TestHelp holds what every help must have: what the command does to the machine, its
// exit codes, an example, and no line that a terminal of 80 columns would break.
func TestHelp(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		h := parseHelp(cmd)
		last := h.paragraphs[len(h.paragraphs)-1]
		if !slices.Contains([]effect{readOnly, digests, changes, destructive, writesFiles, ofCommands, pushes, pulls}, effect(last)) {
			t.Errorf("%s: the help does not say what the command changes, but %q", cmd.CommandPath(), last)
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

// A help is a help text that long composed.
type help struct {
	paragraphs []string // each of several lines; the last is the effect
	codes      []exitStatus
}

// An exitStatus is one line of the table.
type exitStatus struct{ code, meaning string }

// helpOf parses the help text of a command, for pages with another layout.
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
