package wheels

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/boot"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// Unpack unpacks the archive of a wheel into the entry dir, whose parent exists, and
// returns the entry. An intact entry of the same wheel is returned without reading the
// archive, and a damaged or changed one is replaced. Environments that have hard links to
// the old one keep their files.
//
// The archive must have the size, unless it is 0, and the SHA-256 of w (ErrArchive), and
// contain name and version. Every file must have the size and the digest in the RECORD of
// the wheel (ErrInvalid).
//
// The entry is written to a temporary directory beside dir and renamed. It is not synced:
// see Check and MarkDurable. Several processes may unpack one wheel at once: all return
// the entry of the first. An error, or the end of ctx, leaves no entry and no temporary
// directory; see RemoveTemps for those of a killed process.
func Unpack(ctx context.Context, archive string, w lock.Wheel, name, version, dir string) (*Entry, error) {
	return UnpackFetched(ctx, archive, nil, w, name, version, dir)
}

// UnpackFetched is Unpack for an archive whose size and SHA-256 were compared with w while this
// process wrote it. fetched has its attributes afterwards: an archive with others is compared,
// and so is one that turns out to be invalid.
func UnpackFetched(ctx context.Context, archive string, fetched fs.FileInfo, w lock.Wheel, name, version, dir string) (*Entry, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	e, err := intact(ctx, dir, w.SHA256)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return e, e.checkID(name, version)
	}
	a, err := openArchive(ctx, archive, fetched, w)
	if err != nil {
		return nil, err
	}
	defer a.f.Close()
	e, err = a.unpack(ctx, w, name, version, dir)
	if errors.Is(err, ErrInvalid) && fetched != nil {
		err = cmp.Or(a.compare(ctx, w), err)
	}
	return e, err
}

// intact returns the entry of a wheel if it is complete and unchanged, else nil.
func intact(ctx context.Context, dir string, sum facts.SHA256) (*Entry, error) {
	e, err := Open(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged):
		return nil, nil
	case err != nil:
		return nil, err
	case e.SHA256 != sum:
		return nil, nil
	}
	err = e.Check(ctx)
	if _, changed := errors.AsType[*ChangedError](err); changed {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// unpack unpacks an open archive into dir.
func (a *archive) unpack(ctx context.Context, w lock.Wheel, name, version, dir string) (*Entry, error) {
	e := &Entry{Dir: dir, Format: entryFormat, Boot: boot.ID(), SHA256: w.SHA256}
	if err := a.prepare(e, name, version); err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	temp, err := newTemp(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	defer temp.close()
	if err := a.write(ctx, e, temp.path); err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	failpoint.Hit(failpoint.DistUnpacked)
	text, err := e.encode()
	if err != nil {
		return nil, err
	}
	err = writeNew(layout.DistEntry(temp.path), 0o644, 0, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err == nil {
		err = cmp.Or(ctx.Err(), a.checkUnmodified())
	}
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.DistRecorded)
	return temp.publish(ctx, e)
}

// prepare checks everything that can be checked before anything is written, and lists the
// files in e, without their digests.
func (a *archive) prepare(e *Entry, name, version string) error {
	record, err := a.describe(e, name, version)
	if err != nil {
		return err
	}
	if err := a.compareRecord(e.InfoDir, record); err != nil {
		return err
	}
	slices.SortFunc(a.files, func(a, b member) int { return strings.Compare(a.Path, b.Path) })
	for i := range a.files {
		if p, err := e.place(a.files[i].Path); err == nil && p.scheme == "scripts" {
			a.files[i].Mode = 0o755 // archives that were created on Windows have no modes
		}
		e.Files = append(e.Files, a.files[i].File)
	}
	if err := e.validate(); err != nil {
		return invalid("%w", err)
	}
	return nil
}

// write writes the files of an archive below dir, several at a time, and sets their
// digests in e.
func (a *archive) write(ctx context.Context, e *Entry, dir string) error {
	root := layout.DistFiles(dir)
	if err := makeDirs(root, func(yield func(string) bool) {
		for i := range a.files {
			if !yield(a.files[i].Path) {
				return
			}
		}
	}); err != nil {
		return err
	}
	order := make([]int, len(a.files))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return int(a.files[j].Size>>20 - a.files[i].Size>>20) }) // large files first
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range order {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			m := &a.files[i]
			sum, err := m.write(ctx, filepath.Join(root, filepath.FromSlash(m.Path)))
			if err != nil {
				return fmt.Errorf("%q: %w", m.Path, err)
			}
			e.Files[i].SHA256 = sum
			return nil
		})
	}
	return group.Wait()
}

