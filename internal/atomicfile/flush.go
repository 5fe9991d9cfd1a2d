package atomicfile

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Flusher makes what many directories get durable with as few flushes as the
// system allows: one a file system on linux. The zero value is ready to use, by
// many goroutines at once.
type Flusher struct {
	mu   sync.Mutex
	open map[uint64]device
}

// device is one file system that has been written to.
type device struct {
	f      *os.File
	syncfs bool
}

// Join leaves the durability of what d gets to fl. It is called before the first
// write: linux reports a failed write-back only to descriptors that were open
// when it happened.
func (fl *Flusher) Attach(d *Dir) error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd(), &st); err != nil {
		return d.fail("stat", "", err)
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	dev, ok := fl.open[uint64(st.Dev)]
	if !ok {
		f, err := d.Open(".")
		if err != nil {
			return err
		}
		dev = device{f, hasSyncfs(f)}
		if fl.open == nil {
			fl.open = map[uint64]device{}
		}
		fl.open[uint64(st.Dev)] = dev
	}
	d.flush, d.syncfs = fl, dev.syncfs
	return nil
}

// Whole reports whether Flush alone makes everything durable: no file or directory
// has to be synced by itself.
func (fl *Flusher) FlushSuffices() bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for _, dev := range fl.open {
		if !dev.syncfs {
			return false
		}
	}
	return true
}

// Flush returns when all that was written since the last Flush is durable.
func (fl *Flusher) Flush() error {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	var errs []error
	for _, dev := range fl.open {
		errs = append(errs, flushDevice(dev))
	}
	return errors.Join(errs...)
}

// Close lets go of the file systems.
func (fl *Flusher) Close() error {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	var errs []error
	for _, dev := range fl.open {
		errs = append(errs, dev.f.Close())
	}
	fl.open = nil
	return errors.Join(errs...)
}

func (fl *Flusher) syncFile(d *Dir, f *os.File) error {
	if d.syncfs {
		return nil
	}
	return syncFile(f)
}

func (fl *Flusher) syncDir(d *Dir) error {
	if d.syncfs {
		return nil
	}
	err := syncFile(d.f)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// SyncTree makes everything on the file system of dir durable, or everything in
// the tree where the system cannot do the whole at once.
func SyncTree(root *os.Root, name string) error {
	dir, err := OpenDir(root, name)
	if err != nil {
		return err
	}
	defer dir.Close()
	if hasSyncfs(dir.f) {
		return flushDevice(device{dir.f, true})
	}
	if err := syncEach(root, name); err != nil {
		return err
	}
	return flushDevice(device{dir.f, false})
}

// syncEach syncs every file and directory below name, leaves first.
func syncEach(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := f.ReadDir(-1)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || e.Type().IsRegular() {
				if err := syncEach(root, name+"/"+e.Name()); err != nil {
					return err
				}
			}
		}
	}
	err = syncFile(f)
	if info.IsDir() && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP)) {
		return nil
	}
	return err
}
