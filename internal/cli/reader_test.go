package cli

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

// newInstalledSite returns a site whose environment agrees with its manifest.
func newInstalledSite(t *testing.T) *site {
	t.Helper()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "alpha", version: "2.0"}, wheel{name: "beta", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0", "beta==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	return s
}

// readCommands are the commands that change nothing.
var readCommands = [][]string{
	{"validate"},
	{"plan", "--env", "local"},
	{"plan", "--env", "local", "--json"},
	{"status", "--env", "local"},
	{"verify", "--env", "local"},
	{"verify", "--env", "local", "--deep"},
	{"facts", "--all"},
	{"facts", "--env", "local"},
	{"generations", "--env", "local"},
	{"gc", "--env", "local", "--dry-run"},
	{"apply", "--env", "local"},
}

// snapshotTree returns the mode, owner, times and content of everything below a folder.
func snapshotTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%x", sha256.Sum256(b))
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		}
		all[path] = fmt.Sprintf("mode %o, owner %d:%d, mtime %d.%09d, ctime %d.%09d, %s",
			st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec, content)
		return err
	}))
	return all
}

// checkSameTree checks that nothing below a folder has changed.
func checkSameTree(t *testing.T, before, after map[string]string) {
	t.Helper()
	for path, was := range before {
		if now := after[path]; now != was {
			t.Errorf("%s was %s\n  and is %s", path, was, now)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			t.Errorf("%s is new", path)
		}
	}
}

// TestReadersChangeNothing checks that the reading commands change no byte and no time in the
// project and in the home, and start no code in the project that Python, a shell or git would
// start by themselves.
func TestReadersChangeNothing(t *testing.T) {
	t.Parallel()
	s := newInstalledSite(t)
	canary := filepath.Join(t.TempDir(), "fired")
	python := fmt.Sprintf("import os; open(%q, 'w').close()\n", canary)
	shell := fmt.Sprintf("#!/bin/sh\n: > %s\n", canary)
	site := ".venv/lib/python3.10/site-packages/"
	for name, text := range map[string]string{
		site + "canary.pth": python, site + "sitecustomize.py": python, site + "usercustomize.py": python, site + "alpha/__init__.py": python,
		"sitecustomize.py": python, "conftest.py": python, "setup.py": python, "pip.conf": shell, "uv": shell, "python3.10": shell, ".git/hooks/post-checkout": shell,
	} {
		s.write(name, text)
		check(t, os.Chmod(s.path(name), 0o755))
	}
	bin := must(filepath.EvalSymlinks(s.path(".venv/generation"))) + "/bin/"
	for _, name := range []string{"activate", "canary"} {
		check(t, os.WriteFile(bin+name, []byte(shell), 0o755))
	}
	here := s.with("PATH=.:"+s.root+":"+os.Getenv("PATH"), "PYTHONPATH="+s.root, "PYTHONSTARTUP="+s.path("setup.py"), "BASH_ENV="+s.path("uv"), "ENV="+s.path("uv"))
	before := snapshotTree(t, filepath.Dir(s.root))
	for _, words := range readCommands {
		if e := here.run(words...); e.code == exit.Error || e.code < 0 {
			t.Errorf("reconcile %v: %s", words, e)
		}
	}
	checkSameTree(t, before, snapshotTree(t, filepath.Dir(s.root)))
	if _, err := os.Lstat(canary); err == nil {
		t.Error("code of the project was started")
	}
	// Starting Python in the environment runs a canary, so the canaries work.
	_ = s.command(s.path(".venv/bin/python"), "-c", "pass").Run()
	if _, err := os.Lstat(canary); err != nil {
		t.Errorf("the canary does not run: %v", err)
	}
}

