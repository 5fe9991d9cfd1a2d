package runrecord

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

const (
	// Kept is how many records are kept; each apply removes older ones.
	Kept = 100
	// timeFormat is the name of a record: the end of its run in UTC. Names sort by time.
	timeFormat = "20060102T150405.000Z"
	extension  = ".json"
)

// A Folder holds the records of one machine.
type Folder struct {
	root *os.Root
	path string // relative to root
}

// OpenFolder opens the records of the machine whose state folder is state, relative to
// the project folder. The folder of records need not exist.
func OpenFolder(project, state string) (*Folder, error) {
	root, err := os.OpenRoot(project)
	if err != nil {
		return nil, err
	}
	return &Folder{root, layout.Runs(state)}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// File returns the path of a record, relative to the project.
func (f *Folder) File(name string) string { return path.Join(f.path, name+extension) }

// Names returns the names of all records, the oldest first. Other files in the folder
// are ignored.
func (f *Folder) Names() ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), extension)
		if at, err := time.Parse(timeFormat, name); ok && err == nil && at.Format(timeFormat) == name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Read reads a record. It returns an error for a symbolic link, for anything that is not
// a regular file, and for a file of more than MaxBytes. A record without a start time,
// from an earlier version, gets the time of its name.
func (f *Folder) Read(name string) (*Record, error) {
	text, err := rawfile.ReadRoot(f.root, f.File(name), MaxBytes, rawfile.NoFollow)
	if err != nil {
		return nil, err
	}
	r, err := Decode(text)
	if err != nil {
		return nil, err
	}
	if r.Started.IsZero() {
		r.Started, err = time.Parse(timeFormat, name)
	}
	return r, err
}

// Add writes a record, without the secrets of the redactor, that is named by the current
// time, and removes the oldest records above Kept.
func (f *Folder) Add(r *Record, secrets *redact.Redactor) error {
	text, err := Encode(r)
	if err != nil {
		return err
	}
	text = secrets.JSON(text)
	if _, err := atomicfile.MakeAll(f.root, f.path, 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(f.root, f.File(time.Now().UTC().Format(timeFormat)), 0o600, text); err != nil {
		return err
	}
	names, err := f.Names()
	for _, old := range names[:max(0, len(names)-Kept)] {
		err = errors.Join(err, f.root.Remove(f.File(old)))
	}
	return err
}
