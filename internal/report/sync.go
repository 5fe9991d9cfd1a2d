package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// SyncStatus is what travels between machines, and which machines are known.
type SyncStatus struct {
	Entries []SyncEntry `json:"entries"`
	Hosts   []SyncHost  `json:"hosts"`
}

// A SyncEntry is one entry of sync as it is on this machine.
type SyncEntry struct {
	Name   string `json:"name"`
	Push   bool   `json:"push"` // from here to the GPU machine; else from there to here
	Path   string `json:"path"`
	Absent bool   `json:"absent,omitempty"` // the folder is not here
	Files  int    `json:"files"`            // that would travel
	Bytes  int64  `json:"bytes"`
}

// A SyncHost is a machine of the manifest that ssh can reach.
type SyncHost struct {
	Name    string `json:"name"`
	Remote  string `json:"far"` // USER@HOST:PATH; without a path where that is the problem
	Port    int    `json:"port,omitempty"`
	Problem string `json:"problem,omitempty"` // why nothing can travel there
}

// WriteSync prints what travels.
func WriteSync(w io.Writer, t SyncStatus, o Options) error {
	p := newPage(w, o)
	if len(t.Entries) == 0 {
		p.line(0, "Nothing travels: the manifest has no sync. Add sync: {processed: {push: data/processed}, adapters: {pull: adapters}}.")
		return p.close()
	}
	width := 0
	for _, e := range t.Entries {
		width = max(width, columns(e.Name))
	}
	for _, e := range t.Entries {
		way, size := "pull", fmt.Sprintf("%s, %s here", plural.Count(e.Files, "file"), bytesize.Format(e.Bytes))
		if e.Push {
			way = "push"
		}
		if e.Absent {
			size = "not here"
		}
		p.line(0, "%s  %s  %s  (%s)", way, e.Name+spaces(width-columns(e.Name)), e.Path, size)
	}
	p.blank()
	if len(t.Hosts) == 0 {
		p.line(0, "No host of the manifest has ssh: write USER@HOST:PATH in the place of HOST.")
	}
	for _, h := range t.Hosts {
		text := h.Remote
		if h.Port != 0 {
			text += fmt.Sprintf(", port %d", h.Port)
		}
		if h.Problem != "" {
			text += ": " + h.Problem
		}
		p.line(0, "host  %s  %s", h.Name, text)
	}
	p.line(0, "`reconcile sync push NAME HOST` prints the commands, --dry-run previews, --run does it.")
	return p.close()
}

// SyncJSON writes what travels as one document.
func SyncJSON(w io.Writer, t SyncStatus) error {
	if t.Entries == nil {
		t.Entries = []SyncEntry{}
	}
	if t.Hosts == nil {
		t.Hosts = []SyncHost{}
	}
	return writeJSON(w, struct {
		Version int `json:"version"`
		SyncStatus
	}{Version, t}, "  ")
}

// A Transfer is one folder or file that moves, or would move.
type Transfer struct {
	Name   string          `json:"name"`
	Push   bool            `json:"push"`
	Path   string          `json:"path"`
	File   string          `json:"file,omitempty"` // the one file, below the path
	Host   string          `json:"-"`              // as messages call it
	Remote string          `json:"far"`            // USER@HOST:PATH
	Port   int             `json:"port,omitempty"`
	Files  []rsync.Change  `json:"files"`
	Left   []rsync.Skipped `json:"left"` // what stays where it is
	// Free is how much fits on the far disk, in bytes; nil where it is not told.
	Free     *int64        `json:"far_free,omitempty"`
	Seconds  float64       `json:"seconds,omitempty"`
	Replaced string        `json:"replaced,omitempty"` // the folder with what a pull has replaced
	Problem  *diag.Problem `json:"problem,omitempty"`  // why not everything moved
}

// counts returns how many files are new and differ, and their bytes.
func (t Transfer) counts() (fresh, differ int, bytes int64) {
	for _, c := range t.Files {
		if !c.Link {
			bytes += c.Size
		}
		if c.New {
			fresh++
		} else {
			differ++
		}
	}
	return fresh, differ, bytes
}

