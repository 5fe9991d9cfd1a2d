package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

// ask puts a question to the person at the terminal and returns the line that is
// answered, without spaces around it. io.EOF says that no answer will come. An interrupt
// ends the command, before anything was changed.
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
	go func() { // nothing but the end of the program ends a read from a terminal
		line, err := a.answers.ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-interrupts:
		fmt.Fprintln(a.err, "\nNothing was changed.")
		return "", exit(exitInterrupted)
	case got := <-answered:
		if got.err != nil {
			return "", io.EOF // a line that is cut off is no answer
		}
		return strings.TrimSpace(got.line), nil
	}
}
