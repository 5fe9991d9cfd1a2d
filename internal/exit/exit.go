// Package exit defines the exit codes of the program, and errors that carry one.
package exit

import (
	"errors"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// The exit codes, one table for all commands.
const (
	Done          = 0   // done, or nothing to do
	Error         = 1   // an error
	Differs       = 2   // the machine differs (plan --detailed-exitcode, status, verify)
	Blocked       = 3   // a check failed or a change is blocked, and nothing was changed
	Partly        = 4   // applied in part, the rest is named
	Locked        = 5   // the machine is locked by another run
	Stale         = 6   // the saved plan was refused, and nothing was changed
	WrongUsage    = 64  // wrong usage
	NotExecutable = 126 // run: the program cannot be executed
	NotFound      = 127 // run: there is no such program
	Interrupted   = 130 // interrupted by a signal
)

// Meanings returns what each code means, for help texts.
func Meanings() map[int]string {
	return map[int]string{
		Done:          "done, or nothing to do",
		Error:         "an error; the message has a remedy",
		Differs:       "a difference was found, or damage",
		Blocked:       "a check failed or a change is blocked; nothing was changed",
		Partly:        "applied in part; failures and reasons are listed",
		Locked:        "another run holds this machine's lock",
		Stale:         "the saved plan no longer fits; nothing was changed",
		WrongUsage:    "wrong usage",
		NotExecutable: "the program cannot be executed",
		NotFound:      "there is no such program",
		Interrupted:   "interrupted; completed changes are listed",
	}
}

// A Status is an error that ends the program with a code. Err is what remains to be
// printed; nil for nothing.
type Status struct {
	Code int
	Err  error
}

func (s *Status) Error() string {
	if s.Err == nil {
		return fmt.Sprintf("exit code %d", s.Code)
	}
	return s.Err.Error()
}

func (s *Status) Unwrap() error { return s.Err }

// With returns an error that ends the program with code after err is printed; nil for
// code Done without an error.
func With(code int, err error) error {
	if code == Done && err == nil {
		return nil
	}
	return &Status{code, err}
}

// Quietly returns an error that ends the program with code and prints nothing; nil for
// code Done.
func Quietly(code int) error { return With(code, nil) }

// Usage returns a problem of wrong usage.
func Usage(format string, args ...any) error {
	return With(WrongUsage, &diag.Problem{Code: "usage", Summary: fmt.Sprintf(format, args...)})
}

// CodeOf returns the exit code for an error, and the part of it that remains to be
// printed.
func CodeOf(err error) (int, error) {
	if s, ok := errors.AsType[*Status](err); ok {
		return s.Code, s.Err
	}
	if err != nil {
		return Error, err
	}
	return Done, nil
}
