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

// SyncStatus is the sync entries of a manifest and the hosts that ssh can reach.
type SyncStatus struct {
	Entries []SyncEntry `json:"entries"`
	Hosts   []SyncHost  `json:"hosts"`
}

// A SyncEntry is one entry of sync on this machine.
type SyncEntry struct {
	Name   string `json:"name"`
	Push   bool   `json:"push"` // to the GPU machine; else from it
	Path   string `json:"path"`
	Absent bool   `json:"absent,omitempty"` // the folder is not on this machine
	Files  int    `json:"files"`            // on this machine
	Bytes  int64  `json:"bytes"`
}

// A SyncHost is a host of the manifest that has ssh.
type SyncHost struct {
	Name    string `json:"name"`
	Remote  string `json:"far"` // USER@HOST:PATH; without a path if that is the problem
	Port    int    `json:"port,omitempty"`
	Problem string `json:"problem,omitempty"` // why transfers are impossible
}

// WriteSync prints the entries and hosts.
func WriteSync(w io.Writer, t SyncStatus, o Options) error {
	p := newPage(w, o)
	if len(t.Entries) == 0 {
		p.line(0, "Nothing to transfer: the manifest has no sync. Add sync: {processed: {push: data/processed}, adapters: {pull: adapters}}.")
		return p.close()
	}
	width := 0
	for _, e := range t.Entries {
		width = max(width, columns(e.Name))
	}
	for _, e := range t.Entries {
		direction, size := "pull", fmt.Sprintf("%s, %s here", plural.Count(e.Files, "file"), bytesize.Format(e.Bytes))
		if e.Push {
			direction = "push"
		}
		if e.Absent {
			size = "not here"
		}
		p.line(0, "%s  %s  %s  (%s)", direction, pad(e.Name, width), e.Path, size)
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

// SyncJSON writes the entries and hosts as one document.
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

// A Transfer is the transfer of one folder or file, or its preview.
type Transfer struct {
	Name   string          `json:"name"`
	Push   bool            `json:"push"`
	Path   string          `json:"path"`
	File   string          `json:"file,omitempty"` // single file, relative to Path
	Host   string          `json:"-"`              // for messages
	Remote string          `json:"far"`            // USER@HOST:PATH
	Port   int             `json:"port,omitempty"`
	Files  []rsync.Change  `json:"files"`
	Left   []rsync.Skipped `json:"left"` // not transferred
	// Free is the free space of the remote disk in bytes; nil if unknown.
	Free     *int64        `json:"far_free,omitempty"`
	Seconds  float64       `json:"seconds,omitempty"`
	Replaced string        `json:"replaced,omitempty"` // folder with the files that a pull replaced
	Problem  *diag.Problem `json:"problem,omitempty"`  // why the transfer is incomplete
}

// counts returns the number of new and of differing files, and their bytes.
func (t Transfer) counts() (added, differ int, bytes int64) {
	for _, c := range t.Files {
		if !c.Link {
			bytes += c.Size
		}
		if c.New {
			added++
		} else {
			differ++
		}
	}
	return added, differ, bytes
}

// TransferJSON writes a transfer or its preview as one document.
func TransferJSON(w io.Writer, t Transfer) error {
	_, _, bytes := t.counts()
	return writeJSON(w, struct {
		Version int `json:"version"`
		Transfer
		Bytes int64 `json:"bytes"`
	}{Version, t, bytes}, "  ")
}

// WritePreview prints the files that a transfer would copy, and last the totals.
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
	added, differ, bytes := t.counts()
	if len(t.Files) == 0 {
		return p.nothingToTransfer(t)
	}
	text := fmt.Sprintf("%s, %s, would be %s %s: %d new, %d that differ.", plural.Count(len(t.Files), "file"), bytesize.Format(bytes), t.verb("pushed to", "pulled from"), t.Host, added, differ)
	p.last(plain, "", text)
	if t.Push && t.Free != nil && *t.Free < bytes {
		p.hang(0, yellow, "warning: ", fmt.Sprintf("the remote disk has %s free", bytesize.Format(*t.Free)))
	}
	if !t.Push && differ > 0 {
		p.line(0, "The old content of files that differ is kept in the store.")
	}
	return p.close()
}

// WriteTransfer prints the result of a transfer.
func WriteTransfer(w io.Writer, t Transfer, o Options) error {
	p := newPage(w, o)
	p.left(t.Left)
	_, _, bytes := t.counts()
	if len(t.Files) == 0 {
		return p.nothingToTransfer(t)
	}
	p.last(green, t.verb("Pushed ", "Pulled "), fmt.Sprintf("%s, %s, %s %s in %s.", plural.Count(len(t.Files), "file"), bytesize.Format(bytes), t.verb("to", "from"), t.Host, duration(seconds(t.Seconds))))
	if t.Replaced != "" {
		p.line(0, "The replaced files are in %s.", t.Replaced)
	}
	return p.close()
}

func (p *page) nothingToTransfer(t Transfer) error {
	p.last(green, "Nothing to transfer: ", fmt.Sprintf("%s is the same on both machines, as far as it %s.", t.Path, t.verb("is pushed", "is pulled")))
	return p.close()
}

// verb returns push for a push, else pull.
func (t Transfer) verb(push, pull string) string {
	if t.Push {
		return push
	}
	return pull
}

// left prints the files that are not transferred.
func (p *page) left(list []rsync.Skipped) {
	for _, l := range list {
		p.hang(0, yellow, "skipped: ", l.Path+", "+l.Why)
	}
}

// WriteCommands prints commands for a POSIX shell, joined by &&. They are exact, and
// escaped only on a terminal: a folder of this machine can have any name.
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

// CommandsJSON writes the commands of a transfer as one document.
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
