package wheels

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// installer is the content of INSTALLER.
const installer = "reconcile\n"

// A Result describes an assembled environment.
type Result struct {
	Count     map[Method]int // files by method, bytecode included
	Written   int            // scripts, INSTALLER and RECORD
	Bytecode  int            // bytecode files that the entries had
	Conflicts []Conflict
	// Verified are the files whose content is known, for pyenv.Recheck.
	Verified pyenv.VerifiedFiles
	// Digests are those of the bytecode of the entries, by path in the environment.
	Digests map[string]facts.SHA256
}

// Method returns the method by which most files were placed.
func (r Result) Method() Method {
	best := Clone
	for m, n := range r.Count {
		if n > r.Count[best] || n == r.Count[best] && m < best {
			best = m
		}
	}
	return best
}

// A Conflict is a path that two distributions, or a distribution and the environment, have
// with different contents. The first one remains, and the RECORD of the second is damaged.
type Conflict struct {
	Path  string // relative to the environment
	Name  string // of the distribution whose file was not installed
	First string // of the one whose file was; "" if the environment has the file
}

// Assemble installs entries into a new environment at prefix, which has a bin and a
// site-packages directory for the Python minor version. python is the absolute path of
// its interpreter, for scripts.
//
// It puts every file to its place, by clone, hard link or copy, and the bytecode that the
// entries have for this Python. Scripts, INSTALLER and the RECORD of each distribution are
// written. An existing file is never overwritten: see Conflict.
//
// A file that is not the one that was unpacked is a *ChangedError. After an error the
// environment is incomplete. progress may be nil; it is called with files, by one
// goroutine at a time.
func Assemble(ctx context.Context, prefix, python, minor string, entries []*Entry, jobs int, progress func(done, total int64)) (Result, error) {
	if err := checkPython(python); err != nil {
		return Result{}, err
	}
	a := &assembly{prefix: prefix, python: python, minor: minor, scheme: readScheme(prefix, minor), taken: map[string]int{}}
	for i, e := range entries {
		if slices.ContainsFunc(entries[:i], func(d *Entry) bool { return d.Name == e.Name }) {
			return Result{}, fmt.Errorf("%s is to be installed twice", e.Name)
		}
		if err := a.add(e); err != nil {
			return Result{}, err
		}
	}
	code, err := a.bytecode(entries)
	if err != nil {
		return Result{}, err
	}
	if err := a.makeDirs(jobs); err != nil {
		return Result{}, err
	}
	if err := a.place(ctx, jobs, progress); err != nil {
		return Result{}, err
	}
	failpoint.Hit(failpoint.AssembleLinked)
	if err := a.writeTexts(); err != nil {
		return Result{}, err
	}
	return a.result(code)
}

// An assembly is one call of Assemble.
type assembly struct {
	prefix, python, minor string
	scheme                scheme
	targets               []target
	taken                 map[string]int // index in targets, by path
	linker                linker
	mu                    sync.Mutex // guards conflicts and progress
	conflicts             []Conflict
}

// A target is a file of the new environment.
type target struct {
	path  string // relative to it
	entry *Entry
	file  *File    // in the store; nil for bytecode
	code  bytecode // its zero value for other files
	from  string
	text  []byte // to write instead
	mode  facts.Mode
	sum   facts.SHA256
	st    unix.Stat_t // after it was placed; zero if it existed
}

// add plans the files of an entry.
func (a *assembly) add(e *Entry) error {
	record, lines := e.InfoDir+"/RECORD", make([]recordLine, 0, len(e.Files)+8)
	scripts := e.scripts(a.minor)
	line := func(t target, size int64) {
		lines = append(lines, recordLine{t.path, t.sum, size})
		a.target(t)
	}
	for i := range e.Files {
		f := &e.Files[i]
		if f.Path == record || f.Path == e.InfoDir+"/INSTALLER" {
			continue
		}
		p, err := e.place(f.Path)
		if err != nil {
			return err
		}
		if p.scheme == "scripts" && slices.ContainsFunc(scripts, func(s EntryPoint) bool { return s.Name == p.rel }) {
			continue // both pip and uv prefer the entry point
		}
		t := target{path: a.scheme.path(e, p), entry: e, file: f, from: e.FilePath(f.Path), mode: f.Mode, sum: f.SHA256}
		size := f.Size
		if p.scheme == "scripts" {
			text, err := a.script(e, f)
			if err != nil {
				return err
			}
			if text != nil {
				t.text, t.sum, size = text, sha256.Sum256(text), int64(len(text))
			}
		}
		line(t, size)
	}
	written := func(name string, text []byte, mode facts.Mode) target {
		return target{path: name, entry: e, text: text, mode: mode, sum: sha256.Sum256(text)}
	}
	for _, p := range scripts {
		text := p.text(a.python)
		line(written(a.scheme.path(e, place{"scripts", p.Name}), text, 0o755), int64(len(text)))
	}
	line(written(a.scheme.path(e, place{"lib", e.InfoDir + "/INSTALLER"}), []byte(installer), 0o644), int64(len(installer)))
	t := written(a.scheme.path(e, place{"lib", record}), encodeRecord(lines, a.scheme.site, e.InfoDir), 0o644)
	t.sum = facts.SHA256{} // it lists itself without one
	a.target(t)
	return nil
}

