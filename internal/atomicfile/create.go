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

// A NewFile is a file to create.
type NewFile struct {
	Name    string // slash-separated, below the root
	Mode    fs.FileMode
	Content []byte
}

// Create creates files and their missing parents: all of them, or none.
//
//  1. Directories are made, and every file is written to a temporary file. A full disk
//     is noticed here.
//  2. One flush makes the temporary files durable.
//  3. Each is renamed, in the order given, and never over an existing file. The last
//     file exists only if all do.
//
// After an error, or the end of ctx before step 3, Create removes what it made. Only if
// another process creates one of the files meanwhile (ErrChanged), the files before it
// stay, since that process may rely on them. A concurrent Create in the same root fails
// with ErrChanged before it makes anything. Create also removes the temporary files of
// a killed one from the directories that it writes to.
func Create(ctx context.Context, root *os.Root, files []NewFile) (err error) {
	c := creation{root: root, dirs: map[string]*Dir{}}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.stage(ctx, files); err != nil {
		c.undo()
		return err
	}
	if err := c.commit(files); err != nil {
		if !errors.Is(err, ErrChanged) {
			c.undo()
		}
		return err
	}
	return c.sync()
}

// creation is one call of Create.
type creation struct {
	root   *os.Root
	flush  Flusher
	dirs   map[string]*Dir
	opened []string // keys of dirs, outermost first
	locked bool     // no other Create runs in the root: temporary files are not in use
	made   []string // directories, outermost first
	temps  []string // of the files, in their order; "" once renamed
	files  []string // that were renamed
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

// lockRoot excludes a concurrent Create until the root is closed, if the file system
// supports locks.
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

// removeTemps removes temporary files that are not in use.
func (d *Dir) removeTemps() {
	list, err := d.Open(".")
	if err != nil {
		return
	}
	defer list.Close()
	names, _ := list.Readdirnames(-1) // unlisted files stay
	for _, name := range names {
		if IsTemp(name) {
			d.Discard(name)
		}
	}
}

// dir opens a directory and its parents, and makes them if missing.
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

func (c *creation) commit(files []NewFile) error {
	for i, f := range files {
		dir := c.dirs[path.Dir(f.Name)]
		if err := dir.Commit(path.Base(c.temps[i]), path.Base(f.Name), &FileID{}); err != nil {
			c.discard()
			return err
		}
		c.temps[i], c.files = "", append(c.files, f.Name)
	}
	return nil
}

// sync makes the names durable.
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

// undo removes what was made, except directories that contain other files by now.
func (c *creation) undo() {
	c.discard()
	for _, name := range c.files {
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
