package state

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Journal is the state of a machine, open for writing. The caller of Open must hold
// the Lock. It is not safe for concurrent use.
type Journal struct {
	State
	root   *os.Root // the state directory of the machine
	base   string
	path   string
	file   *os.File
	last   sum
	size   int64
	now    func() time.Time
	failed error // of a write: the content on disk is unknown
}

// Open opens the journal at path for writing, and creates it and its directory if
// missing. now returns the times in it, which are informative only.
func Open(path string, now func() time.Time) (*Journal, error) {
	dir := filepath.Dir(path)
	if err := makePrivate(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{State: *empty(), root: root, base: filepath.Base(path), path: path, now: now}
	if err := j.load(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// makePrivate makes dir and its missing parents with mode 0700.
func makePrivate(dir string) error {
	above := dir
	for {
		if _, err := os.Lstat(above); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
		above = filepath.Dir(above)
	}
	root, err := os.OpenRoot(above)
	if err != nil {
		return err
	}
	defer root.Close()
	rel, err := filepath.Rel(above, dir)
	if err != nil {
		return err
	}
	_, err = atomicfile.MakeAll(root, filepath.ToSlash(rel), 0o700)
	return err
}

func (j *Journal) load() error {
	text, err := rawfile.ReadRoot(j.root, j.base, maxJournal, rawfile.NoFollow)
	if errors.Is(err, fs.ErrNotExist) {
		return j.create()
	}
	if err != nil {
		return unreadableProblem(j.path, err)
	}
	p, err := parse(j.path, text)
	if err != nil {
		return err
	}
	j.State, j.last, j.size = *p.state, p.last, int64(p.intactBytes)
	if j.Torn == "" {
		return j.reopen()
	}
	// Rewritten, not truncated: the partial line is kept in .prev.
	err = j.rewrite(text)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return j.truncate() // the disk is still full
	}
	return err
}

// create writes a journal with a header only.
func (j *Journal) create() error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, see its documentation
	j.Lineage = hex.EncodeToString(id[:])
	return j.rewrite(nil)
}

// truncate drops the partial last line, which needs no disk space.
func (j *Journal) truncate() error {
	if err := j.reopen(); err != nil {
		return err
	}
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	return syncData(j.file)
}

func (j *Journal) reopen() error {
	f, err := j.root.OpenFile(j.base, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	j.file = f
	return nil
}

// Intend records items that are about to be changed.
func (j *Journal) Intend(list ...Intent) error {
	return j.append(&line{Kind: kindIntent, Intents: list})
}

// Done records items that are done. An empty Time becomes now.
func (j *Journal) Done(list ...Entry) error {
	for i := range list {
		if list[i].Time == "" {
			list[i].Time = j.timestamp()
		}
	}
	return j.append(&line{Kind: kindDone, Done: list})
}

// Failed records intended items that did not complete.
func (j *Journal) Failed(list ...Failure) error {
	return j.append(&line{Kind: kindFailed, Failed: list})
}

// Switched records that a generation became the active one.
func (j *Journal) Switched(environment, from, to string) error {
	return j.append(&line{Kind: kindSwitched, Switched: []Switch{{environment, from, to, j.timestamp()}}})
}

// Moved records a done item that had another address before, in one line, so that no
// crash leaves both or none. An empty Time becomes now.
func (j *Journal) Moved(from resources.Addr, e Entry) error {
	if e.Time == "" {
		e.Time = j.timestamp()
	}
	return j.append(&line{Kind: kindDone, Done: []Entry{e}, Forgotten: []resources.Addr{from}})
}

// Update records entries, and addresses that are no longer managed, in one line. It
// writes nothing if both are empty.
func (j *Journal) Update(list []Entry, forget []resources.Addr) error {
	if len(list)+len(forget) == 0 {
		return nil
	}
	return j.append(&line{Kind: kindDone, Done: list, Forgotten: forget})
}

// Forget records that resources are no longer managed.
func (j *Journal) Forget(list ...resources.Addr) error {
	return j.append(&line{Kind: kindForgotten, Forgotten: list})
}

// append returns when the line is durable. After a failed write nothing more is
// written: the content of the file is unknown.
func (j *Journal) append(l *line) error {
	if j.failed != nil {
		return j.failed
	}
	l.Seq, l.Lineage, l.Time = j.Serial+1, j.Lineage, j.timestamp()
	text, s, err := l.encode(j.last)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.JournalBefore)
	_, err = j.file.Write(text)
	failpoint.Hit(failpoint.JournalWritten)
	if err == nil {
		err = syncData(j.file)
	}
	if err != nil {
		j.failed = fmt.Errorf("write the state: %w", err)
		return j.failed
	}
	failpoint.Hit(failpoint.JournalAfter)
	j.fold(l)
	j.Serial, j.last = l.Seq, s
	j.size += int64(len(text))
	return nil
}

func (j *Journal) timestamp() string { return j.now().UTC().Format(time.RFC3339) }

// Close compacts the journal if worthwhile, and closes it.
func (j *Journal) Close() error {
	var errs []error
	if j.file != nil {
		if j.failed == nil {
			errs = append(errs, j.compact())
		}
		errs = append(errs, j.file.Close())
	}
	return errors.Join(append(errs, j.root.Close())...)
}
