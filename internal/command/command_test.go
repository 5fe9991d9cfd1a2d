package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/redact"
)

// TestMain runs one of the programs of the tests if COMMAND_CHILD is set.
func TestMain(m *testing.M) {
	switch os.Getenv("COMMAND_CHILD") {
	case "":
		os.Exit(m.Run())
	case "environment":
		fmt.Println(strings.Join(os.Environ(), "\n"))
	case "connect":
		conn, err := net.Dial("tcp", os.Args[len(os.Args)-1])
		if err == nil {
			conn.Close()
		}
		fmt.Print(err)
	case "echo":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "uid":
		fmt.Print(os.Geteuid(), " ", os.Getegid())
	case "group":
		fmt.Print(syscall.Getpgrp())
	case "umask":
		old := syscall.Umask(0)
		fmt.Printf("%04o", old)
	case "stdin":
		n, err := os.Stdin.Read(make([]byte, 1))
		fmt.Print(n, " ", err)
	case "flood":
		for i := range 100_000 {
			fmt.Println("line", i)
		}
	case "terminal":
		fmt.Print("a\x1b[31mred\nper\rcent\n\u202ebidi\nhttps://me:hunter2@index/x\n\xff\n\nlast")
	case "fail":
		fmt.Println("on stdout")
		fmt.Fprintln(os.Stderr, "because \x07")
		os.Exit(7)
	case "sleep":
		time.Sleep(time.Minute)
	case "pid":
		fmt.Println("pid", os.Getpid())
		time.Sleep(time.Minute)
	case "parent":
		_, _ = Run(context.Background(), child("pid", Command{Isolated: os.Args[len(os.Args)-1], Line: func(_, line string) { fmt.Println(line) }}))
	case "stubborn":
		ignoreTerm()
		fmt.Println("ready")
		time.Sleep(time.Minute)
	case "family":
		family()
	case "exec":
		err := Exec(os.Args[0], []string{"-test.run=^$"}, []string{"COMMAND_CHILD=environment", "MARK=1"})
		fmt.Println(err)
	}
}

func child(what string, c Command) Command {
	c.Program = os.Args[0]
	c.Env = append(c.Env, "COMMAND_CHILD="+what)
	return c
}

