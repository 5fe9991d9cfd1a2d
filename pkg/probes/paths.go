package probes

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// maxHung is the number of hanging workers after which the remaining paths are not probed.
// Each of them occupies a kernel thread that cannot be ended.
const maxHung = 4

// A pathRun is one call of probePaths. The supervisor reads a result only if it is done.
type pathRun struct {
	p       *Prober
	names   []string
	results []pathResult
	next    atomic.Int64 // index of the next path
	dirs    dirCache
}

type pathResult struct {
	fact facts.Fact
	err  error
	done atomic.Bool
}

// A pathWorker probes paths, one after the other.
type pathWorker struct {
	at       atomic.Int64 // index of its present path
	progress atomic.Int64 // increases with every path and during long reads
	dropped  atomic.Bool  // no longer supervised; takes no more paths
}

// probePaths probes paths and records a fact or a failure for each in f.
func (p *Prober) probePaths(ctx context.Context, names []string, f *facts.Facts) {
	if len(names) == 0 {
		return
	}
	r := &pathRun{p: p, names: names, results: make([]pathResult, len(names))}
	failed, reason := r.supervise(ctx)
	r.next.Store(int64(len(names))) // stops the workers
	for i, name := range names {
		switch result := &r.results[i]; {
		case !result.done.Load():
			f.Fail(facts.PathKey(name), cmp.Or(failed[i], reason, r.timeout()))
		case result.err != nil:
			f.Fail(facts.PathKey(name), result.err.Error())
		default:
			f.Set(result.fact)
		}
	}
}

func (r *pathRun) timeout() string { return fmt.Sprintf("no answer in %v", r.p.deadline) }

// supervise runs as many workers as there are cores until they have finished. A worker
// without progress for a whole deadline is dropped: its path fails, and another worker
// replaces it. It returns the reasons of failed paths by index, and the reason why the
// rest was not probed, if it was not.
func (r *pathRun) supervise(ctx context.Context) (failed map[int]string, reason string) {
	workers := min(runtime.GOMAXPROCS(0), len(r.names))
	finished := make(chan *pathWorker, workers+maxHung) // never blocks a worker
	type watch struct {
		progress int64
		ticks    int // without progress
	}
	active := map[*pathWorker]*watch{}
	start := func() {
		w := &pathWorker{}
		active[w] = &watch{}
		go func() {
			r.work(w)
			finished <- w
		}()
	}
	for range workers {
		start()
	}
	failed = map[int]string{}
	tick := time.NewTicker(max(r.p.deadline/4, time.Millisecond))
	defer tick.Stop()
	for len(active) > 0 {
		select {
		case w := <-finished:
			delete(active, w)
		case <-ctx.Done():
			return failed, "interrupted"
		case <-tick.C:
			for w, seen := range active {
				if progress := w.progress.Load(); progress != seen.progress {
					*seen = watch{progress: progress}
					continue
				}
				if seen.ticks++; seen.ticks < 4 {
					continue
				}
				w.dropped.Store(true)
				delete(active, w)
				if failed[int(w.at.Load())] = r.timeout(); len(failed) >= maxHung {
					return failed, "not probed: the file system does not respond"
				}
				start()
			}
		}
	}
	return failed, ""
}

// work probes paths until none is left or w is dropped.
func (r *pathRun) work(w *pathWorker) {
	reader := &pathReader{p: r.p, dirs: &r.dirs, progress: func() { w.progress.Add(1) }}
	for !w.dropped.Load() {
		i := int(r.next.Add(1)) - 1
		if i >= len(r.names) {
			return
		}
		w.at.Store(int64(i))
		w.progress.Add(1)
		result := &r.results[i]
		result.fact, result.err = reader.probe(r.names[i])
		result.done.Store(true)
	}
}

// probe returns the fact of a path as it is named in a manifest.
func (r *pathReader) probe(name string) (facts.Fact, error) {
	if !isClean(name) {
		return nil, fmt.Errorf("%q is not a clean path", name)
	}
	if r.p.stat != nil {
		r.p.stat(name)
	}
	return r.read(name)
}
