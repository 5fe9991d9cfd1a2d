package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noise is text that does not shrink, different for each seed.
func noise(seed uint64, size int) string {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// A broken is a transfer that is broken again and again while its source changes.
type broken struct {
	*site
	far      *farMachine
	words    []string
	from, to string                     // folders
	versions map[string]map[string]bool // by file: digests of every version that was ever whole
	before   map[string]string          // what earlier breaks have left, as begin found it
}

const (
	brokenFiles = 4
	brokenSize  = 300_000
	brokenRate  = 300 // kB a second: a file takes a second
)

// change gives one file of the source new content, so that there is something to move.
func (b *broken) change(round int) {
	b.t.Helper()
	for i := range brokenFiles {
		if round > 0 && i != round%brokenFiles {
			continue
		}
		name := fmt.Sprintf("part-%d.jsonl", i)
		put(b.t, filepath.Join(b.from, name), noise(uint64(100*round+i), brokenSize))
		if b.versions[name] == nil {
			b.versions[name] = map[string]bool{}
		}
		b.versions[name][treeOf(b.t, b.from)[name]] = true
	}
}

// whole fails the test where a file has its name and is not one of the versions.
func (b *broken) whole(when string) {
	b.t.Helper()
	if _, err := os.Stat(b.to); err != nil {
		return
	}
	for name, digest := range treeOf(b.t, b.to) {
		if versions, ok := b.versions[name]; ok && !versions[digest] {
			b.t.Errorf("%s: %s is cut", when, name)
		} else if !ok && name != "mine.jsonl" && !strings.HasPrefix(filepath.Base(name), ".") && !strings.Contains(name, ".rsync-partial/") {
			b.t.Errorf("%s: there is a file %s", when, name)
		}
	}
}

// begin starts the transfer, slowly.
func (b *broken) begin() *process {
	b.t.Helper()
	b.before = b.unfinished()
	return b.start(append(slices.Clone(b.words), "--bwlimit", strconv.Itoa(brokenRate))...)
}

// moving waits until something comes that is not whole yet. It reports false where the
// transfer ended before.
func (b *broken) moving(p *process) bool {
	b.t.Helper()
	for range 6000 {
		select {
		case <-p.done:
			return false
		default:
		}
		for name, state := range b.unfinished() {
			if b.before[name] != state {
				return true
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("nothing moves: %s%s", p.out.String(), p.err.String())
	return false
}

// unfinished lists the hidden files below the destination that hold something, with their
// sizes and times: those that come now, and what breaks have left.
func (b *broken) unfinished() map[string]string {
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

// breaks are the ways to break a transfer, and the exit codes that may follow.
func (b *broken) breaks() []struct {
	how   string
	by    func(*process)
	codes []int
} {
	return []struct {
		how   string
		by    func(*process)
		codes []int
	}{
		{"SIGINT", sends(syscall.SIGINT), []int{130}},
		{"SIGTERM", sends(syscall.SIGTERM), []int{130}},
		{"SIGKILL", sends(syscall.SIGKILL), []int{-1}},
		{"the program over there is killed", func(*process) { b.far.kill("rsync --server", "internal-sftp") }, []int{1}},
		{"the connection is lost", func(*process) { b.far.kill("sshd") }, []int{1}},
	}
}

// sends sends a signal to reconcile, which may have ended just now.
func sends(s syscall.Signal) func(*process) {
	return func(p *process) { _ = p.cmd.Process.Signal(s) }
}

// ten breaks a transfer ten times and shows that nothing is cut, and then that it goes
// on to its end.
func (b *broken) ten() {
	b.t.Helper()
	hit := 0
	for round := 0; hit < 10 && round < 40; round++ {
		b.change(round)
		way := b.breaks()[round%5]
		p := b.begin()
		if b.moving(p) {
			time.Sleep(rand.N(300 * time.Millisecond))
			way.by(p)
		}
		e := p.wait()
		when := fmt.Sprintf("round %d, %s", round, way.how)
		// A signal that comes after the last word ends it as it ends any program.
		late := e.signal != 0 && (strings.Contains(e.out, "Pushed ") || strings.Contains(e.out, "Pulled "))
		if e.code != 0 && !late {
			hit++
			if !slices.Contains(way.codes, e.code) {
				b.t.Errorf("%s: %s", when, e)
			}
		}
		b.far.rests()
		b.whole(when)
	}
	b.t.Logf("%d broken transfers", hit)
	if hit < 10 {
		b.t.Errorf("only %d transfers were broken", hit)
	}
	if e := b.run(b.words...); e.code != 0 {
		b.t.Errorf("the last one, which nothing breaks: %s", e)
	}
	want, got := treeOf(b.t, b.from), treeOf(b.t, b.to)
	for name, digest := range want {
		if got[name] != digest {
			b.t.Errorf("in the end %s is not the same at both ends", name)
		}
	}
	if got["mine.jsonl"] == "" {
		b.t.Error("a file that the other end does not have is gone")
	}
}

// However a transfer is broken, no file that has its name is cut, and what only one end
// has stays. The old version of a file stands until the new one is whole.
func TestSyncBroken(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"push", "pull"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s, far := traveller(t)
			b := &broken{site: s, far: far, versions: map[string]map[string]bool{}}
			b.from, b.to = s.path("data/processed"), filepath.Join(far.project, "data/processed")
			b.words = far.words("push", "processed", "--run")
			if verb == "pull" {
				b.from, b.to = filepath.Join(far.project, "adapters"), s.path("adapters")
				b.words = far.words("pull", "adapters", "--run")
			}
			put(t, filepath.Join(b.to, "mine.jsonl"), "mine\n")
			b.ten()
		})
	}
}

// One file by scp: it has its name when it is whole, and never before.
func TestSyncBrokenFile(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	for _, verb := range []string{"push", "pull"} {
		b := &broken{site: s, far: far, from: s.path("data/processed"), to: filepath.Join(far.project, "data/processed")}
		b.words = far.words("push", "processed", "--run", "--file", "a.jsonl")
		if verb == "pull" {
			b.from, b.to = filepath.Join(far.project, "adapters"), s.path("adapters")
			b.words = far.words("pull", "adapters", "--run", "--file", "a.jsonl")
		}
		put(t, filepath.Join(b.from, "a.jsonl"), noise(1, 3*brokenSize))
		put(t, filepath.Join(b.to, "a.jsonl"), "old")
		for _, way := range b.breaks() {
			for name := range b.unfinished() { // scp begins anew each time
				check(t, os.Remove(filepath.Join(b.to, name)))
			}
			p := b.begin()
			if !b.moving(p) {
				t.Errorf("%s, %s: it ended before: %s", verb, way.how, p.wait())
				continue
			}
			way.by(p)
			if e := p.wait(); !slices.Contains(way.codes, e.code) {
				t.Errorf("%s, %s: %s", verb, way.how, e)
			}
			far.rests()
			if got := string(must(os.ReadFile(filepath.Join(b.to, "a.jsonl")))); got != "old" {
				t.Errorf("%s, %s: the file is now %d bytes", verb, way.how, len(got))
			}
		}
		s.want(0, b.words...)
		if got := treeOf(t, b.to); len(got) != 1 || got["a.jsonl"] != treeOf(t, b.from)["a.jsonl"] {
			t.Errorf("%s: in the end there is %v", verb, got)
		}
	}
}

// A full disk over there cuts nothing, and is called that.
func TestSyncFullDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || platform()[:5] != "linux" {
		t.Skip("only root can mount a small file system, and only linux has tmpfs")
	}
	project := must(filepath.EvalSymlinks(t.TempDir()))
	there := filepath.Join(project, "data")
	check(t, os.Mkdir(there, 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", there).CombinedOutput(); err != nil {
		t.Skipf("this root may not mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", there).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	s, far := traveller(t) // its sshd sees what is mounted now
	far.project = project
	b := &broken{site: s, far: far, from: s.path("data/processed"), to: filepath.Join(there, "processed"), versions: map[string]map[string]bool{}}
	b.change(0)
	put(t, filepath.Join(b.to, "part-0.jsonl"), "old")
	b.versions["part-0.jsonl"][treeOf(t, b.to)["part-0.jsonl"]] = true
	if e := s.want(0, far.words("push", "processed", "--dry-run")...); !e.says("warning: ", "the remote disk has") {
		t.Errorf("the preview: %s", e)
	}
	for _, more := range [][]string{nil, {"--file", "part-0.jsonl"}} {
		put(t, s.path("data/processed/part-0.jsonl"), noise(9, 2_000_000))
		e := s.run(append(far.words("push", "processed", "--run"), more...)...)
		if (e.code != 1 && e.code != 4) || len(more) == 0 && !e.says("(sync.full)") && !e.says("(sync.io)") {
			t.Errorf("%v onto a full disk: %s", more, e)
		}
		b.whole("a full disk")
	}
}
