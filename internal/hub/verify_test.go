package hub_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
)

func verify(t *testing.T, cache string, known *hub.Digests, o hub.Options, exclude ...string) facts.Model {
	t.Helper()
	models, err := hub.Verify(context.Background(), cache, []hub.Pin{{Repo: repo, Revision: revision, Exclude: exclude}}, known, o)
	if err != nil {
		t.Fatal(err)
	}
	return models[0]
}

// TestFaults plants each fault and holds what a look and a verification say.
func TestFaults(t *testing.T) {
	for _, p := range faultCases {
		t.Run(p.name, func(t *testing.T) {
			cache := p.build(t)
			if m := observe(t, cache, p.exclude...); m.State != p.observed {
				t.Errorf("a look says %s, want %s", describe(m), p.observed)
			}
			known := hub.NewDigests()
			m := verify(t, cache, known, hub.Options{}, p.exclude...)
			p.check(t, m)
			for _, f := range m.Faults {
				if strings.HasPrefix(f.Description(), f.What) {
					t.Errorf("%q is not said in words: %s", f.What, f.Description())
				}
			}
			// What was found stays found when nothing is hashed again, as far as it was hashed.
			again, err := hub.Observe(cache, hub.Pin{Repo: repo, Revision: revision, Exclude: p.exclude}, known)
			must(t, err)
			if m.State == facts.ModelComplete && !again.IsVerified() {
				t.Errorf("verified, and a look does not know: %s", describe(again))
			}
			for _, f := range m.Faults {
				if f.What == "content" && again.State != facts.ModelDamaged {
					t.Errorf("another content was found, and a look does not know: %s", describe(again))
				}
			}
		})
	}
}

// TestEveryFaultIsPlanted holds that no word is without a case.
func TestEveryFaultIsPlanted(t *testing.T) {
	seen := map[string]bool{"changed": true} // see TestWrittenMeanwhile
	for _, p := range faultCases {
		for _, f := range p.faults {
			_, what, _ := strings.Cut(f, ": ")
			seen[what] = true
		}
	}
	for _, what := range facts.ModelFaults() {
		if !seen[what] {
			t.Errorf("no case has the fault %q", what)
		}
	}
}

// count returns options that count the bytes hashed.
func count(into *int64) hub.Options {
	return hub.Options{Progress: func(done, _ int64) { *into = done }}
}

// settle waits until a file written now is older than a tick of the clock of files.
func waitForTick() { time.Sleep(60 * time.Millisecond) }

// TestOnceIsEnough holds that what was hashed is not hashed again, that what was
// touched is, and that the memory survives a file.
func TestOnceIsEnough(t *testing.T) {
	cache := t.TempDir()
	made := hubtest.New(t, cache, repo, revision)
	made.Sharded(3, 5000)
	waitForTick()
	var hashed int64
	known := hub.NewDigests()
	first := verify(t, cache, known, count(&hashed))
	if hashed != first.Size() || !first.IsVerified() {
		t.Fatalf("hashed %d of %d bytes: %s", hashed, first.Size(), describe(first))
	}
	kept := hub.ParseDigests(known.Encode(hub.NewDigests()), time.Now())
	if m := verify(t, cache, kept, count(&hashed)); hashed != 0 || !m.IsVerified() || m.VerifiedAt == "" {
		t.Errorf("hashed %d bytes again: %s", hashed, describe(m))
	}
	if verify(t, cache, kept, hub.Options{Rehash: true, Progress: func(done, _ int64) { hashed = done }}); hashed != first.Size() {
		t.Errorf("asked to hash all, it hashed %d of %d bytes", hashed, first.Size())
	}

	// A flipped byte, equal size, and the time of the last write put back.
	shard := made.Blob(second)
	info, err := os.Stat(shard)
	must(t, err)
	content := made.Content(second)
	content[len(content)-1] ^= 1
	must(t, os.WriteFile(shard, content, 0o644))
	must(t, os.Chtimes(shard, info.ModTime(), info.ModTime()))
	m := verify(t, cache, kept, count(&hashed))
	if fault, ok := m.Damage(); !ok || fault.What != "content" || fault.File != second {
		t.Errorf("a byte was flipped and the time put back: %s", describe(m))
	}
	if hashed != info.Size() {
		t.Errorf("hashed %d bytes, want those of the one file that was touched, %d", hashed, info.Size())
	}
}

