package cli

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/report"
)

const (
	// keptRuns is how many records of runs are kept; each apply removes older ones.
	keptRuns = 100
	// recordTime is how the name of a record tells when its run ended, in UTC. Names
	// sort by time.
	recordTime = "20060102T150405.000Z"
)

// recordName is the name of a record. Other files in that folder are not ours.
var recordName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z\.json$`)

// remember keeps a record of a run, and no more than keptRuns of them.
func (w *work) remember(record *report.Record) error {
	var text bytes.Buffer
	if err := report.SummaryJSON(&text, record); err != nil {
		return err
	}
	root, err := os.OpenRoot(w.options.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	runs := layout.Runs(w.options.State)
	if _, err := atomicfile.MakeAll(root, runs, 0o700); err != nil {
		return err
	}
	name := time.Now().UTC().Format(recordTime) + ".json"
	if err := atomicfile.Write(root, path.Join(runs, name), 0o600, text.Bytes()); err != nil {
		return err
	}
	names, err := recordNames(root, runs)
	if err != nil {
		return err
	}
	for _, old := range names[:max(0, len(names)-keptRuns)] {
		err = errors.Join(err, root.Remove(path.Join(runs, old)))
	}
	return err
}

// recordNames lists the records of a folder, the oldest first; none where there is no
// such folder.
func recordNames(root *os.Root, runs string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), runs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if recordName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// readRecord reads one record. An earlier version wrote no time into it: its name
// tells.
func readRecord(root *os.Root, file string) (*report.Record, error) {
	f, err := root.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	text, err := io.ReadAll(io.LimitReader(f, report.MaxRecord+1))
	if err != nil {
		return nil, err
	}
	record, err := report.ReadRecord(text)
	if err != nil {
		return nil, err
	}
	if record.Started.IsZero() {
		record.Started, err = time.Parse(recordTime+".json", path.Base(file))
	}
	return record, err
}