// TransferJSON writes a transfer, or its preview, as one document.
func TransferJSON(w io.Writer, t Transfer) error {
	_, _, bytes := t.counts()
	return writeJSON(w, struct {
		Version int `json:"version"`
		Transfer
		Bytes int64 `json:"bytes"`
	}{Version, t, bytes}, "  ")
}

// WritePreview prints what a transfer would move, and last the totals.
func WritePreview(w io.Writer, t Transfer, o Options) error {
	p := newPage(w, o)
	for _, c := range t.Files {
		sign, color := "+ ", green
		if !c.New {
			sign, color = "~ ", yellow
		}
		text := c.Path + "  " + bytesize.Format(c.Size)
		if c.Link {
			text = c.Path + "  (link)"
		}
		p.hang(0, color, sign, text)
	}
	p.left(t.Left)
	fresh, differ, bytes := t.counts()
	if len(t.Files) == 0 {
		p.last(green, "Nothing to move: ", fmt.Sprintf("%s is the same at both ends, as far as it %s.", t.Path, t.verb("is pushed", "is pulled")))
		return p.close()
	}
	text := fmt.Sprintf("%s, %s, would be %s %s: %d new, %d that differ.", plural.Count(len(t.Files), "file"), bytesize.Format(bytes), t.verb("pushed to", "pulled from"), t.Host, fresh, differ)
	p.last(plain, "", text)
	if t.Push && t.Free != nil && *t.Free < bytes {
		p.hang(0, yellow, "warning: ", fmt.Sprintf("%s are free there", bytesize.Format(*t.Free)))
	}
	if !t.Push && differ > 0 {
		p.line(0, "What those that differ hold here now is kept below .reconcile.")
	}
	return p.close()
}

// WriteTransfer prints what a transfer has moved.
func WriteTransfer(w io.Writer, t Transfer, o Options) error {
	p := newPage(w, o)
	p.left(t.Left)
	_, _, bytes := t.counts()
	if len(t.Files) == 0 {
		p.last(green, "Nothing to move: ", fmt.Sprintf("%s is the same at both ends, as far as it %s.", t.Path, t.verb("is pushed", "is pulled")))
		return p.close()
	}
	p.last(green, t.verb("Pushed ", "Pulled "), fmt.Sprintf("%s, %s, %s %s in %s.", plural.Count(len(t.Files), "file"), bytesize.Format(bytes), t.verb("to", "from"), t.Host, duration(seconds(t.Seconds))))
	if t.Replaced != "" {
		p.line(0, "What was here before is in %s.", t.Replaced)
	}
	return p.close()
}

func (t Transfer) verb(push, pull string) string {
	if t.Push {
		return push
	}
	return pull
}

// left prints what stays where it is.
func (p *page) left(all []rsync.Skipped) {
	for _, l := range all {
		p.hang(0, yellow, "stays: ", l.Path+", "+l.Why)
	}
}

// WriteCommands prints programs and their words as one command of a POSIX shell, in which each
// program needs the one before to succeed. Their bytes are exact, so that a terminal is
// shown them escaped: a folder of this machine can have any name.
func WriteCommands(w io.Writer, calls []rsync.Call, o Options) error {
	lines := make([]string, len(calls))
	for i, c := range calls {
		lines[i] = resources.ShellJoin(c.Argv()...)
		if o.Terminal {
			lines[i] = Escape(lines[i])
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, " &&\n"))
	return err
}

// CommandsJSON writes programs and their words as one document.
func CommandsJSON(w io.Writer, t Transfer, calls []rsync.Call) error {
	return writeJSON(w, struct {
		Version  int          `json:"version"`
		Name     string       `json:"name"`
		Push     bool         `json:"push"`
		Far      string       `json:"far"`
		Port     int          `json:"port,omitempty"`
		Commands []rsync.Call `json:"commands"`
	}{Version, t.Name, t.Push, t.Remote, t.Port, calls}, "  ")
}
