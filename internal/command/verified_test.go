package command

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// copyOfTest returns the path of a copy of this test program, and its digest.
func copyOfTest(t *testing.T) (name string, sum [sha256.Size]byte) {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return name, sha256.Sum256(program)
}

func TestChangedProgramsAreNotStarted(t *testing.T) {
	name, sum := copyOfTest(t)
	c := child("umask", Command{SHA256: sum})
	c.Program = name
	if r, err := Run(t.Context(), c); err != nil || string(r.Stdout) != "0022" {
		t.Fatalf("the unchanged program: %s, %v", r.Stdout, err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	program[len(program)-1] ^= 1
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), c)
	changed, ok := errors.AsType[*ChangedError](err)
	if !ok || changed.Program != name || changed.Want != sum || changed.Got != sha256.Sum256(program) || len(r.Stdout) > 0 {
		t.Errorf("got %q, %v", r.Stdout, err)
	}
}

// TestVerifiedProgramsAreThoseThatWereRead replaces a program while it is compared: the file
// that was compared runs, or none.
func TestVerifiedProgramsAreThoseThatWereRead(t *testing.T) {
	name, sum := copyOfTest(t)
	f, err := openVerified(t.Context(), name, sum)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := executable(f)
	if path == name {
		t.Skip("this system cannot execute an open file")
	}
	other := name + ".new"
	if err := os.WriteFile(other, []byte("#!/bin/sh\necho replaced\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, name); err != nil {
		t.Fatal(err)
	}
	p, err := newProcess(child("environment", Command{Env: []string{"MARK=1"}}))
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Path, p.cmd.Args = path, []string{name}
	var out bytes.Buffer
	p.cmd.Stdout = &out
	if err := p.cmd.Run(); err != nil || !strings.Contains(out.String(), "MARK=1") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestVerifiedScriptsAreStarted(t *testing.T) {
	name, text := filepath.Join(t.TempDir(), "script"), []byte("#!/bin/sh\necho \"$0\"\n")
	if err := os.WriteFile(name, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if r, err := Run(t.Context(), Command{Program: name, SHA256: sha256.Sum256(text)}); err != nil || strings.TrimSpace(string(r.Stdout)) != name {
		t.Errorf("got %q, %v", r.Stdout, err)
	}
}

func TestPrivateProgramsInheritNoVariables(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"HOME", "USER", "TMPDIR", "XDG_CONFIG_HOME", "NETRC"} {
		t.Setenv(name, "/inherited")
	}
	r, err := Run(t.Context(), child("environment", Command{Private: dir, Env: []string{"MARK=1"}}))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(r.Stdout))
	for _, want := range []string{"HOME=" + dir + "/home", "TMPDIR=" + dir + "/tmp", "MARK=1"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing from %q", want, got)
		}
	}
	if text := string(r.Stdout); strings.Contains(text, "inherited") || strings.Contains(text, "proxy") {
		t.Errorf("inherited: %s", text)
	}
}
