package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

// ofAnyCommand are the codes that this program itself ends with, those of run aside.
// Wrong usage needs no mention; see long.
func ofAnyCommand() (codes []int) {
	for code := range exit.Meanings() {
		if code != exit.WrongUsage && code != exit.NotExecutable && code != exit.NotFound {
			codes = append(codes, code)
		}
	}
	return codes
}

// effect says what a command does to the machine; every help text names one.
type effect string

const (
	readOnly    effect = "Read-only: changes nothing on this machine."
	remembers   effect = "Changes nothing on this machine but what it remembers in .reconcile/cache."
	writesFiles effect = "Writes the files that it is asked for, and changes nothing else."
	ofCommands  effect = "The help of each command says whether it changes this machine."
	movesThere  effect = "Read-only; with --run it changes the other machine, and deletes nothing there."
	movesHere   effect = "Read-only; with --run it changes this machine, and deletes nothing on either."
	changes     effect = "Changes this machine."
	destructive effect = "Destructive: what it removes does not come back."
)

// exitHeading stands before the table of exit codes.
const exitHeading = "\n\nExit codes:\n"

// long composes the help text of a command: what it does, what it changes, what
// it returns.
func long(text string, e effect, codes ...int) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(text) + "\n\n" + string(e) + exitHeading)
	codes = append(codes, exit.WrongUsage)
	meanings := exit.Meanings()
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(&b, "  %3d  %s\n", code, meanings[code])
	}
	return strings.TrimRight(b.String(), "\n")
}
