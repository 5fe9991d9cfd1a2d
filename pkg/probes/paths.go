package probes

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

const (
	// chunkSize is how many paths a goroutine takes at a time.
	chunkSize = 128
	// mostHung is how many goroutines may hang before the rest is given up: each
	// of them is a thread in the kernel that nobody can end.
	mostHung = 4
)

// A chunk is a run of paths, and what was found of them.
type chunk struct {
	names []string
	facts []facts.Fact
	errs  []error
}

// A walker goes through chunks. Only its owner reads what it wrote, and only
// below at: a walker that was given up may still write at that one place.
type walker struct {
	chunk   *chunk       // in hand; written before it is handed over
	at      atomic.Int64 // index in chunk of the path it looks at
	beats   atomic.Int64 // moves with every path and every long read
	dropped atomic.Bool
}

// probePaths looks at paths and sets or fails each of them in f.
//
//  1. As many walkers as cores take chunks until none is left.
//  2. What a walker has finished goes into f while the others go on.
//  3. A walker that does not move for a whole deadline is given up: the path
//     where it stands fails, and another takes the rest of its chunk.
func (p *Prober) probePaths(ctx context.Context, names []string, f *facts.Facts) {
	if len(names) == 0 {
		return
	}
	w := &pathRun{p: p, f: f, todo: chunks(names), done: make(chan *walker), quit: make(chan struct{})}
	defer close(w.quit)
	for range min(runtime.GOMAXPROCS(0), len(w.todo)) {
		w.start(&walker{})
	}
	tick := time.NewTicker(max(p.deadline/4, time.Millisecond))
	defer tick.Stop()
	for len(w.active) > 0 {
		select {
		case one := <-w.done:
			w.finish(one)
		case <-tick.C:
			w.dropHung()
		case <-ctx.Done():
			w.giveUp("interrupted")
		}
	}
}

// pathRun is one call of probePaths; all but the walkers runs in one goroutine.
type pathRun struct {
	p      *Prober
	f      *facts.Facts
	todo   []*chunk
	done   chan *walker
	quit   chan struct{} // closed when nobody listens any more
	ways   ways
	active map[*walker]*watch
	hung   int
}

// A watch is how often a walker was seen at the same place.
type watch struct {
	beats int64
	times int
	next  chan *chunk
}

func chunks(names []string) []*chunk {
	size := min(chunkSize, max(1, len(names)/(4*runtime.GOMAXPROCS(0))))
	list := make([]*chunk, 0, len(names)/size+1)
	for len(names) > 0 {
		n := min(size, len(names))
		list = append(list, &chunk{names: names[:n]})
		names = names[n:]
	}
	return list
}

// start puts a walker to work on the next chunk.
func (w *pathRun) start(one *walker) {
	if len(w.todo) == 0 {
		return
	}
	next := make(chan *chunk, 1)
	if w.active == nil {
		w.active = map[*walker]*watch{}
	}
	w.active[one] = &watch{next: next}
	w.hand(one, next)
	go one.walk(newLooker(w.p, &w.ways), next, w.done, w.quit)
}

// hand gives a walker the next chunk.
func (w *pathRun) hand(one *walker, next chan *chunk) {
	c := w.todo[0]
	w.todo[0], w.todo = nil, w.todo[1:]
	c.facts, c.errs = make([]facts.Fact, len(c.names)), make([]error, len(c.names))
	one.at.Store(0)
	one.chunk = c
	next <- c
}

// finish takes over a whole chunk and hands out the next.
func (w *pathRun) finish(one *walker) {
	watch, mine := w.active[one]
	if !mine {
		return // it was given up, and moved after all
	}
	w.take(one.chunk, len(one.chunk.names))
	if len(w.todo) == 0 {
		close(watch.next)
		delete(w.active, one)
		return
	}
	w.hand(one, watch.next)
}

// take records the first n answers of a chunk.
func (w *pathRun) take(c *chunk, n int) {
	for i, fact := range c.facts[:n] {
		if c.errs[i] != nil {
			w.f.Fail(facts.PathKey(c.names[i]), c.errs[i].Error())
			continue
		}
		w.f.Set(fact)
	}
}

// dropHung gives up walkers that stand still.
func (w *pathRun) dropHung() {
	for one, watch := range w.active {
		beats := one.beats.Load()
		if beats != watch.beats {
			watch.beats, watch.times = beats, 0
			continue
		}
		if watch.times++; watch.times < 4 {
			continue
		}
		w.drop(one, fmt.Sprintf("no answer in %v", w.p.deadline))
		if w.hung++; w.hung >= mostHung {
			w.giveUp("not probed: the file system does not respond")
			return
		}
		w.start(&walker{})
	}
}

// drop gives up a walker: what it has is taken, the path where it stands fails,
// and the rest of its chunk is for others.
func (w *pathRun) drop(one *walker, reason string) {
	one.dropped.Store(true)
	close(w.active[one].next)
	delete(w.active, one)
	c, at := one.chunk, int(one.at.Load())
	w.take(c, min(at, len(c.names)))
	if at >= len(c.names) {
		return
	}
	w.f.Fail(facts.PathKey(c.names[at]), reason)
	if rest := c.names[at+1:]; len(rest) > 0 {
		w.todo = append(w.todo, &chunk{names: rest})
	}
}

// giveUp fails everything that is not answered yet.
func (w *pathRun) giveUp(reason string) {
	for one := range w.active {
		w.drop(one, reason)
	}
	for _, c := range w.todo {
		for _, name := range c.names {
			w.f.Fail(facts.PathKey(name), reason)
		}
	}
	w.todo = nil
}

// walk goes through chunks until there is none, or nobody listens.
func (one *walker) walk(l *looker, next <-chan *chunk, done chan<- *walker, quit <-chan struct{}) {
	l.beat = func() { one.beats.Add(1) }
	for c := range next {
		for i, name := range c.names {
			one.beats.Add(1)
			fact, err := l.answer(name)
			if one.dropped.Load() {
				return
			}
			c.facts[i], c.errs[i] = fact, err
			one.at.Store(int64(i + 1))
		}
		select {
		case done <- one:
		case <-quit:
			return
		}
	}
}

// answer looks at one name as it comes from a manifest.
func (l *looker) answer(name string) (facts.Path, error) {
	if !clean(name) {
		return facts.Path{}, fmt.Errorf("%q is not a clean path", name)
	}
	if l.p.stat != nil {
		l.p.stat(name)
	}
	return l.look(name)
}
