package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// A New is a file that is not there yet.
type NewFile struct {
	Name    string // slash-separated, below the root
	Mode    fs.FileMode
	Content []byte
}

// Create makes files that are not there, with the folders that they need: all of
// them, or none.
//
//  1. Folders are made, and every file is written to a temporary beside its name. A
//     full disk shows here.
//  2. One flush makes the temporaries durable.
//  3. Each gets its name, in the order given, and never that of something else. The
//     last file is there only if all are.
//
// An error, or the end of ctx before the third step, takes back what was made. Only a
// file that somebody else made meanwhile (ErrChanged) stops without taking back: who
// made it may count on the files before it. Two at once in one root do not mix: the
// second stops with ErrChanged before it makes anything. What one left that was killed
// is cleared, in the folders that this one writes to.
func Create(ctx context.Context, root *os.Root, files []NewFile) (err error) {
	c := creation{root: root, dirs: map[string]*Dir{}}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.stage(ctx, files); err != nil {
		c.undo()
		return err
	}
	if err := c.name(files); err != nil {
		if !errors.Is(err, ErrChanged) {
			c.undo()
		}
		return err
	}
	return c.sync()
}

// creation is one run of Create.
type creation struct {
	root   *os.Root
	flush  Flusher
	dirs   map[string]*Dir
	opened []string // keys of dirs, outermost first
	locked bool     // nobody else creates below the root: temporaries are nobody's
	made   []string // folders, outermost first
	temps  []string // of the files, in their order; "" once one has its name
	named  []string
}

func (c *creation) stage(ctx context.Context, files []NewFile) error {
	if err := c.lockRoot(); err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir, err := c.dir(path.Dir(f.Name))
		if err != nil {
			return err
		}
		temp, err := dir.Stage(path.Base(f.Name), f.Mode, f.Content, FileID{})
		if err != nil {
			return err
		}
		c.temps = append(c.temps, path.Join(path.Dir(f.Name), temp))
	}
	if err := c.flush.Flush(); err != nil {
		return err
	}
	return ctx.Err()
}

// enter keeps others out of the root until it is closed, where the file system can.
func (c *creation) lockRoot() error {
	d, err := c.dir(".")
	if err != nil {
		return err
	}
	err = unix.Flock(d.fd(), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return d.fail("create files in", "", ErrChanged)
	}
	if c.locked = err == nil; c.locked {
		d.removeTemps()
	}
	return nil
}

// sweep clears temporaries that nobody is writing any more.
func (d *Dir) removeTemps() {
	list, err := d.Open(".")
	if err != nil {
		return
	}
	defer list.Close()
	names, _ := list.Readdirnames(-1) // what cannot be listed stays, and harms nobody
	for _, name := range names {
		if IsTemp(name) {
			d.Discard(name)
		}
	}
}

// dir opens a folder and those above it, and makes them where they are missing.
func (c *creation) dir(name string) (*Dir, error) {
	if d := c.dirs[name]; d != nil {
		return d, nil
	}
	if name != "." {
		if _, err := c.dir(path.Dir(name)); err != nil {
			return nil, err
		}
		made, err := MakeDir(c.root, name, 0o755)
		if made {
			c.made = append(c.made, name)
		}
		if err != nil {
			return nil, err
		}
	}
	d, err := OpenDir(c.root, name)
	if err != nil {
		return nil, err
	}
	c.dirs[name], c.opened = d, append(c.opened, name)
	if c.locked {
		d.removeTemps()
	}
	return d, c.flush.Attach(d)
}

func (c *creation) name(files []NewFile) error {
	for i, f := range files {
		dir := c.dirs[path.Dir(f.Name)]
		if err := dir.Commit(path.Base(c.temps[i]), path.Base(f.Name), &FileID{}); err != nil {
			c.discard()
			return err
		}
		c.temps[i], c.named = "", append(c.named, f.Name)
	}
	return nil
}

// settle makes the names durable.
func (c *creation) sync() error {
	for _, name := range slices.Backward(c.opened) {
		if err := c.dirs[name].Sync(); err != nil {
			return err
		}
	}
	return c.flush.Flush()
}

func (c *creation) discard() {
	for _, temp := range c.temps {
		if temp != "" {
			c.dirs[path.Dir(temp)].Discard(path.Base(temp))
		}
	}
	c.temps = nil
}

// undo takes back what was made. A folder that holds something else by now stays.
func (c *creation) undo() {
	c.discard()
	for _, name := range c.named {
		c.dirs[path.Dir(name)].Discard(path.Base(name))
	}
	for _, name := range slices.Backward(c.made) {
		_ = c.root.Remove(name)
	}
}

func (c *creation) close() error {
	var errs []error
	for _, d := range c.dirs {
		errs = append(errs, d.Close())
	}
	return errors.Join(append(errs, c.flush.Close())...)
}
