package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// The exit codes, one table for all commands.
const (
	exitDone          = 0   // done, or nothing to do
	exitError         = 1   // an error
	exitDiffers       = 2   // the machine differs (plan --detailed-exitcode, status, verify)
	exitBlocked       = 3   // a check failed or a change is blocked, and nothing was changed
	exitPartly        = 4   // applied in part, the rest is named
	exitLocked        = 5   // the machine is locked by another run
	exitStale         = 6   // the saved plan was refused, and nothing was changed
	exitUsage         = 64  // wrong usage
	exitNotExecutable = 126 // run: the program cannot be executed
	exitNotFound      = 127 // run: there is no such program
	exitInterrupted   = 130 // interrupted by a signal
)

var exitMeaning = map[int]string{
	exitDone:          "done, or nothing to do",
	exitError:         "an error; the message says what to do",
	exitDiffers:       "a difference was found, or damage",
	exitBlocked:       "a check failed or a change is blocked; nothing was changed",
	exitPartly:        "applied in part; what failed and why is listed",
	exitLocked:        "another run holds this machine's lock",
	exitStale:         "the saved plan no longer fits; nothing was changed",
	exitUsage:         "wrong usage",
	exitNotExecutable: "the program cannot be executed",
	exitNotFound:      "there is no such program",
	exitInterrupted:   "interrupted; what was done is listed",
}

// exitCode is an error that ends the program with a code of the table. A nil
// err means that everything worth saying was said.
type exitCode struct {
	code int
	err  error
}

func (e *exitCode) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitCode) Unwrap() error { return e.err }

// exit ends a command quietly with a code; 0 is no error at all.
func exit(code int) error {
	if code == exitDone {
		return nil
	}
	return &exitCode{code: code}
}

// usage is a problem of wrong usage.
func usage(format string, args ...any) error {
	return &exitCode{exitUsage, &diag.Problem{Code: "usage", Summary: fmt.Sprintf(format, args...)}}
}

// codeOf returns the exit code for an error and what is left to print of it.
func codeOf(err error) (int, error) {
	var e *exitCode
	if errors.As(err, &e) {
		return e.code, e.err
	}
	if err != nil {
		return exitError, err
	}
	return exitDone, nil
}

// ofAnyCommand are the codes that this program itself ends with, those of run aside.
// Wrong usage needs no mention; see long.
func ofAnyCommand() (codes []int) {
	for code := range exitMeaning {
		if code != exitUsage && code != exitNotExecutable && code != exitNotFound {
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
	codes = append(codes, exitUsage)
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(&b, "  %3d  %s\n", code, exitMeaning[code])
	}
	return strings.TrimRight(b.String(), "\n")
}
