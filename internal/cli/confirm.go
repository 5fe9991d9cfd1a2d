package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
)

// lockFlags are the flags of every command that takes the machine's lock.
type lockFlags struct {
	timeout time.Duration
	noLock  bool // go on where the file system does not keep locks
	jobs    int
}

func (o *lockFlags) registerTimeout(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.timeout, "lock-timeout", 0, "wait `DURATION`, such as 10m, for another run to end")
}

// applyFlags are the flags of the commands that apply a plan.
type applyFlags struct {
	lockFlags
	yes        bool
	detail     bool
	onConflict conflictPolicy // "" to ask, or to overwrite with -y
}

func (o *applyFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do what the plan shows without asking")
	o.registerTimeout(cmd)
	cmd.Flags().BoolVar(&o.noLock, "no-lock", false, "go on where the file system cannot lock; no one else may run reconcile here")
	cmd.Flags().IntVar(&o.jobs, "jobs", 0, "make `N` changes at the same time (default: the number of cores)")
}

func (o *applyFlags) registerDetail(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.detail, "detail", false, "a block for every change, however many there are")
}

// lockOptions returns how a run takes the lock; events receives what it does.
func (a *app) lockOptions(o lockFlags, events func(apply.Event)) session.LockOptions {
	return session.LockOptions{
		Timeout: o.timeout, NoLock: o.noLock, Jobs: o.jobs, Events: events,
		Waiting: func(h state.Holder) { _ = say(a.err, "Waiting for %s", h) },
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
