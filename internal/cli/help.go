package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

// allCodes returns the codes that this program itself ends with, without those of run, and
// without wrong usage, which long adds.
func allCodes() (codes []int) {
	for code := range exit.Meanings() {
		if code != exit.WrongUsage && code != exit.NotExecutable && code != exit.NotFound {
			codes = append(codes, code)
		}
	}
	return codes
}

// An effect states the changes of a command; every help text has one.
type effect string

const (
	readOnly    effect = "Read-only: changes nothing on this machine."
	digests     effect = "Changes nothing on this machine but the digests in the store."
	audits      effect = "Changes nothing on this machine but the recorded result in the store."
	writesFiles effect = "Writes the files that it is asked for, and changes nothing else."
	ofCommands  effect = "The help of each command tells whether it changes this machine."
	pushes      effect = "Read-only; with --run it changes the other machine, and deletes nothing there."
	pulls       effect = "Read-only; with --run it changes this machine, and deletes nothing on either."
	changes     effect = "Changes this machine."
	destructive effect = "Destructive: removed things cannot be restored."
)

// ExitHeading is the heading of the table of exit codes.
const ExitHeading = "\n\nExit codes:\n"

// long returns the help text of a command: description, effect, exit codes.
func long(text string, e effect, codes ...int) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(text) + "\n\n" + string(e) + ExitHeading)
	codes = append(codes, exit.WrongUsage)
	meanings := exit.Meanings()
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(&b, "  %3d  %s\n", code, meanings[code])
	}
	return strings.TrimRight(b.String(), "\n")
}

// helpWidth is the width of help texts in columns, which every terminal has.
const helpWidth = 80

// printHelp prints the help of a command. It is folded here and not where commands are
// created, since that happens at every start.
func printHelp(cmd *cobra.Command, _ []string) {
	if _, err := io.WriteString(cmd.OutOrStdout(), fill(cmd.Long)+"\n\n"); err == nil {
		_ = cmd.Usage() // an error of writing cannot be reported
	}
}

// printUsage prints usage, examples, commands and flags. cobra's own does not fold the
// flags.
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

// subcommands returns the commands that are shown, by name.
func subcommands(cmd *cobra.Command) (shown []*cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			shown = append(shown, sub)
		}
	}
	return shown
}

// fill folds the paragraphs of a text. Lines that begin with a blank or a tab are examples
// and are not folded.
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

// wrap folds a text into lines of at most width columns; a longer word gets its own line.
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
