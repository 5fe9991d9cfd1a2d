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

// TestFaults tests the result of Observe and Verify for each fault.
func TestFaults(t *testing.T) {
	for _, p := range faultCases {
		t.Run(p.name, func(t *testing.T) {
			cache := p.build(t)
			if m := observe(t, cache, p.exclude...); m.State != p.observed {
				t.Errorf("Observe: %s, want %s", describe(m), p.observed)
			}
			known := hub.NewDigests()
			m := verify(t, cache, known, hub.Options{}, p.exclude...)
			p.check(t, m)
			for _, f := range m.Faults {
				if strings.HasPrefix(f.Description(), f.What) {
					t.Errorf("fault %q has no description: %s", f.What, f.Description())
				}
			}
			// Observe reports the same from the digests of Verify.
			again, err := hub.Observe(cache, hub.Pin{Repo: repo, Revision: revision, Exclude: p.exclude}, known)
			must(t, err)
			if m.State == facts.ModelComplete && !again.IsVerified() {
				t.Errorf("verified, but Observe returns %s", describe(again))
			}
			for _, f := range m.Faults {
				if f.What == "content" && again.State != facts.ModelDamaged {
					t.Errorf("modified content, but Observe returns %s", describe(again))
				}
			}
		})
	}
}

// TestEveryFaultHasACase tests that faultCases has every kind of fault.
func TestEveryFaultHasACase(t *testing.T) {
	seen := map[string]bool{"changed": true} // see TestFileModifiedWhileHashing
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

// waitForTick waits until a file written now is older than a tick of the file system clock.
func waitForTick() { time.Sleep(60 * time.Millisecond) }

// TestUnchangedFilesAreHashedOnce tests that only modified files are hashed again, also with
// digests that were encoded and parsed.
func TestUnchangedFilesAreHashedOnce(t *testing.T) {
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
		t.Errorf("Rehash: hashed %d of %d bytes", hashed, first.Size())
	}

	// A flipped byte with the same size and mtime.
	shard := made.Blob(second)
	info, err := os.Stat(shard)
	must(t, err)
	content := made.Content(second)
	content[len(content)-1] ^= 1
	must(t, os.WriteFile(shard, content, 0o644))
	must(t, os.Chtimes(shard, info.ModTime(), info.ModTime()))
	m := verify(t, cache, kept, count(&hashed))
	if fault, ok := m.Damage(); !ok || fault.What != "content" || fault.File != second {
		t.Errorf("a flipped byte with the old mtime: %s", describe(m))
	}
	if hashed != info.Size() {
		t.Errorf("hashed %d bytes, want %d of the modified file", hashed, info.Size())
	}
}

// TestFileHashedInTheTickOfItsWriteIsHashedAgain tests git's rule for racy files.
func TestFileHashedInTheTickOfItsWriteIsHashedAgain(t *testing.T) {
	cache := t.TempDir()
	start := time.Now()
	hubtest.New(t, cache, repo, revision).Sharded(2, 100)
	known := hub.NewDigests()
	m := verify(t, cache, known, hub.Options{})
	if time.Since(start) > 15*time.Millisecond {
		t.Skip("this machine is too busy to write and hash within one tick")
	}
	kept := hub.ParseDigests(known.Encode(hub.NewDigests()), time.Now())
	var hashed int64
	verify(t, cache, kept, count(&hashed))
	if hashed != m.Size() {
		t.Errorf("hashed %d bytes, want all %d", hashed, m.Size())
	}
}

// TestInterruptedRunKeepsDigests tests that files hashed before an interruption are not
// hashed again.
func TestInterruptedRunKeepsDigests(t *testing.T) {
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
		t.Skip("it finished before it could be interrupted")
	}
	if !errors.Is(err, context.Canceled) || kept == nil {
		t.Fatalf("error %v, kept %v", err, kept != nil)
	}
	var hashed int64
	m := verify(t, cache, kept, count(&hashed))
	if !m.IsVerified() || hashed == 0 || hashed >= m.Size() {
		t.Errorf("hashed %d of %d bytes after an interruption half way: %s", hashed, m.Size(), describe(m))
	}
}

// TestFileModifiedWhileHashing tests that a file that is written all the time is not verified.
func TestFileModifiedWhileHashing(t *testing.T) {
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
				_, _ = f.WriteAt([]byte{1}, 30_000_000) // the same byte
				time.Sleep(time.Millisecond)
			}
		}
	}()
	m := verify(t, cache, hub.NewDigests(), hub.Options{})
	close(stop)
	<-done
	if fault, ok := m.Damage(); !ok || fault.What != "changed" || fault.File != hubtest.Shard(1, 2) {
		t.Errorf("a file that is modified all the time: %s", describe(m))
	}
}

// TestCacheIsNotModified tests that neither Observe nor Verify changes a cache.
func TestCacheIsNotModified(t *testing.T) {
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
