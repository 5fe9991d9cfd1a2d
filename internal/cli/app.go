// Package cli is the command line of reconcile: one file a command, with its flags, one
// call into a feature or the session, its output and its exit code.
package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/reconcile-ml/reconcile/internal/environments"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/redact"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// An app is one run of the program: the flags of every command, and the process's streams,
// arguments and environment.
type app struct {
	in      *os.File
	out     io.Writer // results
	err     io.Writer // progress, questions and errors
	environ []string
	args    []string // as typed, without the program
	secrets *redact.Redactor

	dir      string   // -C
	manifest string   // -m
	envs     []string // --env
	all      bool     // --all of the commands that work on several environments
	json     bool
	noColor  bool
	quiet    bool
	verbose  bool

	answers *bufio.Reader // of in, once a question was asked
	against string        // the other side of a plan's comparison; "" for the manifest
	started bool          // a command began: later errors are not wrong usage
}

// Streams are the standard files of a process.
type Streams struct {
	In       *os.File
	Out, Err io.Writer
}

// Standard returns the standard files of this process.
func Standard() Streams { return Streams{os.Stdin, newStream(os.Stdout), newStream(os.Stderr)} }

// newApp returns a run of the program whose streams print no secrets.
func newApp(args []string, s Streams, environ []string) *app {
	secrets := redact.New()
	secrets.AddEnviron(environ)
	secrets.AddFiles(environ)
	secrets.AddArguments(args)
	return &app{in: s.In, out: withoutSecrets(s.Out, secrets), err: withoutSecrets(s.Err, secrets), environ: environ, args: args, secrets: secrets}
}

// A terminal is a redacted stream to a file.
type terminal struct {
	*redact.Writer
	file interface{ Fd() uintptr }
}

func (t terminal) Fd() uintptr { return t.file.Fd() }

func withoutSecrets(w io.Writer, secrets *redact.Redactor) io.Writer {
	redacted := secrets.Writer(w)
	if file, ok := w.(interface{ Fd() uintptr }); ok {
		return terminal{redacted, file}
	}
	return redacted
}

// flush writes the text that the streams withhold as the possible beginning of a secret: at
// the end of the program, and before a person is to answer.
func (a *app) flush() {
	for _, w := range []io.Writer{a.out, a.err} {
		_ = w.(interface{ Flush() error }).Flush() // as other errors of these streams
	}
}

// setJSON sets whether the results are JSON, in which secrets are replaced so that it
// remains valid.
func (a *app) setJSON(isJSON bool) { a.out.(interface{ SetJSON(bool) }).SetJSON(isJSON) }

// printsJSON reports whether a command prints JSON without --json.
func printsJSON(cmd *cobra.Command) bool {
	format := cmd.Flags().Lookup("format")
	return cmd.Name() == "facts" || cmd.Name() == "schema" || format != nil && format.Value.String() == "json"
}

// reportPanic ends a panic of the goroutine that defers it: it prints the reason without
// secrets, and where it occurred, and sets the exit code.
func (a *app) reportPanic(code *int) {
	if reason := recover(); reason != nil {
		fmt.Fprintf(a.err, "panic: %v\n\n%s", reason, debug.Stack())
		*code = exit.Error
	}
}

// config returns how this run was started.
func (a *app) config() *session.Config {
	return &session.Config{Dir: a.dir, Manifest: a.manifest, Environments: a.envs, All: a.all, Environ: a.environ, Stdin: a.in, Program: buildVersion(), Args: a.args, Now: clock, Redactor: a.secrets}
}

// target opens the project on this machine, or on the one whose facts are in factsFile,
// and selects the environment.
func (a *app) target(ctx context.Context, factsFile string) (*session.Target, error) {
	p, err := session.Open(ctx, a.config(), factsFile)
	if err != nil {
		return nil, err
	}
	return p.Select()
}

// observe observes this machine, or the one whose facts are in factsFile.
func (a *app) observe(ctx context.Context, factsFile string) (*session.Machine, error) {
	p, err := session.Open(ctx, a.config(), factsFile)
	if err != nil {
		return nil, err
	}
	t, err := p.SelectEach()
	if err != nil {
		return nil, err
	}
	return t.Observe(ctx)
}

