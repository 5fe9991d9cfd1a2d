package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	heartbeat = 10 * time.Second       // interval of lines without a terminal
	redraw    = time.Second            // interval of the live line on a terminal
	flicker   = 100 * time.Millisecond // shortest time between two live lines
	manyItems = 100                    // number of changes above which quick ones are counted
	slow      = time.Second            // duration of an item that is never only counted
)

// Progress returns a function for apply.Options.Events that prints a line when a change or
// one of its long steps starts, and one with the duration when it ends. In between a
// terminal has one live line with bytes, rate and time left; elsewhere there is a line
// every ten seconds. If there are very many changes, the quick ones are counted.
//
// Its clock runs from the first event to the event Finished.
func Progress(w io.Writer, o Options) func(apply.Event) {
	v := &progress{w: w, o: o, running: map[resources.Addr]*activity{}}
	return v.event
}

type progress struct {
	mu sync.Mutex
	w  io.Writer
	o  Options

	text    func() string // of the live line, if this is not an apply
	total   int           // changes
	ended   int
	counted int // ended without a line
	running map[resources.Addr]*activity
	order   []resources.Addr // of running, by their start
	live    int              // columns of the current live line
	drawn   time.Time        // time of the live line

	stop chan struct{}
	done chan struct{}
}

// activity is one running item.
type activity struct {
	since time.Time
	step  string    // name of the step
	from  time.Time // start of the step
	bytes int64
	total int64
}

func (v *progress) event(e apply.Event) {
	v.mu.Lock()
	switch e.Kind {
	case apply.PlanStarted:
		v.total = int(e.Total)
		v.startClock()
	case apply.ItemStarted:
		v.begin(e)
	case apply.StepStarted:
		v.step(e)
	case apply.Progress:
		if a := v.running[e.Addr]; a != nil {
			a.bytes, a.total = e.Bytes, e.Total
			if a.total > 0 && a.bytes >= a.total { // the rest of the step has no bytes
				a.bytes, a.total = 0, 0
			}
		}
	case apply.Log:
		if v.o.Verbose {
			v.printItem(plain, e.Addr, "| ", e.Text)
		}
	case apply.Note:
		v.printItem(plain, e.Addr, "note: ", e.Text)
	case apply.ItemDone, apply.ItemFailed, apply.ItemSkipped, apply.ItemStopped:
		v.end(e)
	}
	v.draw()
	v.mu.Unlock()
	if e.Kind == apply.Finished {
		v.stopClock()
	}
}

// startClock starts the goroutine that prints between events; stopClock ends it.
func (v *progress) startClock() {
	if v.stop != nil {
		return
	}
	stop, done := make(chan struct{}), make(chan struct{})
	v.stop, v.done = stop, done
	every := heartbeat
	if v.isLive() {
		every = redraw
	}
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				v.tick()
			}
		}
	}()
}

func (v *progress) stopClock() {
	if v.stop != nil {
		close(v.stop)
		<-v.done
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stop = nil
	v.erase()
	if v.counted > 0 {
		v.print("%s more, each in less than a second", plural.Count(v.counted, "change"))
	}
}

// tick prints that work continues.
func (v *progress) tick() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isLive() {
		v.draw()
		return
	}
	if text := v.now(); text != "" {
		v.print("still working: %s", text)
	}
}

func (v *progress) begin(e apply.Event) {
	now := time.Now()
	v.running[e.Addr] = &activity{since: now, from: now}
	v.order = append(v.order, e.Addr)
}

func (v *progress) step(e apply.Event) {
	a := v.running[e.Addr]
	if a == nil {
		v.begin(e)
		a = v.running[e.Addr]
	}
	a.step, a.from, a.bytes, a.total = e.Step, time.Now(), 0, 0
	if isLong(e.Step) {
		v.printItem(plain, e.Addr, stepWord(e.Step)+" ", e.Text)
	}
}

// stepWord returns the name of a step for people.
func stepWord(name string) string {
	if name == "prove" {
		return "smoke test"
	}
	return strings.ReplaceAll(name, "_", " ")
}

// isLong reports whether a step is announced.
func isLong(step string) bool {
	switch step {
	case "fetch", "run", "build", "unpack", "assemble", "compile", "prove", "seal", "switch":
		return true
	}
	return false
}

