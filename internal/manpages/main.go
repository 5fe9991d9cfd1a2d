// Command manpages writes a manual page for each command of reconcile into a directory:
//
//	go run ./internal/manpages DIR
//
// The date of the pages is SOURCE_DATE_EPOCH if that is set, else today.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/reconcile-ml/reconcile/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/manpages DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write writes the pages into dir, which is created.
func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := cli.Root()
	format(root)
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "reconcile", Manual: "reconcile"}, dir)
}

// format turns the help text of a command, and of those below it, into Markdown: the table
// of exit codes becomes a section with a code block.
func format(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	text, codes, _ := strings.Cut(cmd.Long, cli.ExitHeading)
	cmd.Long = text + "\n\n# EXIT STATUS\n\n    " + strings.ReplaceAll(codes, "\n", "\n    ")
	for _, sub := range cmd.Commands() {
		format(sub)
	}
}
