package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A TransferProgress tells a person how a transfer goes: one live line on a terminal, a
// line every ten seconds elsewhere. A nil one tells nothing.
type TransferProgress struct {
	mu     sync.Mutex
	w      io.Writer
	o      Options
	what   string
	began  time.Time
	bytes  int64
	files  int
	live   int // columns of the line that stands there now
	ticker *time.Ticker
	stop   chan struct{}
	done   chan struct{}
}

// NewTransferProgress returns the progress of a transfer, such as "push data/processed to
// gpu1". Nothing is written before Start.
func NewTransferProgress(w io.Writer, o Options, what string) *TransferProgress {
	return &TransferProgress{w: w, o: o, what: what, stop: make(chan struct{}), done: make(chan struct{})}
}

// Start begins to tell. It ends with Stop.
func (v *TransferProgress) Start() {
	if v == nil {
		return
	}
	v.began = time.Now()
	every := heartbeat
	if v.isLive() {
		every = redraw
	}
	v.ticker = time.NewTicker(every)
	go func() {
		defer close(v.done)
		for {
			select {
			case <-v.stop:
				return
			case <-v.ticker.C:
				v.tick()
			}
		}
	}()
}

// Moved says how much has come so far: bytes of files, and how many of them.
func (v *TransferProgress) Moved(bytes int64, files int) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes, v.files = bytes, files
}

// Stop ends it and removes the live line.
func (v *TransferProgress) Stop() {
	if v == nil {
		return
	}
	v.ticker.Stop()
	close(v.stop)
	<-v.done
	v.erase()
}

func (v *TransferProgress) isLive() bool { return v.o.Terminal && v.o.Width >= narrowest }

// tick writes how it goes. Before the first byte has come nothing stands on a terminal:
// ssh may be asking for a password there.
func (v *TransferProgress) tick() {
	v.mu.Lock()
	text := v.text(time.Since(v.began))
	silent := v.isLive() && v.bytes == 0
	v.mu.Unlock()
	switch {
	case silent:
	case v.isLive():
		line := []rune(text)
		if len(line) >= v.o.Width {
			line = append(line[:v.o.Width-2], '…')
		}
		// Nobody can be told that progress cannot be told; the transfer goes on.
		_, _ = fmt.Fprintf(v.w, "\r%s%s", string(line), spaces(max(0, v.live-len(line))))
		v.live = len(line)
	default:
		_, _ = fmt.Fprintln(v.w, text)
	}
}

// text is such as "push data to gpu1: 12 MB, 5.1 MB/s, 3 files so far, 4 s".
func (v *TransferProgress) text(took time.Duration) string {
	a := activity{bytes: v.bytes, from: time.Time{}}
	text := fmt.Sprintf("%s: %s", Escape(v.what), a.speed(time.Time{}.Add(took)))
	if v.files > 0 {
		text += fmt.Sprintf(", %s so far", plural.Count(v.files, "file"))
	}
	return text + ", " + duration(took)
}

func (v *TransferProgress) erase() {
	if v.live > 0 {
		_, _ = fmt.Fprintf(v.w, "\r%s\r", spaces(v.live))
		v.live = 0
	}
}

// seconds is a duration that was measured in seconds.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
