package apply

import (
	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// chunkSize is the maximum number of files in a chunk.
const chunkSize = 128

// chunk is some files of one directory, which one worker writes. The directory is
// opened once per phase, so that few descriptors are open at any time.
type chunk struct {
	dir   place
	files []file
}

// file is one WriteFile of a group.
type file struct {
	member *member
	place  place
	step   resources.WriteFile
	staged staged
}

// chunks splits the files of the group by directory.
func (g *group) chunks() []*chunk {
	open := map[place]*chunk{}
	var all []*chunk
	eachStep(g, func(m *member, s resources.WriteFile) {
		p, err := g.place(s.Path)
		if err != nil {
			m.fail(err)
			return
		}
		dir := place{p.root, p.dir()}
		c := open[dir]
		if c == nil || len(c.files) == chunkSize {
			c = &chunk{dir: dir}
			open[dir] = c
			all = append(all, c)
		}
		c.files = append(c.files, file{member: m, place: p, step: s})
	})
	return all
}

// fail fails the members of all files.
func (c *chunk) fail(err error) {
	for i := range c.files {
		c.files[i].member.fail(err)
	}
}

// open opens the directory of the chunk. An error fails all its files.
func (c *chunk) open(g *group) *atomicfile.Dir {
	d, err := atomicfile.OpenDir(c.dir.root, c.dir.rel)
	if err == nil {
		if err = g.flush.Attach(d); err == nil {
			return d
		}
		_ = d.Close()
	}
	c.fail(err)
	return nil
}

// stage writes the temporary files.
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
		var err error
		if f.staged, err = g.stage(d, f.place, f.step); err != nil {
			f.member.fail(err)
		}
	}
}

// commit renames the temporary files. Those of items that have failed are removed.
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
		c.fail(err)
	}
}

// discard removes the temporary files that were not renamed. d may be nil.
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
