package report

import (
	"io"
	"time"
)

// Meter shows how far one long piece of work is, as Progress does for an apply: a live
// line with bytes, rate and time left on a terminal, a line every ten seconds
// elsewhere. what names the work. tell may be called by several goroutines; stop ends it
// and leaves no line behind.
func Meter(w io.Writer, o Options, what string) (tell func(done, total int64), stop func()) {
	now := time.Now()
	a := &activity{since: now, from: now}
	v := &progress{w: w, o: o}
	v.text = func() string {
		if a.total == 0 {
			return ""
		}
		return Escape(what) + ", " + a.speed(time.Now())
	}
	v.startClock()
	tell = func(done, total int64) {
		v.mu.Lock()
		defer v.mu.Unlock()
		a.bytes, a.total = done, total
		v.draw()
	}
	return tell, v.stopClock
}
