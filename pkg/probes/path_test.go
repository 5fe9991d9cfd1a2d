package probes

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func TestPath(t *testing.T) {
	m := newMachine(t)
	in := func(name string) string { return filepath.Join(m.root, name) }
	m.put(in("data/a.txt"), "hello\n")
	m.put(in("empty"), "")
	m.put(in("long"), strings.Repeat("0123456789abcdef", 40_000))
	m.put(in("exact"), strings.Repeat("x", readAtOnce))
	m.mkdir(in("data/raw"))
	m.link("a.txt", in("data/link"))
	m.link("nowhere", in("dangling"))
	m.link(filepath.Join(m.root, "data"), in("through"))
	m.link("loop", in("loop"))
	if err := unix.Mkfifo(in("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(in("data/raw"), 0o750); err != nil {
		t.Fatal(err)
	}
	big, err := os.Create(in("big"))
	if err != nil {
		t.Fatal(err)
	}
	if err := big.Truncate(hashLimit + 1); err != nil {
		t.Fatal(err)
	}
	big.Close()
	sum := func(s string) facts.SHA256 { return sha256.Sum256([]byte(s)) }
	tests := []facts.Path{
		{Path: ".", Type: facts.Dir, Mode: 0o755},
		{Path: "data", Type: facts.Dir, Mode: 0o755},
		{Path: "data/raw", Type: facts.Dir, Mode: 0o750},
		{Path: "data/a.txt", Type: facts.Regular, Mode: 0o755, Size: 6, SHA256: sum("hello\n")},
		{Path: m.root + "/data/a.txt", Type: facts.Regular, Mode: 0o755, Size: 6, SHA256: sum("hello\n")},
		{Path: "empty", Type: facts.Regular, Mode: 0o755, SHA256: sum("")},
		{Path: "long", Type: facts.Regular, Mode: 0o755, Size: 640_000, SHA256: sum(strings.Repeat("0123456789abcdef", 40_000))},
		{Path: "exact", Type: facts.Regular, Mode: 0o755, Size: readAtOnce, SHA256: sum(strings.Repeat("x", readAtOnce))},
		{Path: "big", Type: facts.Regular, Mode: 0o644, Size: hashLimit + 1},
		{Path: "data/link", Type: facts.Symlink, Target: "a.txt"},
		{Path: "dangling", Type: facts.Symlink, Target: "nowhere"},
		{Path: "pipe", Type: facts.Other, Mode: 0o600},
		{Path: "data/none", Type: facts.Absent},
		{Path: "none/below/none", Type: facts.Absent},
		{Path: "data/a.txt/below", Type: facts.Absent, Parent: "file data/a.txt"},
		{Path: "data/a.txt/deep/below", Type: facts.Absent, Parent: "file data/a.txt"},
		{Path: "pipe/below", Type: facts.Absent, Parent: "other pipe"},
		{Path: "through/a.txt", Type: facts.Regular, Mode: 0o755, Size: 6, SHA256: sum("hello\n"), Parent: "link through -> " + m.root + "/data"},
		{Path: "through/raw/x", Type: facts.Absent, Parent: "link through -> " + m.root + "/data"},
		{Path: "dangling/x/y", Type: facts.Absent, Parent: "link dangling -> nowhere"},
		{Path: "loop/x", Type: facts.Absent, Parent: "link loop -> loop"},
	}
	var keys []facts.Key
	for _, want := range tests {
		keys = append(keys, want.Key())
	}
	f := m.prober().Probe(context.Background(), keys)
	for _, want := range tests {
		got, reason, ok := f.Lookup(want.Key())
		if !ok || got != facts.Fact(want) {
			t.Errorf("%s: %s\ngot  %+v\nwant %+v", want.Path, reason, got, want)
		}
	}
}

// TestLinkToDirectory compares links that this user made with those of another user.
func TestLinkToDirectory(t *testing.T) {
	m := newMachine(t)
	m.put(filepath.Join(m.root, "big/file"), "")
	for name, target := range map[string]string{"models": m.root + "/big", "relative": "big", "chain": "models", "file": "big/file", "dangling": "none", "system": "/usr", "theirs": "big", "totheirs": "foreign"} {
		m.link(target, filepath.Join(m.root, name))
	}
	m.put(filepath.Join(m.root, "foreign/file"), "")
	want := map[string]bool{"models": true, "relative": true, "chain": true, "system": true, "theirs": true, "totheirs": true}
	if os.Getuid() == 0 {
		os.Lchown(filepath.Join(m.root, "theirs"), 12345, 12345)
		os.Lchown(filepath.Join(m.root, "foreign"), 12345, 12345)
		want["theirs"], want["totheirs"] = false, false
	}
	for _, name := range []string{"models", "relative", "chain", "file", "dangling", "system", "theirs", "totheirs"} {
		fact, reason := m.probe(facts.PathKey(name))
		if f, ok := fact.(facts.Path); !ok || f.Type != facts.Symlink || f.Directory != want[name] {
			t.Errorf("%s: %+v %s", name, fact, reason)
		}
	}
}

// TestUnreadableIsNotAbsent requires a user other than root.
func TestUnreadableIsNotAbsent(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every file")
	}
	m := newMachine(t)
	m.put(filepath.Join(m.root, "locked/a"), "x")
	m.put(filepath.Join(m.root, "secret"), "x")
	os.Chmod(filepath.Join(m.root, "locked"), 0)
	os.Chmod(filepath.Join(m.root, "secret"), 0)
	t.Cleanup(func() { os.Chmod(filepath.Join(m.root, "locked"), 0o755) })
	for _, name := range []string{"locked/a", "locked/b/c", "secret"} {
		if fact, reason := m.probe(facts.PathKey(name)); fact != nil || !strings.Contains(reason, "permission denied") {
			t.Errorf("%s: %v, %q", name, fact, reason)
		}
	}
}