func TestEnvironmentIsBuilt(t *testing.T) {
	t.Setenv("PIP_INDEX_URL", "https://elsewhere")
	t.Setenv("LD_PRELOAD", "")
	r, err := Run(t.Context(), child("environment", Command{Env: []string{"MARK=1", "LANG=C"}}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kv := range strings.Fields(string(r.Stdout)) {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "COMMAND_CHILD HOME LANG MARK PATH TMPDIR USER" {
		t.Errorf("the child got %s", got)
	}
	if !strings.Contains(string(r.Stdout), "LANG=C\n") {
		t.Errorf("a variable of the caller is overridden: %s", r.Stdout)
	}
}

func TestUmaskAndStdin(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	if r, err := Run(t.Context(), child("umask", Command{})); err != nil || string(r.Stdout) != "0022" {
		t.Errorf("umask is %q, %v", r.Stdout, err)
	}
	if now := syscall.Umask(0o077); now != 0o077 {
		t.Errorf("our own umask became %04o", now)
	}
	if r, err := Run(t.Context(), child("stdin", Command{})); err != nil || string(r.Stdout) != "0 EOF" {
		t.Errorf("standard input gives %q, %v", r.Stdout, err)
	}
}

func TestOutputIsCapped(t *testing.T) {
	lines := 0
	r, err := Run(t.Context(), child("flood", Command{Keep: 1000, Line: func(string, string) { lines++ }}))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Stdout) != 1000 || !strings.HasSuffix(string(r.Stdout), "line 99999\n") {
		t.Errorf("kept %d bytes that end in %q", len(r.Stdout), r.Stdout[len(r.Stdout)-20:])
	}
	if lines != 100_000 {
		t.Errorf("%d lines, want 100000", lines)
	}
}

func TestLinesAreEscapedAndRedacted(t *testing.T) {
	var got []string
	secrets := redact.New()
	secrets.Add("hunter2")
	_, err := Run(t.Context(), child("terminal", Command{Redactor: secrets, Line: func(s, l string) { got = append(got, s+" "+l) }}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`stdout a\x1b[31mred`, "stdout per", "stdout cent", `stdout \u202ebidi`, "stdout https://me:***@index/x", `stdout \xff`, "stdout last"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestErrorDescribesTheEnd(t *testing.T) {
	_, err := Run(t.Context(), child("fail", Command{}))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if e.ExitCode != 7 || e.Signal != 0 || !slices.Equal(e.Tail, []string{`because \x07`}) || e.Cause != nil {
		t.Errorf("got %+v", e)
	}
	if !strings.HasSuffix(err.Error(), ": exit status 7") {
		t.Errorf("message is %q", err)
	}
	if _, err := Run(t.Context(), Command{Program: "/nonexistent/tool"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
	if _, err := Run(t.Context(), Command{Program: "tool"}); err == nil {
		t.Error("a program without an absolute path was run")
	}
}

func TestTimeout(t *testing.T) {
	_, err := Run(t.Context(), child("sleep", Command{Timeout: 50 * time.Millisecond}))
	var e *Error
	if !errors.As(err, &e) || !e.TimedOut() || e.Signal != syscall.SIGTERM {
		t.Errorf("got %+v", err)
	}
}

func TestCancelThenGraceThenKill(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	start := time.Now()
	_, err := Run(ctx, child("stubborn", Command{Grace: 100 * time.Millisecond, Line: func(string, string) { cancel() }}))
	var e *Error
	if !errors.As(err, &e) || e.Signal != syscall.SIGKILL || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %s", d)
	}
	if _, err := Run(ctx, child("sleep", Command{})); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is cancelled before it starts: %v", err)
	}
}

func TestKillHasNoGracePeriod(t *testing.T) {
	kill, now := context.WithCancel(t.Context())
	start := time.Now()
	_, err := Run(t.Context(), child("stubborn", Command{Grace: time.Minute, Kill: kill, Line: func(string, string) { now() }}))
	var e *Error
	if !errors.As(err, &e) || e.Signal != syscall.SIGKILL {
		t.Errorf("got %+v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestAllProcessesOfTheGroupEnd(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	var pid int
	var once sync.Once
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = Run(ctx, child("family", Command{Grace: 50 * time.Millisecond, Lock: lock, Line: func(_, line string) {
		if _, err := fmt.Sscanf(line, "grandchild %d", &pid); err == nil {
			once.Do(cancel)
		}
	}}))
	if !errors.Is(err, context.Canceled) || pid == 0 {
		t.Fatalf("got %v, grandchild %d", err, pid)
	}
	for range 100 {
		if ended(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the grandchild %d still runs", pid)
}

// TestTerminalStaysInOurGroup checks the process groups, and that ending the program does
// not end us.
func TestTerminalStaysInOurGroup(t *testing.T) {
	for terminal, want := range map[bool]bool{false: false, true: true} {
		r, err := Run(t.Context(), child("group", Command{Terminal: terminal}))
		if got := string(r.Stdout) == fmt.Sprint(syscall.Getpgrp()); err != nil || got != want {
			t.Errorf("Terminal: %v: the child's group is %s, ours %d, %v", terminal, r.Stdout, syscall.Getpgrp(), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, child("stubborn", Command{Terminal: true, Grace: 50 * time.Millisecond, Line: func(string, string) { cancel() }}))
	var e *Error
	if !errors.As(err, &e) || e.Signal != syscall.SIGKILL || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v", err)
	}
}

func TestExecPassesExactlyTheEnvironment(t *testing.T) {
	r, err := Run(t.Context(), child("exec", Command{}))
	if err != nil || string(r.Stdout) != "COMMAND_CHILD=environment\nMARK=1\n" {
		t.Errorf("got %q, %v", r.Stdout, err)
	}
	if err := Exec("tool", nil, nil); err == nil {
		t.Error("a program without an absolute path was started")
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07\xff\u202e\u2028é\t")
	f.Fuzz(func(t *testing.T, text string) {
		got := Escape(text)
		for _, r := range got {
			if isUnsafe(r) {
				t.Fatalf("%q still contains %q", got, r)
			}
		}
		if Escape(got) != got {
			t.Fatalf("%q is escaped twice", got)
		}
	})
}