// makeDirs makes root and the directories of the files below it, with mode 0755 whatever
// the umask is. Two may be one if the file system ignores case.
func makeDirs(root string, files func(yield func(string) bool)) error {
	for _, dir := range append([]string{"."}, parents(files)...) {
		name := filepath.Join(root, filepath.FromSlash(dir))
		if err := os.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Chmod(name, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file of an archive, compares it with RECORD and returns its digest.
func (m *member) write(ctx context.Context, name string) (sum facts.SHA256, err error) {
	d := newDigests(m.want.algorithm)
	err = writeNew(name, m.Mode, m.MTime, func(w io.Writer) error { return m.copy(ctx, io.MultiWriter(d, w)) })
	if errors.Is(err, fs.ErrExist) {
		err = invalid("the file system does not distinguish it from another file of the wheel")
	}
	if err != nil {
		return sum, err
	}
	d.sha256.Sum(sum[:0])
	if m.want.algorithm != "" && d.sum() != m.want.sum {
		return sum, invalid("its %s differs from RECORD", m.want.algorithm)
	}
	return sum, nil
}

// pipeSize is the size in bytes from which a file is decompressed by one goroutine, and
// hashed and written by another.
const pipeSize = 4 << 20

// copy decompresses a file to w.
func (m *member) copy(ctx context.Context, w io.Writer) error {
	r, err := m.zip.Open()
	if err != nil {
		return invalid("%w", err)
	}
	defer r.Close()
	if m.Size < pipeSize {
		return m.copyAll(ctx, r, func(b filled) error {
			defer buffers.Put(b.buf)
			_, err := w.Write(b.buf[:b.n])
			return err
		})
	}
	p := newPipe(w)
	err = m.copyAll(ctx, r, p.send)
	return cmp.Or(p.Close(), err)
}

// copyAll passes the content to send in buffers that send returns to the pool.
func (m *member) copyAll(ctx context.Context, r io.Reader, send func(filled) error) error {
	var done int64
	for {
		b := filled{buf: buffers.Get().(*[bufferSize]byte)}
		n, err := io.ReadFull(r, b.buf[:])
		done += int64(n) // at most m.Size, else zip returns an error
		b.n = n
		if err := send(b); err != nil {
			return err
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF && done == m.Size:
			return nil
		case err != nil:
			return invalid("read the archive: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// A pipe writes buffers to another writer in a goroutine of its own, two behind.
type pipe struct {
	buffers chan filled
	done    chan struct{}
	failed  atomic.Bool
	err     error // of the other writer; read after done is closed
}

// filled is a buffer and the number of bytes in it.
type filled struct {
	buf *[bufferSize]byte
	n   int
}

func newPipe(w io.Writer) *pipe {
	p := &pipe{buffers: make(chan filled, 2), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for b := range p.buffers {
			if p.err == nil {
				_, p.err = w.Write(b.buf[:b.n])
				p.failed.Store(p.err != nil)
			}
			buffers.Put(b.buf)
		}
	}()
	return p
}

// send passes a buffer on. An error of the other writer is returned by Close.
func (p *pipe) send(b filled) error {
	p.buffers <- b
	if p.failed.Load() {
		return io.ErrShortWrite
	}
	return nil
}

// Close waits for the other writer.
func (p *pipe) Close() error {
	close(p.buffers)
	<-p.done
	return p.err
}

// digests is the SHA-256 of a file, and its digest by another algorithm.
type digests struct {
	sha256, other hash.Hash // other may be nil
}

func newDigests(algorithm string) *digests {
	d := &digests{sha256: sha256.New()}
	switch algorithm {
	case "sha384":
		d.other = sha512.New384()
	case "sha512":
		d.other = sha512.New()
	}
	return d
}

func (d *digests) Write(b []byte) (int, error) {
	if d.other != nil {
		d.other.Write(b)
	}
	return d.sha256.Write(b)
}

// sum returns the digest by the algorithm of newDigests.
func (d *digests) sum() string {
	if d.other != nil {
		return string(d.other.Sum(nil))
	}
	return string(d.sha256.Sum(nil))
}
