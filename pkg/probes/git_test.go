package probes

import (
	"context"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/command"
)

// TestClonedInterpreter adds an interpreter in .reconcile/tools to a repository. It runs
// git, with two formats of its index.
func TestClonedInterpreter(t *testing.T) {
	git := ""
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if name := filepath.Join(dir, "git"); filepath.IsAbs(dir) && exists(name) {
			git = name
			break
		}
	}
	if git == "" {
		t.Skip("no git on this machine")
	}
	for _, format := range []string{"2", "4"} {
		for _, sub := range []string{"", "sub"} {
			m := newMachine(t)
			repository := m.root
			m.root = filepath.Join(m.root, sub)
			run := func(args ...string) {
				t.Helper()
				_, err := command.Run(context.Background(), command.Command{
					Program: git, Args: append([]string{"-C", repository, "-c", "index.version=" + format}, args...),
					Env: []string{"HOME=" + m.home, "GIT_CONFIG_NOSYSTEM=1"},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			prefix := filepath.Join(m.root, ".reconcile/tools/linux-x86_64/cpython-3.10.21")
			m.python(prefix, "3.10.21", elfFile(elf.EM_X86_64, "", ""))
			run("init", "-q")
			if i := m.pythons().Found[0]; i.Refused != "" {
				t.Errorf("format %s %s: refused while not tracked: %s", format, sub, i.Refused)
			}
			run("add", "-f", ".")
			if i := m.pythons().Found[0]; !strings.Contains(i.Refused, "came with the repository") {
				t.Errorf("format %s %s: a cloned interpreter is used: %+v", format, sub, i)
			}
		}
	}
}

// TestLinkedWorktree follows the .git file of a linked worktree.
func TestLinkedWorktree(t *testing.T) {
	m := newMachine(t)
	m.put(filepath.Join(m.home, "repo/.git/worktrees/x/index"), "DIRC\x00\x00\x00\x02…tools/a/b")
	m.put(filepath.Join(m.root, ".git"), "gitdir: "+filepath.Join(m.home, "repo/.git/worktrees/x")+"\n")
	if p := m.prober(); !p.tracked("tools/a") || p.tracked("tools/c") {
		t.Error("the index of a linked worktree is not read")
	}
}
