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

// Options are the options of Verify.
type Options struct {
	Workers int  // files hashed at once; 0 for one per core
	Rehash  bool // hash every file, even if its digest is known
	// Progress receives the bytes hashed and the total; may be nil. It is called at most
	// twenty times a second, by one goroutine at a time.
	Progress func(done, total int64)
	// Save is called from time to time and at the end, so that an interrupted run loses
	// little; may be nil.
	Save func(*Digests)
}

// progressEvery and saveEvery are the least time between two calls of Progress and Save.
const progressEvery, saveEvery = 50 * time.Millisecond, 2 * time.Second

// Verify hashes the files of models whose digests are not in known, and returns what
// Observe returns, plus a fault for every file that could not be verified.
//
// Content that several files share is hashed once, the largest first. If anything was
// hashed, the snapshots are read again, so that files modified in the meantime are found.
//
// If ctx ends, Verify returns its error; known has the digests computed until then.
func Verify(ctx context.Context, cache string, pins []Pin, known *Digests, o Options) ([]facts.Model, error) {
	trusted := known
	if o.Rehash {
		trusted = nil
	}
	v := &verification{known: known, o: o, seen: map[inode]bool{}, failed: map[string]facts.ModelFault{}}
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
		models[i] = snapshots[i].model(known, v.failed)
	}
	return models, nil
}

// A job is one file to hash.
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
	failed map[string]facts.ModelFault // files that could not be hashed, by path

	reporting, saving throttle
}

// A throttle calls a function at most once per interval, and never twice at once.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

// call calls f, unless another call is in progress or the interval has not passed. With
// always, it waits and calls f.
func (t *throttle) call(interval time.Duration, always bool, f func()) {
	if always {
		t.mu.Lock()
	} else if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	if always || time.Since(t.last) >= interval {
		f()
		t.last = time.Now()
	}
}

// collect adds the files of a snapshot that have to be hashed.
func (v *verification) collect(s *snapshot, trusted *Digests) {
	for i := range s.files {
		f := &s.files[i]
		if f.id == (fileID{}) || f.want == (Digest{}) || v.seen[f.id.inode()] {
			continue
		}
		v.seen[f.id.inode()] = true
		if _, ok := trusted.lookup(f.id, f.want.Git); !ok {
			v.jobs = append(v.jobs, job{f.path, f.id.size, f.want.Git})
			v.total += f.id.size
		}
	}
}

// run hashes all files.
func (v *verification) run(ctx context.Context) error {
	slices.SortStableFunc(v.jobs, func(a, b job) int { return cmp.Compare(b.size, a.size) })
	v.saving.last = time.Now()
	v.report(true)
	workers := v.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(workers, len(v.jobs)) {
		group.Go(func() {
			h := hasher{add: func(n int64) {
				v.done.Add(n)
				v.report(false)
			}}
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
	err := ctx.Err() // before Save, which may take longer
	if len(v.jobs) > 0 {
		v.save(true)
	}
	v.report(true)
	return err
}

// hash hashes one file, twice if it is modified in the meantime.
func (v *verification) hash(ctx context.Context, h *hasher, j *job) {
	for range 2 {
		at := time.Now()
		digest, before, after, err := h.sum(ctx, j.path, j.git)
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return
		case err != nil:
			v.mu.Lock()
			v.failed[j.path] = facts.ModelFault{What: "unreadable", Detail: reason(err)}
			v.mu.Unlock()
			return
		case before == after:
			v.known.record(before, digest, at)
			v.save(false)
			return
		}
	}
}

func (v *verification) save(always bool) {
	if v.o.Save != nil {
		v.saving.call(saveEvery, always, func() { v.o.Save(v.known) })
	}
}

func (v *verification) report(always bool) {
	if v.o.Progress != nil {
		v.reporting.call(progressEvery, always, func() { v.o.Progress(min(v.done.Load(), v.total), v.total) })
	}
}
