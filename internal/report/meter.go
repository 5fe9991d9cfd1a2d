package report

import (
	"fmt"
	"io"
	"time"

	"github.com/reconcile-ml/reconcile/internal/plural"
)

// Meter prints the progress of one long operation, which what names: a live line with
// bytes, rate and time left on a terminal, a line every ten seconds elsewhere. update may be
// called concurrently; stop ends the output and removes the live line.
func Meter(w io.Writer, o Options, what string) (update func(done, total int64), stop func()) {
	v, a := newMeter(w, o)
	v.text = func() string {
		if a.total == 0 {
			return ""
		}
		return Escape(what) + ", " + a.speed(time.Now())
	}
	v.startClock()
	update = func(done, total int64) {
		v.mu.Lock()
		defer v.mu.Unlock()
		a.bytes, a.total = done, total
		v.draw()
	}
	return update, v.stopClock
}

// TransferMeter is a Meter for a transfer of unknown size, such as "push data/processed to
// gpu1". update takes the bytes and files so far. A terminal has no live line before the
// first byte, because ssh may ask for a password.
func TransferMeter(w io.Writer, o Options, what string) (update func(bytes int64, files int), stop func()) {
	v, a := newMeter(w, o)
	files := 0
	v.text = func() string {
		if v.isLive() && a.bytes == 0 {
			return ""
		}
		text := Escape(what) + ": " + a.speed(time.Now())
		if files > 0 {
			text += fmt.Sprintf(", %s so far", plural.Count(files, "file"))
		}
		return text + ", " + duration(time.Since(a.since))
	}
	v.startClock()
	update = func(bytes int64, n int) {
		v.mu.Lock()
		defer v.mu.Unlock()
		a.bytes, files = bytes, n
		v.draw()
	}
	return update, v.stopClock
}

func newMeter(w io.Writer, o Options) (*progress, *activity) {
	now := time.Now()
	return &progress{w: w, o: o}, &activity{since: now, from: now}
}
