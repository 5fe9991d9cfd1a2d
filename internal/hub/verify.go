package hub

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Options say how to verify.
type Options struct {
	Workers int // how many files are hashed at once; 0 for as many as there are cores
	// Fresh hashes everything, whatever is remembered.
	Rehash bool
	// Progress gets bytes hashed of the bytes in all that have to be; may be nil. It is
	// called some twenty times a second at most, by one goroutine at a time.
	Progress func(done, total int64)
	// Keep is called now and then while files are hashed, and at the end, so that what is
	// known is kept though the run may be killed; may be nil.
	Save func(*Digests)
}

const (
	// tellEvery is how long Progress is not called again, keepEvery the same for Keep.
	progressEvery, saveEvery = 50 * time.Millisecond, 2 * time.Second
)

// Verify hashes the contents of models, as far as known does not vouch for them, and
// returns what Look says then, with a fault for every file that could not be proved.
//
//  1. Every snapshot is read; contents that several files share count once.
//  2. The largest is hashed first, so that the last ones end together.
//  3. If anything was hashed, snapshots are read once more: what was written meanwhile
//     looks different.
//
// With a context that ends it returns its error; what was hashed by then is in known.
func Verify(ctx context.Context, cache string, pins []Pin, known *Digests, o Options) ([]facts.Model, error) {
	trusted := known
	if o.Rehash {
		trusted = nil
	}
	v := &verification{known: known, o: o, faults: map[string]facts.ModelFault{}}
	snapshots := make([]*snapshot, len(pins))
	var err error
	for i, pin := range pins {
		if snapshots[i], err = read(cache, pin); err != nil {
			return nil, err
		}
		v.collect(snapshots[i], trusted)
	}
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	models := make([]facts.Model, len(pins))
	for i, pin := range pins {
		if len(v.jobs) > 0 {
			if snapshots[i], err = read(cache, pin); err != nil {
				return nil, err
			}
		}
		models[i] = snapshots[i].model(known, v.faults)
	}
	return models, nil
}

// A job is one content to hash.
type job struct {
	path string
	size int64
	git  bool
}

// A verification is one run of Verify.
type verification struct {
	known *Digests
	o     Options
	jobs  []job
	seen  map[inode]bool
	total int64
	done  atomic.Int64

	mu     sync.Mutex
	faults map[string]facts.ModelFault // by path: why a content could not be hashed

	reportMu   sync.Mutex
	reportedAt time.Time
	saveMu     sync.Mutex
	savedAt    time.Time
}

// collect adds the contents of a snapshot that have to be hashed.
func (v *verification) collect(s *snapshot, trusted *Digests) {
	if v.seen == nil {
		v.seen = map[inode]bool{}
	}
	for i := range s.files {
		f := &s.files[i]
		at := inode{f.id.dev, f.id.ino}
		if f.id == (fileID{}) || f.want == (Digest{}) || v.seen[at] {
			continue
		}
		v.seen[at] = true
		if _, ok := trusted.lookup(f.id, f.want.Git); !ok {
			v.jobs = append(v.jobs, job{f.path, f.id.size, f.want.Git})
			v.total += f.id.size
		}
	}
}

// run hashes all of them.
func (v *verification) run(ctx context.Context) error {
	slices.SortStableFunc(v.jobs, func(a, b job) int { return cmp.Compare(b.size, a.size) })
	v.reportedAt, v.savedAt = time.Now(), time.Now()
	v.report(true)
	workers := v.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(workers, len(v.jobs)) {
		group.Go(func() {
			h := hasher{add: v.add}
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(v.jobs) {
					return
				}
				v.hash(ctx, &h, &v.jobs[i])
			}
		})
	}
	group.Wait()
	cut := ctx.Err() // what is done is done, whatever happens from here on
	if v.o.Save != nil && len(v.jobs) > 0 {
		v.o.Save(v.known)
	}
	v.report(true)
	return cut
}

// hash hashes one content. One that is written meanwhile is hashed once more.
func (v *verification) hash(ctx context.Context, h *hasher, j *job) {
	for range 2 {
		at := time.Now()
		digest, before, after, err := h.sum(ctx, j.path, j.git)
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return
		case err != nil:
			v.mu.Lock()
			v.faults[j.path] = facts.ModelFault{What: "unreadable", Detail: reason(err)}
			v.mu.Unlock()
			return
		case before == after:
			v.known.record(before, digest, at)
			v.save()
			return
		}
	}
}

// keep lets the caller keep what is known, now and then. Nobody waits for that.
func (v *verification) save() {
	if v.o.Save == nil || !v.saveMu.TryLock() {
		return
	}
	defer v.saveMu.Unlock()
	if time.Since(v.savedAt) >= saveEvery {
		v.o.Save(v.known)
		v.savedAt = time.Now()
	}
}

// add counts bytes hashed.
func (v *verification) add(n int64) {
	v.done.Add(n)
	v.report(false)
}

func (v *verification) report(always bool) {
	if v.o.Progress == nil {
		return
	}
	if always {
		v.reportMu.Lock()
	} else if !v.reportMu.TryLock() {
		return // another one tells
	}
	defer v.reportMu.Unlock()
	if always || time.Since(v.reportedAt) >= progressEvery {
		v.o.Progress(min(v.done.Load(), v.total), v.total)
		v.reportedAt = time.Now()
	}
}
