package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/exit"
)

func manCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "man",
		Example: "  reconcile man | man -l -\n  reconcile man --dir ~/.local/share/man/man1",
		Short:   "print the manual page, or write one for each command",
		Long: long(`
Prints reconcile(1) for man or mandoc. With --dir it writes that page and one for each
command into a folder that exists, in place of those that are there.

The date in the pages is SOURCE_DATE_EPOCH where that is set, and else the date of the
commit that the program was built from, so that equal programs write equal pages.`, writesFiles, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			date, err := a.manDate()
			if err != nil {
				return err
			}
			if dir == "" {
				_, err := io.WriteString(a.out, manPage(cmd.Root(), date))
				return err
			}
			if dir, err = a.config().Path(dir); err != nil {
				return err
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return err
			}
			defer root.Close()
			return writeManPages(root, cmd.Root(), date)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write the pages into `DIR`")
	return cmd
}

// writeManPages writes the page of a command and of all below it.
func writeManPages(root *os.Root, cmd *cobra.Command, date string) error {
	if err := atomicfile.Write(root, manName(cmd)+".1", 0o644, []byte(manPage(cmd, date))); err != nil {
		return fmt.Errorf("write into %s: %w", filepath.Clean(root.Name()), err)
	}
	for _, sub := range subcommands(cmd) {
		if err := writeManPages(root, sub, date); err != nil {
			return err
		}
	}
	return nil
}

// manDate is the day of the pages, "" where it is not known.
func (a *app) manDate() (string, error) {
	if epoch := a.getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 || seconds > 1<<40 {
			return "", exit.Usage("SOURCE_DATE_EPOCH is %q, and must be seconds since 1970", epoch)
		}
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if day, _, ok := strings.Cut(s.Value, "T"); ok && s.Key == "vcs.time" {
				return day, nil
			}
		}
	}
	return "", nil
}

// manName is the name of a command's page: reconcile-plan.
func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the page of a command in the language of man(7).
//
// It is made here, and not by cobra's own package doc: that one links a parser of
// Markdown and one of YAML into a program that starts a hundred times a day, and knows
// neither exit codes nor examples in a text.
func manPage(cmd *cobra.Command, date string) string {
	var m manual
	m.line(".TH %s 1 %q %q %q", roff(strings.ToUpper(manName(cmd))), date, "reconcile "+buildVersion(), "reconcile")
	m.line(".SH NAME")
	m.text(manName(cmd) + " - " + cmd.Short)
	m.line(".SH SYNOPSIS")
	m.line(`\fB%s\fR%s`, roff(cmd.CommandPath()), roff(strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())))
	if cmd.HasAvailableSubCommands() {
		m.line(".br")
		m.line(`\fB%s\fR \fICOMMAND\fR`, roff(cmd.CommandPath()))
	}
	h := helpOf(cmd)
	m.line(".SH DESCRIPTION")
	for i, paragraph := range h.paragraphs {
		if i > 0 {
			m.line(".PP")
		}
		m.paragraph(paragraph)
	}
	if cmd.HasExample() {
		m.line(".SH EXAMPLES")
		m.example(cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		m.line(".SH COMMANDS")
		for _, sub := range subcommands(cmd) {
			m.item(`\fB`+roff(manName(sub))+`\fR(1)`, sub.Short)
		}
	}
	m.flags("OPTIONS", cmd.LocalFlags())
	m.flags("OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	m.line(".SH EXIT STATUS")
	for _, code := range h.codes {
		m.item(code.code, code.meaning)
	}
	m.seeAlso(cmd)
	return m.String()
}

// A manual is a page in the making. Each line that it is given is roff already.
type manual struct{ strings.Builder }

func (m *manual) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

// paragraph writes a paragraph of help: text, or an example.
func (m *manual) paragraph(text string) {
	if strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t") {
		m.example(text)
		return
	}
	m.text(text)
}

// text writes words that man(1) folds by itself. In the source lines are short.
func (m *manual) text(text string) {
	for _, line := range wrap(roff(text), 78) {
		m.line("%s", unrequested(line))
	}
}

// example writes lines as they are, but for what all of them are indented by.
func (m *manual) example(text string) {
	m.line(".RS 4\n.nf")
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		m.line("%s", unrequested(roff(strings.TrimPrefix(strings.TrimPrefix(line, "  "), "\t"))))
	}
	m.line(".fi\n.RE")
}

// item writes a term, which is roff, and what it means.
func (m *manual) item(term, text string) {
	m.line(".TP\n%s", term)
	m.text(text)
}

func (m *manual) flags(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	m.line(".SH %s", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, text := pflag.UnquoteUsage(f)
		term := `\fB` + roff("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			term = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + term
		}
		if name != "" {
			term += ` \fI` + roff(name) + `\fR`
		}
		m.item(term, text)
	})
}

// seeAlso names the page above a command, or the documents of the project.
func (m *manual) seeAlso(cmd *cobra.Command) {
	m.line(".SH SEE ALSO")
	if cmd.HasParent() {
		m.line(`\fB%s\fR(1)`, roff(manName(cmd.Parent())))
		return
	}
	m.text("docs/README.md of the project lists what can be read. `reconcile explain CODE` says what the code of a problem means, `reconcile schema` prints what a manifest can hold.")
}

// roff escapes a text for man(7), with words between backticks in bold.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`).Replace(text)
	for strings.Count(text, "`") >= 2 {
		text = strings.Replace(strings.Replace(text, "`", `\fB`, 1), "`", `\fR`, 1)
	}
	return text
}

// unrequested keeps a line of text from being read as a request.
func unrequested(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
