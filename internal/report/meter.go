package report

import (
	"fmt"
	"io"
	"time"

	"github.com/reconcile-ml/reconcile/internal/plural"
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

// TransferMeter is a Meter of a transfer, such as "push data/processed to gpu1", of which
// nobody knows how much it will be. tell says how much has come so far: bytes of files, and
// how many of them. Before the first byte nothing stands on a terminal: ssh may be asking
// for a password there.
func TransferMeter(w io.Writer, o Options, what string) (tell func(bytes int64, files int), stop func()) {
	began, files := time.Now(), 0
	a := &activity{since: began, from: began}
	v := &progress{w: w, o: o}
	v.text = func() string {
		if v.isLive() && a.bytes == 0 {
			return ""
		}
		text := Escape(what) + ": " + a.speed(time.Now())
		if files > 0 {
			text += fmt.Sprintf(", %s so far", plural.Count(files, "file"))
		}
		return text + ", " + duration(time.Since(began))
	}
	v.startClock()
	tell = func(bytes int64, n int) {
		v.mu.Lock()
		defer v.mu.Unlock()
		a.bytes, files = bytes, n
		v.draw()
	}
	return tell, v.stopClock
}