// environment opens the environment that is selected for this machine.
func (a *app) environment(ctx context.Context) (*environments.Environment, error) {
	t, err := a.target(ctx, "")
	if err != nil {
		return nil, err
	}
	return environments.Open(ctx, t)
}

// environmentsOf opens the environments that are selected for this machine.
func (a *app) environmentsOf(ctx context.Context) ([]*environments.Environment, error) {
	p, err := session.Open(ctx, a.config(), "")
	if err != nil {
		return nil, err
	}
	t, err := p.SelectEach()
	if err != nil {
		return nil, err
	}
	each := t.Each()
	if len(each) == 0 {
		each = []*session.Target{t} // which Open refuses
	}
	var list []*environments.Environment
	for _, t := range each {
		e, err := environments.Open(ctx, t)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// report returns how to print to w: its width and whether it takes colour.
func (a *app) report(w io.Writer) report.Options {
	o := report.Options{Verbose: a.verbose, Manifest: cmp.Or(a.against, a.manifest, session.DefaultManifest)}
	file, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return o
	}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		o.Width = width
	}
	if a.getenv("TERM") == "dumb" {
		return o // an editor or a log: no colour, and no line that is rewritten
	}
	o.Terminal = true
	o.Color = !a.noColor && a.getenv("NO_COLOR") == ""
	return o
}

// command returns the command line of this run, quoted for a shell.
func (a *app) command() string {
	return report.Command(append([]string{"reconcile"}, a.args...))
}

// again returns a command line that starts this program on the same project, quoted for a
// shell.
func (a *app) again(args ...string) string {
	words := []string{"reconcile"}
	if a.dir != "" {
		words = append(words, "-C", a.dir)
	}
	if a.manifest != "" {
		words = append(words, "-m", a.manifest)
	}
	return report.Command(append(words, args...))
}

// getenv returns a variable of the environment that the program was started with.
func (a *app) getenv(name string) string {
	return (&session.Config{Environ: a.environ}).Getenv(name)
}

// interactive reports whether a person can answer a question.
func (a *app) interactive() bool {
	return a.in != nil && term.IsTerminal(int(a.in.Fd()))
}

// writeLine writes one line. Control characters in it, of a file name for example, are
// escaped.
func writeLine(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintln(w, report.Escape(fmt.Sprintf(format, args...)))
	return err
}

// A stream is a standard file that may lose its reader: later writes are dropped. So
// `reconcile apply | head -1` applies everything, and an apply whose terminal is closed
// stops as the signal asks, not at the next line.
type stream struct{ *os.File }

// newStream returns a standard file as a stream on a descriptor of its own: Go ends a
// program that writes to 1 or 2 without a reader, and returns an error for others.
// Handling SIGPIPE instead would cost two more threads at every start.
func newStream(f *os.File) stream {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return stream{f} // closed before the program started
	}
	return stream{os.NewFile(uintptr(fd), f.Name())}
}

// Write writes b, or drops it if there is no reader.
func (s stream) Write(b []byte) (int, error) {
	n, err := s.File.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		return len(b), nil
	}
	return n, err
}

// clock returns the time. Tests replace it.
var clock = time.Now

// version is set by release builds; other builds have the toolchain's version.
var version = ""

// buildVersion returns the version of this program.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}

// askYes asks for the word yes, unless -y gave it. Another answer ends the command with
// exit.Error, a missing terminal with wrong usage.
func (a *app) askYes(yes bool) error {
	if yes {
		return nil
	}
	if !a.interactive() {
		return exit.Usage("there is no terminal to ask on, so nothing was changed; `-y` applies the plan without asking")
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
	return a.askOr(question, "Nothing was changed.")
}

// askOr is ask with the text that is printed after an interrupt.
func (a *app) askOr(question, interrupted string) (string, error) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	fmt.Fprint(a.err, question)
	a.flush()
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
		fmt.Fprintln(a.err, "\n"+interrupted)
		return "", exit.Quietly(exit.Interrupted)
	case got := <-answered:
		if got.err != nil {
			return "", io.EOF // an unfinished line is no answer
		}
		return strings.TrimSpace(got.line), nil
	}
}
