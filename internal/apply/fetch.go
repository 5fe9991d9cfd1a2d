package apply

import (
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

// maxFetch is the largest download whose size the step does not say, in bytes.
const maxFetch = 4 << 30

// fetch downloads beside the target, checks, unpacks, syncs and renames.
func (t *task) fetch(ctx context.Context, s resources.Fetch) error {
	p, err := t.place(s.Path)
	if err != nil {
		return err
	}
	if err := t.makeParents(p); err != nil {
		return err
	}
	download := place{p.root, p.sibling(atomicfile.TempName())}
	defer discard(download)
	if err := t.download(ctx, s, download); err != nil {
		return err
	}
	ready := download
	if s.Unpack != "" {
		ready = place{p.root, p.sibling(atomicfile.TempName())}
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

// discard removes what is left of a temporary; after a rename there is nothing.
func discard(p place) { _ = removeTree(context.Background(), p.root, p.rel) }

// download tries the sources in order until one delivers what is wanted.
func (t *task) download(ctx context.Context, s resources.Fetch, to place) error {
	var tried []string
	for _, source := range s.URLs {
		err := t.downloadFrom(ctx, s, source, to)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if localError(err) {
			return err // another source cannot mend a full disk
		}
		tried = append(tried, redactURL(source)+": "+command.Escape(withoutURL(err)))
	}
	p := &diag.Problem{
		Code: "apply.fetch", Summary: "no source delivers " + s.Path, Found: strings.Join(tried, "\n"),
		Hint: "check the network and the proxy of this machine, then run `reconcile apply` again",
	}
	if s.Hint != "" {
		p.Hint += "\nor do without it: " + s.Hint
	}
	return p
}

func localError(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO, unix.EMFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// withoutURL drops the address that net/http puts before its errors: it may
// hold a password.
func withoutURL(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// downloadFrom gets one source, hashing while it arrives.
func (t *task) downloadFrom(ctx context.Context, s resources.Fetch, source string, to place) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, length, err := t.openSource(ctx, cancel, source)
	if err != nil {
		return cause(ctx, err)
	}
	defer body.Close()
	limit := s.Size
	if limit == 0 {
		limit = maxFetch
	}
	if length > limit || s.Size > 0 && length >= 0 && length != s.Size {
		return fmt.Errorf("it has %d bytes, not %d", length, limit)
	}
	discard(to)
	f, err := to.root.OpenFile(to.rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	meter := &progress{task: t, total: max(s.Size, length)}
	n, err := io.Copy(io.MultiWriter(f, h, meter), io.LimitReader(body, limit+1))
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return cause(ctx, err)
	}
	switch digest := facts.SHA256(h.Sum(nil)); {
	case n > limit:
		return fmt.Errorf("it is larger than %s", bytesize.Format(limit))
	case s.Size > 0 && n != s.Size:
		return fmt.Errorf("it has %d bytes, not %d", n, s.Size)
	case digest != s.SHA256:
		return fmt.Errorf("it has sha256 %s, not %s", digest, s.SHA256)
	}
	return nil
}

// cause prefers the reason that a request was cancelled for.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

// openSource opens a URL. length is -1 where it is not known.
func (t *task) openSource(ctx context.Context, cancel context.CancelCauseFunc, source string) (io.ReadCloser, int64, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, 0, errors.New("it is no URL")
	}
	if err := allowed(u); err != nil {
		return nil, 0, err
	}
	if u.Scheme == "file" {
		return openFile(u.Path)
	}
	watch := newWatch(t.o.StallTimeout, cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		watch.stop()
		return nil, 0, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the digest is of the bytes as they are stored
	resp, err := t.client().Do(req)
	if err != nil {
		watch.stop()
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		watch.stop()
		return nil, 0, errors.Join(fmt.Errorf("the server says %s", resp.Status), resp.Body.Close())
	}
	return &stallReader{resp.Body, watch}, resp.ContentLength, nil
}

func openFile(name string) (io.ReadCloser, int64, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, errors.Join(err, fmt.Errorf("%s is not a file", name), f.Close())
	}
	return f, info.Size(), nil
}

// allowed refuses sources that anybody on the way could change, beyond what the
// digest would find: a request alone can tell too much.
func allowed(u *url.URL) error {
	switch {
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && strings.HasPrefix(u.Path, "/"):
		return nil
	}
	return errors.New("only https, file, and http of this machine itself are used")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// client is the one of the options with the rule of allowed for redirects too.
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
			return errors.New("it redirects again and again")
		}
		if req.URL.Scheme == "file" {
			return errors.New("it redirects to a file")
		}
		return allowed(req.URL)
	}
	return &c
}

// redactURL shows an address without user, password and query.
func redactURL(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return "an address that cannot be read"
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}

// watch cancels a request when nothing has arrived for a while.
type stallTimer struct {
	timer *time.Timer
	after time.Duration
}

func newWatch(after time.Duration, cancel context.CancelCauseFunc) *stallTimer {
	return &stallTimer{time.AfterFunc(after, func() { cancel(fmt.Errorf("nothing arrived for %s", after)) }), after}
}

func (w *stallTimer) stop() { w.timer.Stop() }

// watched is a body that winds the watch with each read.
type stallReader struct {
	io.ReadCloser
	*stallTimer
}

// Read winds the watch.
func (w *stallReader) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if n > 0 {
		w.timer.Reset(w.after)
	}
	return n, err
}

// Close ends the watch.
func (w *stallReader) Close() error {
	w.stop()
	return w.ReadCloser.Close()
}

// meterEvery is the time between two events of progress.
const meterEvery = 100 * time.Millisecond

// meter tells now and then how much of a step is done.
type progress struct {
	*task
	done, total int64
	told        time.Time
}

// Write counts bytes.
func (m *progress) Write(b []byte) (int, error) {
	m.tell(m.done+int64(len(b)), m.total)
	return len(b), nil
}

func (m *progress) tell(done, total int64) {
	m.done = done
	if now := time.Now(); now.Sub(m.told) >= meterEvery || done == total {
		m.told = now
		m.emit(Event{Kind: Progress, Addr: m.item.Resource.Addr, Step: m.step, Bytes: done, Total: max(total, 0)})
	}
}
