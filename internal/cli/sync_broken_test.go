package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// randomText returns text that does not compress, different for each seed.
func randomText(seed uint64, size int) string {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// An interruptTest interrupts a transfer repeatedly while its source changes.
type interruptTest struct {
	*site
	remote   *remoteMachine
	words    []string
	from, to string                     // directories
	versions map[string]map[string]bool // by file: digests of all complete versions
	before   map[string]string          // partial files at the start of the transfer
}

const (
	transferFiles = 4
	transferSize  = 300_000
	transferRate  = 300 // kB a second, one file
)

// changeSource gives one file of the source new content; in round 0 all files.
func (b *interruptTest) changeSource(round int) {
	b.t.Helper()
	for i := range transferFiles {
		if round > 0 && i != round%transferFiles {
			continue
		}
		name := fmt.Sprintf("part-%d.jsonl", i)
		writeFile(b.t, filepath.Join(b.from, name), randomText(uint64(100*round+i), transferSize))
		if b.versions[name] == nil {
			b.versions[name] = map[string]bool{}
		}
		b.versions[name][hashTree(b.t, b.from)[name]] = true
	}
}

// checkComplete reports an error for a file that has its name and is not one of the
// versions.
func (b *interruptTest) checkComplete(when string) {
	b.t.Helper()
	if _, err := os.Stat(b.to); err != nil {
		return
	}
	for name, digest := range hashTree(b.t, b.to) {
		if versions, ok := b.versions[name]; ok && !versions[digest] {
			b.t.Errorf("%s: %s is incomplete", when, name)
		} else if !ok && name != "mine.jsonl" && !strings.HasPrefix(filepath.Base(name), ".") && !strings.Contains(name, ".rsync-partial/") {
			b.t.Errorf("%s: unexpected file %s", when, name)
		}
	}
}

// startSlow starts the transfer with a limit.
func (b *interruptTest) startSlow() *process {
	b.t.Helper()
	b.before = b.partialFiles()
	return b.start(append(slices.Clone(b.words), "--bwlimit", strconv.Itoa(transferRate))...)
}

// waitForData waits until a partial file grows. It returns false if the transfer ended
// before.
func (b *interruptTest) waitForData(p *process) bool {
	b.t.Helper()
	for range 6000 {
		select {
		case <-p.done:
			return false
		default:
		}
		for name, state := range b.partialFiles() {
			if b.before[name] != state {
				return true
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("nothing is transferred: %s%s", p.out.String(), p.err.String())
	return false
}

// partialFiles returns the size and time of the hidden files in the destination that are
// not empty: of this transfer and of interrupted ones.
func (b *interruptTest) partialFiles() map[string]string {
	states := map[string]string{}
	for _, pattern := range []string{".*", ".rsync-partial/*", ".rsync-partial/.*"} {
		found, _ := filepath.Glob(filepath.Join(b.to, pattern))
		for _, f := range found {
			if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
				states[must(filepath.Rel(b.to, f))] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return states
}

// interruptions returns the ways to interrupt a transfer, with their possible exit codes.
func (b *interruptTest) interruptions() []struct {
	how       string
	interrupt func(*process)
	codes     []int
} {
	return []struct {
		how       string
		interrupt func(*process)
		codes     []int
	}{
		{"SIGINT", sendSignal(syscall.SIGINT), []int{130}},
		{"SIGTERM", sendSignal(syscall.SIGTERM), []int{130}},
		{"SIGKILL", sendSignal(syscall.SIGKILL), []int{-1}},
		{"the remote program is killed", func(*process) { b.remote.kill("rsync --server", "internal-sftp") }, []int{1}},
		{"the connection is lost", func(*process) { b.remote.kill("sshd") }, []int{1}},
	}
}

// sendSignal returns a function that sends a signal to reconcile, which may have ended.
func sendSignal(s syscall.Signal) func(*process) {
	return func(p *process) { _ = p.cmd.Process.Signal(s) }
}

// interruptTenTimes interrupts a transfer ten times, checks that no file is incomplete, and then
// lets it finish.
func (b *interruptTest) interruptTenTimes() {
	b.t.Helper()
	hit := 0
	for round := 0; hit < 10 && round < 40; round++ {
		b.changeSource(round)
		way := b.interruptions()[round%5]
		p := b.startSlow()
		if b.waitForData(p) {
			time.Sleep(rand.N(300 * time.Millisecond))
			way.interrupt(p)
		}
		e := p.wait()
		when := fmt.Sprintf("round %d, %s", round, way.how)
		// A signal after the result was printed ends the program without a handler.
		late := e.signal != 0 && (strings.Contains(e.out, "Pushed ") || strings.Contains(e.out, "Pulled "))
		if e.code != 0 && !late {
			hit++
			if !slices.Contains(way.codes, e.code) {
				b.t.Errorf("%s: %s", when, e)
			}
		}
		b.remote.waitIdle()
		b.checkComplete(when)
	}
	b.t.Logf("%d interrupted transfers", hit)
	if hit < 10 {
		b.t.Errorf("only %d transfers were interrupted", hit)
	}
	if e := b.run(b.words...); e.code != 0 {
		b.t.Errorf("a transfer without interruption: %s", e)
	}
	want, got := hashTree(b.t, b.from), hashTree(b.t, b.to)
	for name, digest := range want {
		if got[name] != digest {
			b.t.Errorf("%s differs after the last transfer", name)
		}
	}
	if got["mine.jsonl"] == "" {
		b.t.Error("a file that only the destination had is gone")
	}
}

// TestSyncInterrupted checks that after every kind of interruption no file is incomplete, that
// files of only one machine remain, and that an old version remains until the new one is
// complete.
func TestSyncInterrupted(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"push", "pull"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s, remote := newSyncSite(t)
			b := &interruptTest{site: s, remote: remote, versions: map[string]map[string]bool{}}
			b.from, b.to = s.path("data/processed"), filepath.Join(remote.project, "data/processed")
			b.words = remote.syncArgs("push", "processed", "--run")
			if verb == "pull" {
				b.from, b.to = filepath.Join(remote.project, "adapters"), s.path("adapters")
				b.words = remote.syncArgs("pull", "adapters", "--run")
			}
			writeFile(t, filepath.Join(b.to, "mine.jsonl"), "mine\n")
			b.interruptTenTimes()
		})
	}
}

// TestSyncInterruptedFile checks that a file copied by scp gets its name only when it is
// complete.
func TestSyncInterruptedFile(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	for _, verb := range []string{"push", "pull"} {
		b := &interruptTest{site: s, remote: remote, from: s.path("data/processed"), to: filepath.Join(remote.project, "data/processed")}
		b.words = remote.syncArgs("push", "processed", "--run", "--file", "a.jsonl")
		if verb == "pull" {
			b.from, b.to = filepath.Join(remote.project, "adapters"), s.path("adapters")
			b.words = remote.syncArgs("pull", "adapters", "--run", "--file", "a.jsonl")
		}
		writeFile(t, filepath.Join(b.from, "a.jsonl"), randomText(1, 3*transferSize))
		writeFile(t, filepath.Join(b.to, "a.jsonl"), "old")
		for _, way := range b.interruptions() {
			for name := range b.partialFiles() { // scp does not resume
				check(t, os.Remove(filepath.Join(b.to, name)))
			}
			p := b.startSlow()
			if !b.waitForData(p) {
				t.Errorf("%s, %s: the transfer ended early: %s", verb, way.how, p.wait())
				continue
			}
			way.interrupt(p)
			if e := p.wait(); !slices.Contains(way.codes, e.code) {
				t.Errorf("%s, %s: %s", verb, way.how, e)
			}
			remote.waitIdle()
			if got := string(must(os.ReadFile(filepath.Join(b.to, "a.jsonl")))); got != "old" {
				t.Errorf("%s, %s: the file is now %d bytes", verb, way.how, len(got))
			}
		}
		s.want(0, b.words...)
		if got := hashTree(t, b.to); len(got) != 1 || got["a.jsonl"] != hashTree(t, b.from)["a.jsonl"] {
			t.Errorf("%s: the destination has %v", verb, got)
		}
	}
}

// TestSyncFullDisk checks that a full remote disk is reported and leaves no incomplete file.
func TestSyncFullDisk(t *testing.T) {
	t.Parallel()
	project := must(filepath.EvalSymlinks(t.TempDir()))
	there := filepath.Join(project, "data")
	check(t, os.Mkdir(there, 0o755))
	mountTmpfs(t, there, "size=1m,mode=755")
	s, remote := newSyncSite(t) // after the mount, so that its sshd has it
	remote.project = project
	b := &interruptTest{site: s, remote: remote, from: s.path("data/processed"), to: filepath.Join(there, "processed"), versions: map[string]map[string]bool{}}
	b.changeSource(0)
	writeFile(t, filepath.Join(b.to, "part-0.jsonl"), "old")
	b.versions["part-0.jsonl"][hashTree(t, b.to)["part-0.jsonl"]] = true
	if e := s.want(0, remote.syncArgs("push", "processed", "--dry-run")...); !e.contains("warning: ", "the remote disk has") {
		t.Errorf("preview: %s", e)
	}
	for _, more := range [][]string{nil, {"--file", "part-0.jsonl"}} {
		writeFile(t, s.path("data/processed/part-0.jsonl"), randomText(9, 2_000_000))
		e := s.run(append(remote.syncArgs("push", "processed", "--run"), more...)...)
		if (e.code != 1 && e.code != 4) || len(more) == 0 && !e.contains("(sync.full)") && !e.contains("(sync.io)") {
			t.Errorf("push %v to a full disk: %s", more, e)
		}
		b.checkComplete("a full disk")
	}
}
