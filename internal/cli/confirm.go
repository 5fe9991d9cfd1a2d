package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
)

// lockOptions returns how a run takes the lock; events receives what it does.
func (a *app) lockOptions(o lockFlags, events func(apply.Event)) session.LockOptions {
	return session.LockOptions{
		Timeout: o.timeout, NoLock: o.noLock, Jobs: o.jobs, Events: events,
		Waiting: func(h state.Holder) { _ = writeLine(a.err, "Waiting for %s", h) },
		Interrupted: func() {
			fmt.Fprintln(a.err, "\nInterrupted: stopping after the current step. Press again to stop at once.")
		},
	}
}

// events returns the receiver of what apply does.
func (a *app) events() func(apply.Event) {
	switch {
	case a.json:
		return report.EventsJSON(a.out)
	case a.quiet:
		return func(apply.Event) {}
	}
	return report.Progress(a.err, a.report(a.err))
}

// eventsText is events for a command that prints one JSON document.
func (a *app) eventsText() func(apply.Event) {
	if a.json {
		return nil
	}
	return a.events()
}

// askYes asks for the word yes, unless it was given on the command line.
func (a *app) askYes(yes bool) error {
	if yes {
		return nil
	}
	if !a.interactive() {
		return exit.Usage("there is no terminal to ask on, so nothing was changed; `-y` does what the plan shows without asking")
	}
	answer, err := a.ask("\nDo this? Only \"yes\" is accepted: ")
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer == "yes" {
		return nil
	}
	fmt.Fprintln(a.err, "\nNothing was changed.")
	return exit.Quietly(exit.Error)
}

// ask prints a question and returns the line that a person answers, without spaces around
// it; io.EOF if there is none. An interrupt ends the command before anything was changed.
func (a *app) ask(question string) (string, error) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	fmt.Fprint(a.err, question)
	if a.answers == nil { // one for all questions: it may read ahead
		a.answers = bufio.NewReader(a.in)
	}
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // a read from a terminal ends only with the program
		line, err := a.answers.ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-interrupts:
		fmt.Fprintln(a.err, "\nNothing was changed.")
		return "", exit.Quietly(exit.Interrupted)
	case got := <-answered:
		if got.err != nil {
			return "", io.EOF // an unfinished line is no answer
		}
		return strings.TrimSpace(got.line), nil
	}
}
