package runrecord

import (
	"errors"
	"fmt"
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

// A Folder holds the records of one project.
type Folder struct {
	state string   // directory of the project's state, absolute
	root  *os.Root // that directory; nil if it does not exist
}

// runs is the directory of the records in a state directory.
var runs = layout.Runs("")

// OpenFolder opens the records of the project with the state directory state, absolute. The
// directory need not exist.
func OpenFolder(state string) (*Folder, error) {
	root, err := os.OpenRoot(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &Folder{state, root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// File returns the path of a record, absolute.
func (f *Folder) File(name string) string { return path.Join(layout.Runs(f.state), name+extension) }

// Names returns the names of all records, the oldest first. Other files in the folder
// are ignored.
func (f *Folder) Names() ([]string, error) {
	if f.root == nil {
		return nil, nil
	}
	entries, err := fs.ReadDir(f.root.FS(), runs)
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
	if f.root == nil {
		return nil, fs.ErrNotExist
	}
	text, err := rawfile.ReadRoot(f.root, path.Join(runs, name+extension), MaxBytes, rawfile.NoFollow)
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
	if f.root == nil {
		return fmt.Errorf("%s: %w", f.state, fs.ErrNotExist)
	}
	if _, err := atomicfile.MakeAll(f.root, runs, 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(f.root, path.Join(runs, time.Now().UTC().Format(timeFormat)+extension), 0o600, text); err != nil {
		return err
	}
	names, err := f.Names()
	for _, old := range names[:max(0, len(names)-Kept)] {
		err = errors.Join(err, f.root.Remove(path.Join(runs, old+extension)))
	}
	return err
}
