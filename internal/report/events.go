package report

import (
	"io"

	"github.com/reconcile-ml/reconcile/internal/apply"
)

// EventsJSON returns a function for apply.Options.Events that writes each event
// as one line of JSON with the format version. Durations are seconds.
func EventsJSON(w io.Writer) func(apply.Event) {
	return func(e apply.Event) {
		// A reader that went away stops nothing: what was begun is ended.
		_ = writeJSON(w, eventLine{Version, e, e.Elapsed.Seconds()}, "")
	}
}

// eventLine is an event for programs, format version 1.
type eventLine struct {
	Version int `json:"version"`
	apply.Event
	Elapsed float64 `json:"elapsed,omitempty"` // seconds
}
