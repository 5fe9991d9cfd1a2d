package apply

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxFetch is the maximum size in bytes of a download without a size in its step.
const maxFetch = 4 << 30

// fetch downloads to a temporary file, verifies, unpacks, syncs and renames it.
func (t *task) fetch(ctx context.Context, s resources.Fetch) error {
	p, err := t.placeWithParents(s.Path)
	if err != nil {
		return err
	}
	download := p.temp()
	defer discard(download)
	if err := t.download(ctx, s, download); err != nil {
		return err
	}
	ready := download
	if s.Unpack != "" {
		ready = p.temp()
		defer discard(ready)
		if err := unpack(ctx, s, download, ready); err != nil {
			return fmt.Errorf("unpack %s: %w", s.Path, err)
		}
		if err := atomicfile.SyncTree(ready.root, ready.rel); err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.FetchStaged)
	dir, err := atomicfile.OpenDir(p.root, p.dir())
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Commit(ready.base(), p.base(), &atomicfile.FileID{}); err != nil {
		return err
	}
	return dir.Sync()
}

// discard removes a temporary file or tree, if it was not renamed.
func discard(p place) { _ = removeTree(context.Background(), p.root, p.rel) }

// download tries the sources in order until one succeeds. An error of this machine, such as
// a full disk, ends it.
func (t *task) download(ctx context.Context, s resources.Fetch, to place) error {
	var tried []string
	for _, source := range s.URLs {
		err := t.downloadFrom(ctx, s, source, to)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case isAny(err, unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO, unix.EMFILE):
			return err // it would occur with every source
		}
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL, which may contain a password
		}
		tried = append(tried, redactURL(source)+": "+command.Escape(t.o.Redactor.String(err.Error())))
	}
	p := &diag.Problem{
		Code: "apply.fetch", Summary: "no source provides " + s.Path, Found: strings.Join(tried, "\n"),
		Hint: "check the network and the proxy of this machine, then run `reconcile apply` again",
	}
	if s.Hint != "" {
		p.Hint += "\nor do without it: " + s.Hint
	}
	return p
}

// downloadFrom downloads and hashes one source.
func (t *task) downloadFrom(ctx context.Context, s resources.Fetch, source string, to place) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		if why := context.Cause(ctx); err != nil && why != nil {
			err = why
		}
	}()
	body, length, err := t.openSource(ctx, cancel, source)
	if err != nil {
		return err
	}
	defer body.Close()
	limit := cmp.Or(s.Size, maxFetch)
	if length > limit || s.Size > 0 && length >= 0 && length != s.Size {
		return fmt.Errorf("the size is %d bytes, not %d", length, limit)
	}
	discard(to)
	f, err := to.root.OpenFile(to.rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h, &progress{task: t, total: max(s.Size, length)}), io.LimitReader(body, limit+1))
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch digest := facts.SHA256(h.Sum(nil)); {
	case n > limit:
		return fmt.Errorf("the size is more than %s", bytesize.Format(limit))
	case s.Size > 0 && n != s.Size:
		return fmt.Errorf("the size is %d bytes, not %d", n, s.Size)
	case digest != s.SHA256:
		return fmt.Errorf("the sha256 is %s, not %s", digest, s.SHA256)
	}
	return nil
}

// openSource opens a URL. length is -1 if unknown.
func (t *task) openSource(ctx context.Context, cancel context.CancelCauseFunc, source string) (body io.ReadCloser, length int64, err error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, 0, errors.New("invalid URL")
	}
	if err := checkURL(u); err != nil {
		return nil, 0, err
	}
	if u.Scheme == "file" {
		return openFile(u.Path)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the digest is of the stored bytes
	timer := time.AfterFunc(t.o.StallTimeout, func() { cancel(fmt.Errorf("no data for %s", t.o.StallTimeout)) })
	resp, err := t.client().Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("the server returned %s", resp.Status), resp.Body.Close())
	}
	if err != nil {
		timer.Stop()
		return nil, 0, err
	}
	return &stallReader{resp.Body, timer, t.o.StallTimeout}, resp.ContentLength, nil
}

func openFile(name string) (io.ReadCloser, int64, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, errors.Join(err, fmt.Errorf("%s is not a regular file", name), f.Close())
	}
	return f, info.Size(), nil
}

// checkURL returns an error unless a URL is https, a local file, or http to this machine.
// The digest would reveal a file that was changed in transit, but an unencrypted request
// alone can disclose too much.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && strings.HasPrefix(u.Path, "/"):
		return nil
	}
	return errors.New("only https, file, and http to this machine are allowed")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// client returns the client of the options, which checks redirects with checkURL.
func (t *task) client() *http.Client {
	var c http.Client
	if t.o.Client != nil {
		c = *t.o.Client
	} else {
		c.Transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: 15 * time.Second,
			ForceAttemptHTTP2:   true,
		}
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("too many redirects")
		}
		if req.URL.Scheme == "file" {
			return errors.New("redirect to a file")
		}
		return checkURL(req.URL)
	}
	return &c
}

// redactURL returns a URL without user, password and query.
func redactURL(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return "invalid URL"
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}

// stallReader is a response body that resets the stall timer whenever data arrives.
type stallReader struct {
	io.ReadCloser
	timer *time.Timer
	after time.Duration
}

// Read resets the timer.
func (r *stallReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if n > 0 {
		r.timer.Reset(r.after)
	}
	return n, err
}

// Close stops the timer.
func (r *stallReader) Close() error {
	r.timer.Stop()
	return r.ReadCloser.Close()
}

// progressInterval is the minimum time between two Progress events.
const progressInterval = 100 * time.Millisecond

// progress reports how much of a step is done.
type progress struct {
	*task
	done, total int64
	last        time.Time // of the last event
}

// Write counts bytes.
func (p *progress) Write(b []byte) (int, error) {
	p.report(p.done+int64(len(b)), p.total)
	return len(b), nil
}

func (p *progress) report(done, total int64) {
	p.done = done
	if now := time.Now(); now.Sub(p.last) >= progressInterval || done == total {
		p.last = now
		p.emit(Event{Kind: Progress, Addr: p.item.Resource.Addr, Step: p.step, Bytes: done, Total: max(total, 0)})
	}
}
