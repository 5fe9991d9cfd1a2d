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

// rsyncDirs returns, for each program in RECONCILE_RSYNCS (a list like PATH) and for the rsync
// of the system, a directory in which it is named rsync and openrsync: some builds of
// openrsync start the remote program under that name.
func rsyncDirs(t *testing.T) map[string]string {
	t.Helper()
	list := filepath.SplitList(os.Getenv("RECONCILE_RSYNCS"))
	if len(list) == 0 {
		t.Skip("RECONCILE_RSYNCS is not set; for openrsync, 2.6.9 and 3.1 it is such as /opt/old/rsync:/opt/open/openrsync")
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

// TestSyncOtherVersions checks, with every rsync in RECONCILE_RSYNCS on either machine, that the
// preview equals the transfer, that a second one transfers nothing, that replaced files are
// backed up, and that an interruption leaves no incomplete file.
func TestSyncOtherVersions(t *testing.T) {
	t.Parallel()
	folders := rsyncDirs(t)
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
				s, remote := newSyncSite(t, "ForceCommand PATH="+there+":/usr/bin:/bin; eval \"$SSH_ORIGINAL_COMMAND\"")
				s = s.with("PATH=" + local + ":/usr/bin:/bin")
				writeFile(t, s.path("data/processed/sub/a b ñ.jsonl"), "new\n")
				writeFile(t, s.path("data/processed/big.jsonl"), randomText(3, transferSize))
				writeFile(t, s.path("data/processed/same.jsonl.tmp"), "left out\n")
				check(t, os.Symlink("/etc/passwd", s.path("data/processed/out")))
				check(t, os.Symlink("big.jsonl", s.path("data/processed/in")))
				there := filepath.Join(remote.project, "data/processed")
				writeFile(t, filepath.Join(there, "big.jsonl"), "old")
				writeFile(t, filepath.Join(there, "theirs"), "theirs")

				p := s.start(remote.syncArgs("push", "processed", "--run", "--bwlimit", "100")...)
				for range 600 { // a remote openrsync writes nothing before the end
					if strings.Contains(strings.Join(slices.Collect(maps.Values(remote.descendants())), "\n"), "--server") {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(time.Second)
				p.signal(syscall.SIGINT)
				if e := p.wait(); e.code != 130 {
					t.Errorf("an interrupted push: %s", e)
				}
				remote.waitIdle()
				if got := string(must(os.ReadFile(filepath.Join(there, "big.jsonl")))); got != "old" {
					t.Errorf("an interrupted push left %d bytes", len(got))
				}
				s.checkTransfer(remote, "push", "processed", map[string]bool{"sub/a b ñ.jsonl": true, "big.jsonl": false})
				if got := hashTree(t, there); len(got) != 4 || got["theirs"] == "" {
					t.Errorf("the remote folder has %v", got)
				}
				writeFile(t, filepath.Join(remote.project, "adapters/run/x.bin"), "weights")
				writeFile(t, filepath.Join(remote.project, "adapters/y.bin"), "y")
				s.checkTransfer(remote, "pull", "adapters", map[string]bool{"run/x.bin": true, "y.bin": true})
				writeFile(t, filepath.Join(remote.project, "adapters/run/x.bin"), "more weights")
				s.checkTransfer(remote, "pull", "adapters", map[string]bool{"run/x.bin": false})
				kept, _ := filepath.Glob(s.store("projects/*/replaced/adapters/*/run/x.bin"))
				if len(kept) != 1 || string(must(os.ReadFile(kept[0]))) != "weights" {
					t.Errorf("the backups are %v", kept)
				}
			})
		}
	}
}

// checkTransfer previews a transfer, runs it, and runs it again.
func (s *site) checkTransfer(remote *remoteMachine, verb, name string, want map[string]bool) {
	s.t.Helper()
	previewed := s.run(remote.syncArgs(verb, name, "--dry-run", "--json")...)
	preview := want
	if previewed.code != 1 || !previewed.contains("does not report what a push would transfer") {
		preview = transferredFiles(s.t, previewed)
	}
	run := transferredFiles(s.t, s.want(0, remote.syncArgs(verb, name, "--run", "--json")...))
	delete(preview, "in") // a link was transferred by the interrupted push
	delete(run, "in")
	if !maps.Equal(preview, want) || !maps.Equal(run, want) {
		s.t.Errorf("%s %s: the preview shows %v, the run transfers %v; want %v", verb, name, preview, run, want)
	}
	if e := s.want(0, remote.syncArgs(verb, name, "--run")...); !e.contains("Nothing to transfer") {
		s.t.Errorf("a second %s: %s", verb, e)
	}
}
