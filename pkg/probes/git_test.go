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

// TestClonedInterpreter commits an interpreter where a fetched one would lie. It
// runs real git, with either form of its index.
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
			w := newWorld(t)
			repository := w.root
			w.root = filepath.Join(w.root, sub)
			run := func(args ...string) {
				t.Helper()
				_, err := command.Run(context.Background(), command.Command{
					Program: git, Args: append([]string{"-C", repository, "-c", "index.version=" + format}, args...),
					Env: []string{"HOME=" + w.home, "GIT_CONFIG_NOSYSTEM=1"},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			prefix := filepath.Join(w.root, ".reconcile/tools/linux-x86_64/cpython-3.10.21")
			w.python(prefix, "3.10.21", elfFile(elf.EM_X86_64, "", ""))
			run("init", "-q")
			if i := w.pythons().Found[0]; i.Refused != "" {
				t.Errorf("format %s %s: refused before it was tracked: %s", format, sub, i.Refused)
			}
			run("add", "-f", ".")
			if i := w.pythons().Found[0]; !strings.Contains(i.Refused, "came with the repository") {
				t.Errorf("format %s %s: a cloned interpreter is used: %+v", format, sub, i)
			}
		}
	}
}

// TestLinkedCheckout follows the file that stands for .git in a linked one.
func TestLinkedCheckout(t *testing.T) {
	w := newWorld(t)
	w.put(filepath.Join(w.home, "repo/.git/worktrees/x/index"), "DIRC\x00\x00\x00\x02…tools/a/b")
	w.put(filepath.Join(w.root, ".git"), "gitdir: "+filepath.Join(w.home, "repo/.git/worktrees/x")+"\n")
	if p := w.prober(); !p.tracked("tools/a") || p.tracked("tools/c") {
		t.Error("the index of a linked checkout is not read")
	}
}