func (v *progress) end(e apply.Event) {
	a := v.running[e.Addr]
	delete(v.running, e.Addr)
	switch i := slices.Index(v.order, e.Addr); {
	case i == 0:
		v.order = v.order[1:] // the usual case, without moving the rest
	case i > 0:
		v.order = slices.Delete(v.order, i, i+1)
	}
	check := e.Action == resources.None || e.Action == resources.Blocked
	if e.Outcome == apply.Unchanged && check {
		return // it passed in the plan as well
	}
	if !check {
		v.ended++
	}
	quick := e.Kind == apply.ItemDone && e.Elapsed < slow && (a == nil || !isLong(a.step))
	if v.total > manyItems && quick {
		v.counted++
		return
	}
	text, c := ending(e)
	if v.total > 0 && !check {
		text += fmt.Sprintf(" (%d of %d)", v.ended, v.total)
	}
	v.printItem(c, e.Addr, "", text)
}

// ending returns the outcome of an item, its duration, and the reason if it was not done.
func ending(e apply.Event) (string, color) {
	text, c, link := past(e.Action), green, " in "
	switch e.Outcome {
	case apply.Failed:
		text, c, link = "failed", red, " after "
	case apply.Skipped:
		text, c = "skipped", yellow
	case apply.Interrupted:
		text, c, link = "interrupted", yellow, " after "
	case apply.Unchanged:
		text = "agrees already"
	}
	if e.Elapsed > 0 && e.Outcome != apply.Unchanged {
		text += link + duration(e.Elapsed)
	}
	if e.Err != nil {
		text += ": " + e.Err.Summary
	}
	return text, c
}

// past returns an action in the past tense.
func past(a resources.Action) string {
	switch a {
	case resources.Create:
		return "created"
	case resources.Update:
		return "updated"
	case resources.Replace:
		return "replaced"
	case resources.Delete:
		return "deleted"
	}
	return "done"
}

// now returns the live line. It is about an item that transfers bytes, or else the one
// that started first.
func (v *progress) now() string {
	if v.text != nil {
		return v.text()
	}
	if len(v.order) == 0 {
		return ""
	}
	addr := v.order[0]
	for _, other := range v.order {
		if v.running[other].bytes > 0 {
			addr = other
			break
		}
	}
	a := v.running[addr]
	text := Escape(addr.String())
	if a.step != "" {
		text += ", " + stepWord(a.step)
	}
	if a.bytes > 0 {
		text += ", " + a.speed(time.Now())
	} else {
		text += ", " + duration(time.Since(a.since))
	}
	if n := len(v.order) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("%s (%d of %d done)", text, v.ended, v.total)
}

// speed returns a text such as "12 MB of 30 MB (40 %), 5.1 MB/s, 4 s left".
func (a *activity) speed(now time.Time) string {
	text := bytesize.Format(a.bytes)
	if a.total > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", bytesize.Format(a.total), int(100*float64(a.bytes)/float64(a.total)))
	}
	took := now.Sub(a.from).Seconds()
	if took < 1 {
		return text
	}
	rate := float64(a.bytes) / took
	text += ", " + bytesize.Format(int64(rate)) + "/s"
	if left := a.total - a.bytes; left > 0 {
		text += ", " + duration(time.Duration(float64(left)/rate*float64(time.Second))) + " left"
	}
	return text
}

// printItem prints each line of a text about one item.
func (v *progress) printItem(c color, addr resources.Addr, label, text string) {
	p := page{o: v.o}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		v.print("%s: %s", Escape(addr.String()), p.paint(c, Escape(label+line)))
	}
}

// print prints one line above the live one. The arguments must be escaped.
func (v *progress) print(format string, args ...any) {
	v.erase()
	_, _ = fmt.Fprintf(v.w, format+"\n", args...) // an error does not stop the apply
}

func (v *progress) isLive() bool { return v.o.Terminal && v.o.Width >= narrowest }

// draw writes the live line of a terminal with carriage returns and spaces only.
func (v *progress) draw() {
	if !v.isLive() || v.stop == nil || (v.live > 0 && time.Since(v.drawn) < flicker) {
		return
	}
	v.drawn = time.Now()
	text := []rune(v.now())
	if len(text) >= v.o.Width {
		text = append(text[:v.o.Width-2], '…')
	}
	pad := max(0, v.live-len(text))
	if len(text) == 0 && v.live == 0 {
		return
	}
	_, _ = fmt.Fprintf(v.w, "\r%s%s", string(text), spaces(pad))
	v.live = len(text)
	if len(text) == 0 {
		_, _ = io.WriteString(v.w, "\r")
	}
}

// erase removes the live line.
func (v *progress) erase() {
	if v.live > 0 {
		_, _ = fmt.Fprintf(v.w, "\r%s\r", spaces(v.live))
		v.live = 0
	}
}

// seconds converts seconds to a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// duration formats a duration: "20 ms", "1.3 s", "12 s", "2 min 5 s", "1 h 3 min".
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d.Round(100*time.Millisecond) < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
