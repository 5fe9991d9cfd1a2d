package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth is what help is folded to, in columns: a terminal has as many at least.
const helpWidth = 80

// printHelp prints all of a command's help. It is folded here, and not where commands
// are put together: that happens at every start, and would take a tenth of it.
func printHelp(cmd *cobra.Command, _ []string) {
	if _, err := io.WriteString(cmd.OutOrStdout(), fill(cmd.Long)+"\n\n"); err == nil {
		_ = cmd.Usage() // what cannot be written cannot be reported either
	}
}

// printUsage prints what stands below the description of a command. cobra's own does
// not fold the flags.
func printUsage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range subcommands(cmd) {
			lead := fmt.Sprintf("  %-*s  ", cmd.NamePadding(), sub.Name())
			lines := wrap(sub.Short, helpWidth-len(lead))
			fmt.Fprintf(&b, "%s%s\n", lead, strings.Join(lines, "\n"+strings.Repeat(" ", len(lead))))
		}
	}
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s\n", strings.TrimRight(cmd.LocalFlags().FlagUsagesWrapped(helpWidth), " \n"))
	}
	if cmd.HasAvailableInheritedFlags() {
		fmt.Fprintf(&b, "\nFlags of every command:\n%s\n", strings.TrimRight(cmd.InheritedFlags().FlagUsagesWrapped(helpWidth), " \n"))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n`%s COMMAND --help` tells more about one.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}

// subcommands are those that people are shown, by name.
func subcommands(cmd *cobra.Command) (shown []*cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			shown = append(shown, sub)
		}
	}
	return shown
}

// fill folds the paragraphs of a text anew. Lines that begin with a blank or a tab are
// examples and stay as they are.
func fill(text string) string {
	var lines, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			lines, paragraph = append(lines, wrap(strings.Join(paragraph, " "), helpWidth)...), nil
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line == "" || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			flush()
			lines = append(lines, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	flush()
	return strings.Join(lines, "\n")
}

// wrap folds a text into lines of at most width columns, a longer word by itself.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// A help is the description of a command, as long composed it.
type help struct {
	paragraphs []string // each of several lines; the last says what the command changes
	codes      []exitStatus
}

// An exitStatus is one line of the table.
type exitStatus struct{ code, meaning string }

// helpOf takes the description of a command apart, for pages that set it otherwise.
func helpOf(cmd *cobra.Command) help {
	text, table, _ := strings.Cut(fill(cmd.Long), exitHeading)
	h := help{paragraphs: strings.Split(strings.TrimSpace(text), "\n\n")}
	for line := range strings.Lines(table) {
		if code, meaning, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			h.codes = append(h.codes, exitStatus{code, meaning})
		}
	}
	return h
}