// TestRacy holds the rule of git: a file that was hashed in the tick in which it was
// written is hashed again by the next run.
func TestRacy(t *testing.T) {
	cache := t.TempDir()
	hubtest.New(t, cache, repo, revision).Sharded(2, 100)
	known := hub.NewDigests()
	start := time.Now()
	m := verify(t, cache, known, hub.Options{})
	if time.Since(start) > 15*time.Millisecond {
		t.Skip("this machine is too busy to write and hash within one tick")
	}
	kept := hub.ParseDigests(known.Encode(hub.NewDigests()), time.Now())
	var hashed int64
	verify(t, cache, kept, count(&hashed))
	if hashed != m.Size() {
		t.Errorf("hashed %d bytes, want all %d: they are hardly older than their hashes", hashed, m.Size())
	}
}

// TestInterrupted holds that what was hashed before an interruption is not lost.
func TestInterrupted(t *testing.T) {
	cache := t.TempDir()
	hubtest.New(t, cache, repo, revision).Sharded(8, 8_000_000)
	waitForTick()
	ctx, stop := context.WithCancel(context.Background())
	var kept *hub.Digests
	known := hub.NewDigests()
	_, err := hub.Verify(ctx, cache, []hub.Pin{{Repo: repo, Revision: revision}}, known, hub.Options{
		Workers: 1,
		Save:    func(d *hub.Digests) { kept = d },
		Progress: func(done, total int64) {
			if done > total/2 {
				stop()
			}
		},
	})
	if err == nil {
		t.Skip("it was done before it could be interrupted")
	}
	if !errors.Is(err, context.Canceled) || kept == nil {
		t.Fatalf("error %v, kept %v", err, kept != nil)
	}
	var hashed int64
	m := verify(t, cache, kept, count(&hashed))
	if !m.IsVerified() || hashed == 0 || hashed >= m.Size() {
		t.Errorf("hashed %d of %d bytes after an interruption half-way: %s", hashed, m.Size(), describe(m))
	}
}

// TestWrittenMeanwhile holds that a file which is written all the time is not proved.
func TestWrittenMeanwhile(t *testing.T) {
	cache := t.TempDir()
	made := hubtest.New(t, cache, repo, revision)
	made.Sharded(2, 20_000_000)
	shard := made.Blob(hubtest.Shard(1, 2))
	f, err := os.OpenFile(shard, os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = f.WriteAt([]byte{1}, 30_000_000) // what is there already
				time.Sleep(time.Millisecond)
			}
		}
	}()
	m := verify(t, cache, hub.NewDigests(), hub.Options{})
	close(stop)
	<-done
	if fault, ok := m.Damage(); !ok || fault.What != "changed" || fault.File != hubtest.Shard(1, 2) {
		t.Errorf("a file that is being written: %s", describe(m))
	}
}

// TestNothingIsWritten holds that neither a look nor a verification changes a cache.
func TestNothingIsWritten(t *testing.T) {
	cache := t.TempDir()
	made := hubtest.New(t, cache, repo, revision)
	made.Sharded(2, 100)
	must(t, os.Remove(made.Blob(hubtest.Shard(1, 2))))
	before := listTree(t, cache)
	observe(t, cache)
	verify(t, cache, hub.NewDigests(), hub.Options{})
	if after := listTree(t, cache); after != before {
		t.Errorf("the cache changed\n--- before\n%s--- after\n%s", before, after)
	}
}

// tree lists names, sizes, modes and times.
func listTree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(name + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		}
		return err
	}))
	return b.String()
}
