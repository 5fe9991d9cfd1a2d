package cli

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rsyncs are the programs that RECONCILE_RSYNCS names, as a search path does, each in a
// folder where it is called rsync; and openrsync, as some builds of that one call the
// program over there.
func rsyncs(t *testing.T) map[string]string {
	t.Helper()
	list := filepath.SplitList(os.Getenv("RECONCILE_RSYNCS"))
	if len(list) == 0 {
		t.Skip("RECONCILE_RSYNCS names no other rsync: openrsync, 2.6.9, 3.1, such as /opt/old/rsync:/opt/open/openrsync")
	}
	folders := map[string]string{}
	for _, program := range append(list, must(exec.LookPath("rsync"))) {
		dir := t.TempDir()
		check(t, os.Symlink(program, filepath.Join(dir, "rsync")))
		check(t, os.Symlink(program, filepath.Join(dir, "openrsync")))
		folders[program] = dir
	}
	return folders
}

// Every rsync at hand, here and over there, against that of the system: the preview is
// the run, a second run moves nothing, what was replaced is kept, and a break cuts
// nothing.
func TestSyncOtherVersions(t *testing.T) {
	t.Parallel()
	folders := rsyncs(t)
	system := folders[must(exec.LookPath("rsync"))]
	for _, program := range slices.Sorted(maps.Keys(folders)) {
		for _, here := range []bool{true, false} {
			local, there := folders[program], system
			if !here {
				local, there = system, folders[program]
			}
			if here && local == system {
				continue
			}
			t.Run(strings.ReplaceAll(strings.Trim(program, "/"), "/", "-")+map[bool]string{true: " here", false: " there"}[here], func(t *testing.T) {
				t.Parallel()
				s, far := traveller(t, "ForceCommand PATH="+there+":/usr/bin:/bin; eval \"$SSH_ORIGINAL_COMMAND\"")
				s = s.with("PATH=" + local + ":/usr/bin:/bin")
				put(t, s.path("data/processed/sub/a b ñ.jsonl"), "new\n")
				put(t, s.path("data/processed/big.jsonl"), noise(3, brokenSize))
				put(t, s.path("data/processed/same.jsonl.tmp"), "left out\n")
				check(t, os.Symlink("/etc/passwd", s.path("data/processed/out")))
				check(t, os.Symlink("big.jsonl", s.path("data/processed/in")))
				there := filepath.Join(far.project, "data/processed")
				put(t, filepath.Join(there, "big.jsonl"), "old")
				put(t, filepath.Join(there, "theirs"), "theirs")

				p := s.start(far.words("push", "processed", "--run", "--bwlimit", "100")...)
				for range 600 { // an openrsync over there writes nothing before the end
					if strings.Contains(strings.Join(slices.Collect(maps.Values(far.children())), "\n"), "--server") {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(time.Second)
				p.signal(syscall.SIGINT)
				if e := p.wait(); e.code != 130 {
					t.Errorf("a push that is broken: %s", e)
				}
				far.rests()
				if got := string(must(os.ReadFile(filepath.Join(there, "big.jsonl")))); got != "old" {
					t.Errorf("a broken push left %d bytes", len(got))
				}
				s.both(far, "push", "processed", map[string]bool{"sub/a b ñ.jsonl": true, "big.jsonl": false})
				if got := treeOf(t, there); len(got) != 4 || got["theirs"] == "" {
					t.Errorf("over there is %v", got)
				}
				put(t, filepath.Join(far.project, "adapters/run/x.bin"), "weights")
				put(t, filepath.Join(far.project, "adapters/y.bin"), "y")
				s.both(far, "pull", "adapters", map[string]bool{"run/x.bin": true, "y.bin": true})
				put(t, filepath.Join(far.project, "adapters/run/x.bin"), "more weights")
				s.both(far, "pull", "adapters", map[string]bool{"run/x.bin": false})
				kept, _ := filepath.Glob(s.path(".reconcile/*/replaced/adapters/*/run/x.bin"))
				if len(kept) != 1 || string(must(os.ReadFile(kept[0]))) != "weights" {
					t.Errorf("kept is %v", kept)
				}
			})
		}
	}
}

// both previews a transfer, does it, and does it again.
func (s *site) both(far *farMachine, verb, name string, want map[string]bool) {
	s.t.Helper()
	previewed := s.run(far.words(verb, name, "--dry-run", "--json")...)
	preview := want
	if previewed.code != 1 || !previewed.says("does not say what a push would move") {
		preview = moved(s.t, previewed)
	}
	run := moved(s.t, s.want(0, far.words(verb, name, "--run", "--json")...))
	delete(preview, "in") // a link has come before the files, with the push that was broken
	delete(run, "in")
	if !maps.Equal(preview, want) || !maps.Equal(run, want) {
		s.t.Errorf("%s %s: the preview shows %v, the run moves %v; want %v", verb, name, preview, run, want)
	}
	if e := s.want(0, far.words(verb, name, "--run")...); !e.says("Nothing to transfer") {
		s.t.Errorf("a second %s: %s", verb, e)
	}
}
