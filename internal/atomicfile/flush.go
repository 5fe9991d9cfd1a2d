package atomicfile

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Flusher makes the writes to many directories durable with as few flushes as the
// system supports: one per file system on Linux. The zero value is ready to use, and
// safe for concurrent use.
type Flusher struct {
	mu   sync.Mutex
	open map[uint64]device
}

// device is a file system that was written to.
type device struct {
	f      *os.File
	syncfs bool
}

// Attach leaves it to fl to make the writes to d durable. It must be called before the
// first write: Linux reports a write-back error only to descriptors that were open when
// it occurred.
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

// FlushSuffices reports whether Flush makes everything durable, without syncing single
// files or directories.
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

// Flush returns when all writes since the last Flush are durable.
func (fl *Flusher) Flush() error {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	var errs []error
	for _, dev := range fl.open {
		errs = append(errs, flushDevice(dev))
	}
	return errors.Join(errs...)
}

// Close closes the file systems.
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

// SyncTree makes the tree at name durable, by one sync of its file system if the system
// supports that.
func SyncTree(root *os.Root, name string) error {
	dir, err := OpenDir(root, name)
	if err != nil {
		return err
	}
	defer dir.Close()
	dev := device{dir.f, hasSyncfs(dir.f)}
	if !dev.syncfs {
		if err := syncEach(root, name); err != nil {
			return err
		}
	}
	return flushDevice(dev)
}

// SyncTreeSyncsAll reports whether SyncTree makes everything on the file system of root
// durable, and not the tree alone.
func SyncTreeSyncsAll(root *os.Root) bool {
	f, err := root.Open(".")
	if err != nil {
		return false
	}
	defer f.Close()
	return hasSyncfs(f)
}

// SyncFileSystem makes all writes to the file system of root durable, by any process.
func SyncFileSystem(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := startWriteback(); err != nil {
		return err
	}
	return flushDevice(device{f, true})
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
	if !info.IsDir() {
		return syncFile(f)
	}
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
	return ignoreUnsupported(syncFile(f))
}
