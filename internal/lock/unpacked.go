package lock

import (
	"archive/zip"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// tail is the size of the first request for the end of a wheel, in bytes. It contains the
// central directory of nearly every wheel.
const tail = 128 << 10

// unpacked sets the installed size of the wheels, from the previous lock or from the
// central directory of each archive: the files, and as much bytecode as Python source. It also sets
// the size of the wheels of an index that publishes none, such as PyTorch's own. The sizes of a
// wheel that cannot be read remain unknown.
func (r *resolver) unpacked(ctx context.Context, l *Lock) {
	known := map[facts.SHA256]Wheel{}
	if r.Previous != nil {
		for _, p := range r.Previous.Packages {
			for _, w := range p.Wheels {
				known[w.SHA256] = w
			}
		}
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i := range l.Packages {
		for n := range l.Packages[i].Wheels {
			w := &l.Packages[i].Wheels[n]
			w.Size, w.Unpacked = cmp.Or(w.Size, known[w.SHA256].Size), known[w.SHA256].Unpacked
			if w.Size > 0 && w.Unpacked > 0 {
				continue
			}
			g.Go(func() error {
				if w.Size == 0 {
					w.Size, _ = r.length(ctx, r.sources[w.File])
				}
				if w.Unpacked == 0 {
					w.Unpacked, _ = r.measure(ctx, r.sources[w.File], w.Size)
				}
				return nil
			})
		}
	}
	_ = g.Wait() // the tasks return no error
}

// length returns the size of a wheel in bytes.
func (r *resolver) length(ctx context.Context, from source) (int64, error) {
	if from.path != "" {
		info, err := os.Stat(from.path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	if r.Client == nil || from.url == "" {
		return 0, os.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, from.url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Uncompressed || resp.ContentLength <= 0 {
		return 0, fmt.Errorf("the size of %s is unknown: %s", from.url, resp.Status)
	}
	return resp.ContentLength, nil
}

// measure returns the installed size of a wheel.
func (r *resolver) measure(ctx context.Context, from source, size int64) (int64, error) {
	if from.path != "" {
		z, err := zip.OpenReader(from.path)
		if err != nil {
			return 0, fmt.Errorf("open %s: %w", from.path, err)
		}
		defer z.Close()
		return installed(&z.Reader), nil
	}
	if r.Client == nil || size <= 0 || from.url == "" {
		return 0, os.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	z, err := zip.NewReader(&remoteFile{ctx: ctx, client: r.Client, url: from.url, size: size}, size)
	if err != nil {
		return 0, fmt.Errorf("read the directory of %s: %w", from.url, err)
	}
	return installed(z), nil
}

// installed returns the installed size of the files of an archive.
func installed(z *zip.Reader) int64 {
	var total uint64
	for _, f := range z.File {
		total += f.UncompressedSize64
		if strings.HasSuffix(f.Name, ".py") {
			total += f.UncompressedSize64
		}
	}
	return int64(min(total, 1<<50))
}

// A remoteFile reads ranges of a file by HTTP. It keeps the end of the file, from start on.
type remoteFile struct {
	ctx    context.Context
	client *http.Client
	url    string
	size   int64
	start  int64
	data   []byte
}

// ReadAt implements io.ReaderAt. It is not safe for concurrent use.
func (r *remoteFile) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= r.size {
		return 0, io.EOF
	}
	end := min(off+int64(len(b)), r.size)
	if r.data == nil || off < r.start {
		if err := r.fetch(min(off, max(0, r.size-tail))); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.data[off-r.start:end-r.start])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// fetch gets everything from start to the end of the file. The central directory of an
// archive is read from front to back, so all of it is needed.
func (r *remoteFile) fetch(start int64) error {
	const most = 16 << 20
	if r.size-start > most {
		return fmt.Errorf("the directory of %s is larger than %d bytes", r.url, most)
	}
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", start, r.size-1))
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent && (resp.StatusCode != http.StatusOK || start != 0) {
		return fmt.Errorf("get a range of %s: %s", r.url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, r.size-start))
	if err != nil {
		return err
	}
	if int64(len(data)) != r.size-start {
		return fmt.Errorf("get a range of %s: %d bytes, not %d", r.url, len(data), r.size-start)
	}
	r.start, r.data = start, data
	return nil
}
