package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrite writes the pages of all commands, twice the same, and has mandoc and groff
// check them where they are installed.
func TestWrite(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dirs := []string{t.TempDir(), filepath.Join(t.TempDir(), "new")}
	for _, dir := range dirs {
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := filepath.Glob(filepath.Join(dirs[0], "*.1"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadFile(filepath.Join(dirs[1], filepath.Base(page)))
		if err != nil || string(again) != string(text) {
			t.Errorf("%s differs when it is written again: %v", page, err)
		}
		if !strings.Contains(string(text), ".SH EXIT STATUS") {
			t.Errorf("%s has no exit status", page)
		}
	}
	plan, err := os.ReadFile(filepath.Join(dirs[0], "reconcile-plan.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`.TH "RECONCILE-PLAN" "1" "Nov 2023"`, "--detailed-exitcode", "reconcile(1)"} {
		if !strings.Contains(strings.ReplaceAll(string(plan), `\-`, "-"), want) {
			t.Errorf("reconcile-plan.1 has no %q", want)
		}
	}
	for _, checker := range [][]string{{"mandoc", "-T", "lint", "-W", "error"}, {"groff", "-man", "-ww", "-z"}} {
		if _, err := exec.LookPath(checker[0]); err != nil {
			t.Logf("%s is not installed: the pages are not checked by it", checker[0])
			continue
		}
		if out, err := exec.Command(checker[0], append(checker[1:], pages...)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", checker[0], err, out)
		}
	}
}
