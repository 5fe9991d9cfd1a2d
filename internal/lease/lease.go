// Package lease records which programs use a generation, so that another host that shares
// the store does not remove it.
//
// `reconcile run` writes a lease and then becomes the program, so that the lease is valid as
// long as the process with that number and start time. Nothing else writes leases: programs
// that are started by the launchers in .venv/bin are not recorded.
package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/boot"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Kept is how long a lease of another host keeps a generation: it is unknown whether its
// program still runs.
const Kept = 14 * 24 * time.Hour

// A Lease is one process that uses a generation.
type Lease struct {
	Host       string    `json:"host"`
	Boot       string    `json:"boot"`      // of the host's kernel; "" if unknown
	Namespace  string    `json:"namespace"` // of process numbers; "" if the system has none
	PID        int       `json:"pid"`
	Start      string    `json:"start"`      // of the process, in the unit of the system
	Generation string    `json:"generation"` // absolute path
	Time       time.Time `json:"time"`       // when it was written

	file string
}

// A Status states whether the process of a lease runs.
type Status int

// The statuses.
const (
	Ended   Status = iota
	Running        // on this host
	Unknown        // on another host, or in another container
)

// String describes the process of a lease in one phrase.
func (l Lease) String() string {
	return fmt.Sprintf("process %d on %s, started %s", l.PID, l.Host, l.Time.UTC().Format("2006-01-02 15:04 UTC"))
}

// of returns the lease of a process of this host.
func of(pid int) (Lease, error) {
	l := Lease{Boot: boot.ID(), Namespace: namespace(), PID: pid, Start: start(pid)}
	var err error
	l.Host, err = os.Hostname()
	if l.Start == "" {
		err = errors.Join(err, fmt.Errorf("the start time of process %d cannot be read", pid))
	}
	return l, err
}

// Write records that this process uses a generation, in the directory of leases, and removes
// the leases of processes of this host that ended. network states whether other hosts may use
// the directory.
func Write(dir, generation string, network bool, now time.Time) error {
	l, err := of(os.Getpid())
	if err != nil {
		return err
	}
	l.Generation, l.Time = generation, now
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	clean(dir, network, now)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// A lease that is cut by a crash names no generation; its process ended with the crash.
	f, err := root.OpenFile(l.name(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}

// name returns the file name of a lease.
func (l Lease) name() string {
	host := strings.Map(func(r rune) rune {
		if r == '/' || r == 0 || r == '\\' {
			return '_'
		}
		return r
	}, l.Host)
	namespace := strings.Trim(strings.TrimPrefix(l.Namespace, "pid:"), "[]")
	return fmt.Sprintf("%s-%s-%d-%s", host[:min(len(host), 64)], namespace, l.PID, strings.ReplaceAll(l.Start, "/", "_"))
}

// clean removes leases that keep nothing.
func clean(dir string, network bool, now time.Time) {
	leases, _ := Read(dir)
	for _, l := range leases {
		if l.Status(network) == Ended || now.Sub(l.Time) > Kept && l.Status(network) == Unknown {
			_ = os.Remove(l.file) // another process may have been faster
		}
	}
}

// maxLease is the largest lease in bytes, and maxLeases the largest number that is read.
const (
	maxLease  = 16 << 10
	maxLeases = 10_000
)

// Read returns the leases in a directory, which need not exist. Files that are none are
// ignored.
func Read(dir string) ([]Lease, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var leases []Lease
	for _, e := range entries[:min(len(entries), maxLeases)] {
		l := Lease{file: filepath.Join(dir, e.Name())}
		text, err := rawfile.ReadFile(l.file, maxLease, rawfile.NoFollow)
		if err == nil && json.Unmarshal(text, &l) == nil && l.Generation != "" {
			leases = append(leases, l)
		}
	}
	return leases, err
}

// Status returns whether the process of a lease runs. network states whether other hosts may
// use the directory of the lease: if not, another boot of this host's name is an earlier one.
func (l Lease) Status(network bool) Status {
	host, _ := os.Hostname()
	switch {
	case l.Boot != "" && l.Boot == boot.ID():
		if l.Host != host || l.Namespace != namespace() {
			return Unknown // in another container on this kernel
		}
		if l.Start != "" && start(l.PID) == l.Start {
			return Running
		}
		return Ended
	case l.Boot != "" && !network:
		return Ended // a file system of this kernel alone: before it was started again
	}
	return Unknown
}

// Holder returns the newest lease that keeps a generation: its process runs, or may run and
// the lease is younger than Kept. ok is false if none does.
func Holder(leases []Lease, generation string, network bool, now time.Time) (l Lease, ok bool) {
	newest := slices.SortedFunc(slices.Values(leases), func(a, b Lease) int { return b.Time.Compare(a.Time) })
	for _, l := range newest {
		if l.Generation != generation {
			continue
		}
		switch l.Status(network) {
		case Running:
			return l, true
		case Unknown:
			if now.Sub(l.Time) <= Kept {
				return l, true
			}
		}
	}
	return Lease{}, false
}