// TestReplacedWhileRead keeps replacing a file by others of different sizes: a digest must
// match the reported size.
func TestReplacedWhileRead(t *testing.T) {
	m := newMachine(t)
	contents := []string{"short", strings.Repeat("long", 50_000), ""}
	sums := map[facts.SHA256]int64{}
	for i, c := range contents {
		m.put(filepath.Join(m.root, fmt.Sprint("next", i)), c)
		sums[sha256.Sum256([]byte(c))] = int64(len(c))
	}
	m.put(filepath.Join(m.root, "f"), contents[0])
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := filepath.Join(m.root, fmt.Sprint("next", i%len(contents)))
			tmp := filepath.Join(m.root, "tmp")
			os.Link(next, tmp)
			os.Rename(tmp, filepath.Join(m.root, "f"))
		}
	}()
	p := m.prober()
	for range 2000 {
		f := p.Probe(context.Background(), []facts.Key{facts.PathKey("f")})
		got, ok := facts.Find[facts.Path](f, facts.PathKey("f"))
		if !ok {
			continue // it changed three times in a row
		}
		if size, known := sums[got.SHA256]; !known || size != got.Size {
			t.Fatalf("digest and size of no version of the file: %+v", got)
		}
	}
	close(stop)
	<-stopped
}

func TestReadText(t *testing.T) {
	m := newMachine(t)
	m.put(filepath.Join(m.root, "a.txt"), "text\n")
	m.put(filepath.Join(m.root, "zero"), "a\x00b")
	m.put(filepath.Join(m.root, "latin1"), "\xe9")
	m.put(filepath.Join(m.root, "d/x"), "x")
	m.link("a.txt", filepath.Join(m.root, "link"))
	m.link("d", filepath.Join(m.root, "way"))
	p := m.prober()
	if got, err := p.ReadText("a.txt", 5); err != nil || got != "text\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"zero", "latin1", "link", "way/x", "d", "none"} {
		if got, err := p.ReadText(name, 100); err == nil {
			t.Errorf("%s gave %q", name, got)
		}
	}
	if got, err := p.ReadText("a.txt", 4); err == nil {
		t.Errorf("a long file gave %q", got)
	}
}

// tree creates n small files, a hundred in each directory.
func tree(b *testing.B, m *fakeMachine, n int) []facts.Key {
	b.Helper()
	keys := make([]facts.Key, n)
	for i := range keys {
		name := fmt.Sprintf("tree/d%04d/file%d.txt", i/100, i)
		m.put(filepath.Join(m.root, name), fmt.Sprintf("content of %d, some bytes more to read\n", i))
		keys[i] = facts.PathKey(name)
	}
	return keys
}

// BenchmarkPaths compares the probe with a loop of lstat and ReadFile over the same files,
// without digests.
func BenchmarkPaths(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		m := newMachine(b)
		keys := tree(b, m, n)
		p := m.prober()
		b.Run(fmt.Sprintf("bare/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, k := range keys {
					name := m.root + "/" + k.Name
					if _, err := os.Lstat(name); err != nil {
						b.Fatal(err)
					}
					if _, err := os.ReadFile(name); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(fmt.Sprintf("probe/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f := p.Probe(context.Background(), keys)
				if _, _, ok := f.Lookup(keys[n-1]); !ok {
					b.Fatal("no fact")
				}
			}
		})
		runtime.GC()
	}
}
