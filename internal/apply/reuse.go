package apply

import (
	"cmp"
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

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// reuse copies distributions from one generation into a new one, which is not active yet: a
// copy that is interrupted leaves only an incomplete build.
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
	if err := r.copyFiles(ctx); err != nil {
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

// reuseStep is one Reuse step.
type reuseStep struct {
	*task
	from, to     string // directories of the generations, absolute
	sitePackages string // relative to both
	dists        []reusedDist
	files        []reusedFile
	method       atomic.Int32 // index of the first copy method that is supported
}

// reusedDist is one reused distribution.
type reusedDist struct {
	infoDir string
	scripts []string // in bin, with the path of the old generation in their first lines
}

// reusedFile is one file that is the same in both generations.
type reusedFile struct {
	path string // relative to the generation
	size int64  // of RECORD; -1 for bytecode, which has none
}

// list lists the distributions and files to copy.
func (r *reuseStep) list(names []string) error {
	sitePackages, line, err := pyenv.SitePackages(r.from)
	if err != nil {
		return err
	}
	r.sitePackages = sitePackages
	if target, _, err := pyenv.SitePackages(r.to); err != nil || target != sitePackages {
		return errors.Join(err, fmt.Errorf("%s and %s have different Python minor versions", r.from, r.to))
	}
	installed, err := pyenv.Installed(filepath.Join(r.from, filepath.FromSlash(sitePackages)))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range names {
		i := slices.IndexFunc(installed, func(d pyenv.Dist) bool { return d.Name == name && d.Problem == "" })
		if i < 0 {
			return r.damaged(name + " is not installed")
		}
		if err := r.listDist(installed[i].InfoDir, line, seen); err != nil {
			return err
		}
	}
	return nil
}

func (r *reuseStep) damaged(found string) error {
	return &diag.Problem{
		Code: "apply.reuse", Summary: "a package of the active generation is damaged and cannot be reused", Found: found,
		Hint: "run `reconcile verify --deep`, then `reconcile apply`, which installs damaged packages again",
	}
}

// listDist lists the files of one distribution. If it has scripts, its RECORD changes
// and is written last.
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
			size = -1 // bytecode of a wheel; Compile replaced it if it was outdated
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

// copyFiles copies every file, with all workers.
func (r *reuseStep) copyFiles(ctx context.Context) error {
	group, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parallel(r.o.Jobs, len(r.files), func(i int) {
		if group.Err() == nil {
			if err := r.file(r.files[i]); err != nil {
				cancel(err)
			}
		}
	})
	(&progress{task: r.task}).report(int64(len(r.files)), int64(len(r.files)))
	return cmp.Or(ctx.Err(), context.Cause(group))
}

// file copies one file unless it exists, from another distribution.
func (r *reuseStep) file(f reusedFile) error {
	name := filepath.FromSlash(f.path)
	from, to := filepath.Join(r.from, name), filepath.Join(r.to, name)
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) && f.size < 0 {
		return nil // no bytecode was written
	}
	if err != nil {
		return r.damaged(err.Error())
	}
	if !info.Mode().IsRegular() || f.size >= 0 && info.Size() != f.size {
		return r.damaged(fmt.Sprintf("%s has %d bytes, not %d as in its RECORD", from, info.Size(), f.size))
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

// The largest console script and RECORD in bytes; those of installers are far smaller.
const (
	maxScript = 16 << 20
	maxRecord = 64 << 20
)

// scripts writes the scripts of a distribution with the new path, and a RECORD with
// their new digests.
func (r *reuseStep) scripts(d *reusedDist) error {
	if len(d.scripts) == 0 {
		return nil
	}
	written := map[string][]byte{}
	for _, name := range d.scripts {
		from := filepath.Join(r.from, filepath.FromSlash(name))
		text, err := rawfile.ReadFile(from, maxScript, 0)
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
	text, err := rawfile.ReadFile(filepath.Join(r.from, record), maxRecord, 0)
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