// script returns the text of a script whose interpreter is to be filled in, else nil.
func (a *assembly) script(e *Entry, f *File) ([]byte, error) {
	head, err := rawfile.Head(e.FilePath(f.Path), make([]byte, len(placeholder)))
	if err == nil && string(head) != placeholder {
		return nil, nil
	}
	var text []byte
	if err == nil {
		text, err = rawfile.ReadFile(e.FilePath(f.Path), maxMetadata, rawfile.NoFollow)
	}
	switch {
	case rawfile.IsAbsent(err) || err == nil && sha256.Sum256(text) != f.SHA256:
		return nil, e.changed(f)
	case err != nil:
		return nil, err
	}
	return rewriteShebang(text, a.python), nil
}

func (e *Entry) changed(f *File) error {
	return &ChangedError{Dir: e.Dir, Name: e.Name, Version: e.Version, Path: f.Path}
}

// target adds a file, unless another distribution has one at the same path.
func (a *assembly) target(t target) {
	if i, ok := a.taken[t.path]; ok {
		if first := &a.targets[i]; first.sum != t.sum || first.sum.IsZero() {
			a.conflict(t, first.entry.Name)
		}
		return
	}
	a.taken[t.path] = len(a.targets)
	a.targets = append(a.targets, t)
}

func (a *assembly) conflict(t target, first string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conflicts = append(a.conflicts, Conflict{Path: t.path, Name: t.entry.Name, First: first})
}

