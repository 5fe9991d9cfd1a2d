package apply

import (
	"os"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// chunkSize is how many files of one directory a worker takes at a time.
const chunkSize = 128

// chunk is a few files of one directory. The directory is opened once for each
// phase, so that few descriptors are open at any time.
type chunk struct {
	root  *os.Root
	dir   string
	files []file
}

// file is one WriteFile of a group.
type file struct {
	member *member
	place  place
	step   resources.WriteFile
	staged staged
}

// chunks sorts the files of the group by directory.
func (g *group) chunks() []*chunk {
	type key struct {
		root *os.Root
		dir  string
	}
	open := map[key]*chunk{}
	var all []*chunk
	for _, m := range g.members {
		if !m.active() {
			continue
		}
		for _, s := range m.change.Steps {
			s, ok := s.(resources.WriteFile)
			if !ok {
				continue
			}
			p, err := g.place(s.Path)
			if err != nil {
				m.fail(err)
				break
			}
			k := key{p.root, p.dir()}
			c := open[k]
			if c == nil || len(c.files) == chunkSize {
				c = &chunk{root: p.root, dir: p.dir()}
				open[k] = c
				all = append(all, c)
			}
			c.files = append(c.files, file{member: m, place: p, step: s})
		}
	}
	return all
}

// open opens the directory of the chunk. If that fails, so do all its files.
func (c *chunk) open(g *group) *atomicfile.Dir {
	d, err := atomicfile.OpenDir(c.root, c.dir)
	if err == nil {
		if err = g.flush.Attach(d); err != nil {
			_ = d.Close()
		}
	}
	if err != nil {
		for i := range c.files {
			c.files[i].member.fail(err)
		}
		return nil
	}
	return d
}

// stage writes the temporaries.
func (c *chunk) stage(g *group) {
	d := c.open(g)
	if d == nil {
		return
	}
	defer d.Close()
	for i := range c.files {
		f := &c.files[i]
		if !f.member.active() {
			continue
		}
		failpoint.Step("write_file", failpoint.Before)
		st, err := g.stage(d, f.place, f.step)
		if err != nil {
			f.member.fail(err)
			continue
		}
		f.staged = st
	}
}

// commit gives the files their names. Temporaries of items that have failed in
// the meantime are removed.
func (c *chunk) commit(g *group) {
	d := c.open(g)
	if d == nil {
		return
	}
	defer d.Close()
	for i := range c.files {
		f := &c.files[i]
		if f.staged.temp == "" || !f.member.active() {
			continue
		}
		failpoint.Hit(failpoint.GroupRenaming)
		if err := d.Commit(f.staged.temp, f.place.base(), f.staged.want); err != nil {
			f.member.fail(err)
			continue
		}
		f.staged.temp = ""
		f.member.mu.Lock()
		f.member.kept = g.appendKept(f.member.kept, f.step.Path, f.staged.kept, f.staged.mode)
		f.member.mu.Unlock()
		failpoint.Step("write_file", failpoint.After)
	}
	c.discard(g, d)
	if err := d.Sync(); err != nil {
		for i := range c.files {
			c.files[i].member.fail(err)
		}
	}
}

// discard removes the temporaries that did not get a name. d may be nil.
func (c *chunk) discard(g *group, d *atomicfile.Dir) {
	for i := range c.files {
		temp := c.files[i].staged.temp
		if temp == "" {
			continue
		}
		if d == nil {
			if d = c.open(g); d == nil {
				return
			}
			defer d.Close()
		}
		d.Discard(temp)
		c.files[i].staged.temp = ""
	}
}
