package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// reuse brings distributions from one generation into another. Both are ours and
// the new one is not visible yet.
func (t *task) reuse(ctx context.Context, s resources.Reuse) error {
	from, err := t.generation(s.From)
	if err != nil {
		return err
	}
	to, err := t.generation(s.To)
	if err != nil {
		return err
	}
	r := &reuseStep{task: t, from: from.abs(), to: to.abs()}
	if err := r.list(s.Dists); err != nil {
		return err
	}
	if err := r.makeDirs(); err != nil {
		return err
	}
	if err := r.bring(ctx); err != nil {
		return err
	}
	failpoint.Hit(failpoint.ReuseLinked)
	for i := range r.dists {
		if err := r.scripts(&r.dists[i]); err != nil {
			return err
		}
	}
	return nil
}

// reusing is one Reuse step.
type reuseStep struct {
	*task
	from, to     string // generations, absolute
	sitePackages string // relative to both
	dists        []reusedDist
	files        []reusedFile
	method       atomic.Int32 // the first of the methods that has not been refused
}

// reused is one distribution that is brought over.
type reusedDist struct {
	infoDir string
	scripts []string // in bin, that name their interpreter by the old path
}

// brought is one file that is the same in both generations.
type reusedFile struct {
	path string // relative to the generation
	size int64  // as RECORD states it; -1 for bytecode, which has none
}

// list reads what is to be brought.
func (r *reuseStep) list(names []string) error {
	sitePackages, line, err := pyenv.SitePackages(r.from)
	if err != nil {
		return err
	}
	r.sitePackages = sitePackages
	if target, _, err := pyenv.SitePackages(r.to); err != nil || target != sitePackages {
		return errors.Join(err, fmt.Errorf("%s and %s are of different lines of Python", r.from, r.to))
	}
	installed, err := pyenv.Installed(filepath.Join(r.from, filepath.FromSlash(sitePackages)))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range names {
		i := slices.IndexFunc(installed, func(d pyenv.Dist) bool { return d.Name == name && d.Problem == "" })
		if i < 0 {
			return r.damaged(name + " is not installed there")
		}
		if err := r.listDist(installed[i].InfoDir, line, seen); err != nil {
			return err
		}
	}
	return nil
}

func (r *reuseStep) damaged(found string) error {
	return &diag.Problem{
		Code: "apply.reuse", Summary: "a package of the environment in use cannot be taken over", Found: found,
		Hint: "run `reconcile verify --deep`, then `reconcile apply`: what is damaged is installed anew",
	}
}

// listDist lists the files of one distribution. RECORD itself is written last,
// where scripts change it.
func (r *reuseStep) listDist(infoDir, line string, seen map[string]bool) error {
	entries, err := pyenv.ReadRecord(r.from, r.sitePackages, infoDir)
	if err != nil {
		return err
	}
	d := reusedDist{infoDir: infoDir}
	record := path.Join(r.sitePackages, infoDir, "RECORD")
	var files []reusedFile
	for _, e := range entries {
		if seen[e.Path] || e.Path == record {
			continue
		}
		seen[e.Path] = true
		if strings.HasPrefix(e.Path, "bin/") {
			moves, err := shebangContains(filepath.Join(r.from, filepath.FromSlash(e.Path)), r.from)
			if err != nil {
				return err
			}
			if moves {
				d.scripts = append(d.scripts, e.Path)
				continue
			}
		}
		size := e.Size
		if strings.HasSuffix(e.Path, ".pyc") && path.Base(path.Dir(e.Path)) == "__pycache__" {
			size = -1 // a few wheels carry bytecode; Compile has replaced what was older than its source
		}
		files = append(files, reusedFile{e.Path, size})
		if strings.HasSuffix(e.Path, ".py") && strings.HasPrefix(e.Path, r.sitePackages+"/") {
			code := pyenv.BytecodePath(e.Path, line)
			if !seen[code] {
				seen[code] = true
				files = append(files, reusedFile{code, -1})
			}
		}
	}
	if len(d.scripts) == 0 {
		files = append(files, reusedFile{record, -1})
	}
	r.files = append(r.files, files...)
	r.dists = append(r.dists, d)
	return nil
}

func (r *reuseStep) makeDirs() error {
	dirs := map[string]bool{}
	for _, f := range r.files {
		dirs[path.Dir(f.path)] = true
	}
	for _, d := range r.dists {
		dirs[path.Join(r.sitePackages, d.infoDir)] = true
	}
	for dir := range dirs {
		if err := os.MkdirAll(filepath.Join(r.to, filepath.FromSlash(dir)), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// bring brings every file, on all workers.
func (r *reuseStep) bring(ctx context.Context) error {
	var next atomic.Int64
	errs := make(chan error, r.o.Jobs)
	meter := &progress{task: r.task, total: int64(len(r.files)), told: time.Now()}
	for range r.o.Jobs {
		go func() {
			for {
				from := int(next.Add(64)) - 64
				if from >= len(r.files) || ctx.Err() != nil {
					errs <- ctx.Err()
					return
				}
				for _, f := range r.files[from:min(from+64, len(r.files))] {
					if err := r.file(f); err != nil {
						next.Store(int64(len(r.files)))
						errs <- err
						return
					}
				}
			}
		}()
	}
	var all []error
	for range r.o.Jobs {
		all = append(all, <-errs)
	}
	meter.tell(int64(len(r.files)), int64(len(r.files)))
	return errors.Join(all...)
}

// file brings one file and leaves one that another distribution has brought.
func (r *reuseStep) file(f reusedFile) error {
	name := filepath.FromSlash(f.path)
	from, to := filepath.Join(r.from, name), filepath.Join(r.to, name)
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) && f.size < 0 {
		return nil // bytecode that was never written
	}
	if err != nil {
		return r.damaged(err.Error())
	}
	if !info.Mode().IsRegular() || f.size >= 0 && info.Size() != f.size {
		return r.damaged(fmt.Sprintf("%s has %d bytes, its RECORD says %d", from, info.Size(), f.size))
	}
	for {
		m := r.method.Load()
		err := copyMethods[m](from, to, info)
		switch {
		case err == nil || errors.Is(err, fs.ErrExist):
			return nil
		case int(m) == len(copyMethods)-1 || !unsupported(err):
			return err
		}
		r.method.CompareAndSwap(m, m+1)
	}
}

// scripts writes the programs of a distribution with the new path in them, and a
// RECORD that states their new digests.
func (r *reuseStep) scripts(d *reusedDist) error {
	if len(d.scripts) == 0 {
		return nil
	}
	written := map[string][]byte{}
	for _, name := range d.scripts {
		from := filepath.Join(r.from, filepath.FromSlash(name))
		text, err := os.ReadFile(from)
		if err != nil {
			return r.damaged(err.Error())
		}
		info, err := os.Stat(from)
		if err != nil {
			return r.damaged(err.Error())
		}
		text = replaceShebangPath(text, r.from, r.to)
		written[name] = text
		if err := writeNew(filepath.Join(r.to, filepath.FromSlash(name)), text, info.Mode().Perm()); err != nil {
			return err
		}
	}
	record := filepath.Join(filepath.FromSlash(r.sitePackages), d.infoDir, "RECORD")
	text, err := os.ReadFile(filepath.Join(r.from, record))
	if err != nil {
		return r.damaged(err.Error())
	}
	text, err = updateRecord(text, r.sitePackages, written)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(r.to, record), text, 0o644)
}

func writeNew(name string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