// makeDirs makes the directories of all files, those of one depth several at a time.
func (a *assembly) makeDirs(jobs int) error {
	dirs := parents(func(yield func(string) bool) {
		for i := range a.targets {
			if !yield(a.targets[i].path) {
				return
			}
		}
	})
	depth := func(dir string) int { return strings.Count(dir, "/") }
	slices.SortStableFunc(dirs, func(x, y string) int { return depth(x) - depth(y) })
	for len(dirs) > 0 {
		end := slices.IndexFunc(dirs, func(dir string) bool { return depth(dir) > depth(dirs[0]) })
		if end < 0 {
			end = len(dirs)
		}
		var group errgroup.Group
		group.SetLimit(max(1, jobs))
		for part := range slices.Chunk(dirs[:end], batch) {
			group.Go(func() error { return a.makeEach(part) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		dirs = dirs[end:]
	}
	return nil
}

func (a *assembly) makeEach(dirs []string) error {
	for _, dir := range dirs {
		err := os.Mkdir(filepath.Join(a.prefix, filepath.FromSlash(dir)), 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// batch is the number of files that a goroutine handles, so that it costs little.
const batch = 64

// place puts all files but the texts into the environment.
func (a *assembly) place(ctx context.Context, jobs int, progress func(done, total int64)) error {
	var done int64
	total := int64(len(a.targets))
	report := func(n int64) {
		if progress != nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			done += n
			progress(done, total)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, jobs))
	for part := range slices.Chunk(a.targets, batch) {
		group.Go(func() error {
			for i := range part {
				if err := ctx.Err(); err != nil {
					return err
				}
				if part[i].text != nil {
					continue
				}
				if err := a.link(&part[i]); err != nil {
					return err
				}
			}
			report(int64(len(part)))
			return nil
		})
	}
	return group.Wait()
}

// link puts a file of the store into the environment, and checks that it is the one that
// was unpacked.
func (a *assembly) link(t *target) error {
	to := filepath.Join(a.prefix, filepath.FromSlash(t.path))
	f := t.file
	if f == nil {
		f = &File{Mode: t.mode, SHA256: t.code.sum}
	}
	err := a.linker.link(t.from, to, f)
	switch {
	case errors.Is(err, fs.ErrExist):
		return a.existing(t, to)
	case t.file == nil && (rawfile.IsAbsent(err) || errors.Is(err, errDiffers)):
		return nil // bytecode may disappear
	case errors.Is(err, errDiffers):
		return t.entry.changed(t.file)
	case err != nil:
		if t.file != nil {
			if differs, _ := t.file.isChanged(t.from); differs {
				return t.entry.changed(t.file)
			}
		}
		return err
	}
	if err := rawfile.Lstat(to, &t.st); err != nil {
		return err
	}
	if t.file == nil && !t.code.matches(&t.st) {
		t.st = unix.Stat_t{}
		return os.Remove(to)
	}
	if t.file != nil && !t.file.matches(&t.st) {
		return errors.Join(t.entry.changed(t.file), os.Remove(to))
	}
	return nil
}

// existing handles a file that already exists in the environment, such as one of a conda
// package. Existing bytecode remains.
func (a *assembly) existing(t *target, to string) error {
	if t.file == nil && t.text == nil {
		return nil
	}
	sum, err := hashFile(context.Background(), to)
	if err != nil || sum != t.sum || t.sum.IsZero() {
		a.conflict(*t, "")
	}
	return nil
}

// writeTexts writes scripts, INSTALLER and RECORD.
func (a *assembly) writeTexts() error {
	for i := range a.targets {
		t := &a.targets[i]
		if t.text == nil {
			continue
		}
		to := filepath.Join(a.prefix, filepath.FromSlash(t.path))
		err := writeNew(to, t.mode, 0, func(w io.Writer) error {
			_, err := io.Copy(w, bytes.NewReader(t.text))
			return err
		})
		if errors.Is(err, fs.ErrExist) {
			err = a.existing(t, to)
		} else if err == nil {
			err = rawfile.Lstat(to, &t.st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *assembly) result(code int) (Result, error) {
	r := Result{Count: map[Method]int{}, Bytecode: code, Conflicts: a.conflicts}
	for m := range a.linker.count {
		if n := a.linker.count[m].Load(); n > 0 {
			r.Count[Method(m)] = int(n)
		}
	}
	slices.SortFunc(r.Conflicts, func(x, y Conflict) int {
		return strings.Compare(x.Path+"\x00"+x.Name, y.Path+"\x00"+y.Name)
	})
	r.Verified, r.Digests = make(pyenv.VerifiedFiles, len(a.targets)), map[string]facts.SHA256{}
	var last unix.Stat_t // a file that was written after the others were linked
	for i := range a.targets {
		if a.targets[i].text != nil && a.targets[i].st.Nlink > 0 {
			last = a.targets[i].st
		}
	}
	for i := range a.targets {
		t := &a.targets[i]
		if t.st.Nlink == 0 { // it existed
			continue
		}
		if t.text != nil {
			r.Written++
		}
		if t.code.source != nil {
			r.Digests[t.path] = t.code.sum
		}
		if t.sum.IsZero() {
			continue
		}
		r.Verified.Add(t.path, t.sum, &t.st, &last)
	}
	return r, nil
}

// Expected returns the files that Assemble installs, for pyenv.Verify. It omits
// entries with a changed script, of which the installed text is not known.
func Expected(prefix, python, minor string, entries []*Entry) (pyenv.Expected, error) {
	a := &assembly{prefix: prefix, python: python, minor: minor, scheme: readScheme(prefix, minor), taken: map[string]int{}}
	expected := pyenv.Expected{}
	for _, e := range entries {
		first := len(a.targets)
		err := a.add(e)
		if _, changed := errors.AsType[*ChangedError](err); changed {
			continue
		}
		if err != nil {
			return nil, err
		}
		files := make([]pyenv.InstalledFile, 0, len(a.targets)-first)
		for i := range a.targets[first:] {
			files = append(files, a.targets[first+i].installed())
		}
		expected[e.Name] = files
	}
	return expected, nil
}

// installed describes a target that is not bytecode.
func (t *target) installed() pyenv.InstalledFile {
	if t.text != nil {
		return pyenv.InstalledFile{Path: t.path, Size: int64(len(t.text)), SHA256: sha256.Sum256(t.text)}
	}
	return pyenv.InstalledFile{Path: t.path, Size: t.file.Size, SHA256: t.file.SHA256, MTime: t.file.MTime}
}