// TestPlanStartsNothing checks that the reading commands use no network and start no program.
func TestPlanStartsNothing(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace on this machine")
	}
	s := newInstalledSite(t)
	if out, err := s.command(strace, "-f", "-e", "trace=network,process", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %s", out)
	}
	s.write("manifest.yaml", environmentManifest("alpha==2.0", "beta==1.0")) // so that the plan has a change
	traced := func(words ...string) (starts, calls []string) {
		t.Helper()
		trace := filepath.Join(t.TempDir(), "trace")
		e := s.runUnder([]string{strace, "-f", "-o", trace, "-e", "trace=network,process"}, words...)
		if e.code == exit.Error || e.code < 0 {
			t.Errorf("reconcile %v: %s", words, e)
		}
		text, err := os.ReadFile(trace)
		check(t, err)
		starts = regexp.MustCompile(`(?m)^.*\bexecve(at)?\(.*$`).FindAllString(string(text), -1)
		calls = regexp.MustCompile(`(?m)^.*\b(socket\(AF_INET|connect\().*$`).FindAllString(string(text), -1)
		return starts, calls
	}
	for _, words := range [][]string{{"plan", "--env", "local"}, {"status", "--env", "local"}, {"facts", "--all"}, {"verify", "--env", "local"}} {
		starts, calls := traced(words...)
		if len(starts) != 1 {
			t.Errorf("reconcile %v starts programs:\n%s", words, strings.Join(starts, "\n"))
		}
		if len(calls) > 0 {
			t.Errorf("reconcile %v uses the network:\n%s", words, strings.Join(calls, "\n"))
		}
	}
	// The trace contains the programs and connections of a lock, so tracing works.
	if starts, calls := traced("lock", "--env", "local", "--upgrade"); len(starts) < 2 || len(calls) == 0 {
		t.Errorf("a lock is traced as %v and %v", starts, calls)
	}
}

// withoutNetwork returns a command that runs its arguments without a network, or skips the test.
func withoutNetwork(t *testing.T) []string {
	t.Helper()
	words := []string{"unshare", "-n", "--"}
	if os.Geteuid() != 0 {
		words = []string{"unshare", "-r", "-n", "--"}
	}
	if out, err := exec.Command(words[0], append(words[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no namespace without a network here: %v %s", err, out)
	}
	return words
}

// runUnder runs reconcile with a command such as that of withoutNetwork.
func (s *site) runUnder(words []string, args ...string) runResult {
	s.t.Helper()
	return s.runCommand(slices.Concat(words, []string{must(exec.LookPath("reconcile"))}, args)...)
}

// TestApplyOffline checks that with a lock and a filled cache no network is needed for rollback,
// a new environment, the next generation, and heal.
func TestApplyOffline(t *testing.T) {
	t.Parallel()
	without := withoutNetwork(t)
	s := newInstalledSite(t)
	first := string(must(os.ReadFile(s.path("locks/pylock.local.toml"))))
	s.write("manifest.yaml", environmentManifest("alpha==2.0", "beta==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	if e := s.runUnder(without, "rollback", "--env", "local"); e.code != 0 {
		t.Errorf("rollback: %s", e)
	}
	s.wantImports("1.0 1.0", "alpha", "beta")
	generations, err := filepath.Glob(s.store("projects/*/envs"))
	check(t, err)
	for _, dir := range append(generations, s.path(".venv")) {
		check(t, os.RemoveAll(dir))
	}
	if e := s.runUnder(without, "apply", "-y", "--env", "local"); e.code != 0 {
		t.Fatalf("a new environment: %s", e)
	}
	s.wantImports("2.0 1.0", "alpha", "beta")
	s.write("manifest.yaml", environmentManifest("alpha==1.0", "beta==1.0"))
	s.write("locks/pylock.local.toml", first)
	if e := s.runUnder(without, "apply", "-y", "--env", "local"); e.code != 0 {
		t.Fatalf("another generation: %s", e)
	}
	s.wantImports("1.0 1.0", "alpha", "beta")
	check(t, os.Remove(s.path(".venv/lib/python3.10/site-packages/alpha/__init__.py")))
	if e := s.runUnder(without, "heal", "-y", "--env", "local"); e.code != 0 {
		t.Fatalf("a damaged environment: %s", e)
	}
	s.wantImports("1.0 1.0", "alpha", "beta")
	s.checkConverges()
}
