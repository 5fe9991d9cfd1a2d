package apply

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
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
		tried = append(tried, redactURL(source)+": "+command.Escape(t.o.Redactor.String(err.Error())))
	}
	what := s.Path
	if version := layout.InterpreterVersion(s.Path); version != "" {
		what = "Python " + version
	}
	p := &diag.Problem{
		Code: "apply.fetch", Summary: what + " could not be downloaded", Found: strings.Join(tried, "\n"),
		Hint: "check the network and the proxy of this machine, then run `reconcile apply` again",
	}
	if s.Hint != "" {
		p.Hint += "\nor do without it: " + s.Hint
	}
	return p
}

// downloadFrom downloads and verifies one source.
func (t *task) downloadFrom(ctx context.Context, s resources.Fetch, source string, to place) error {
	discard(to)
	f, err := to.root.OpenFile(to.rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	client := download.Client{HTTP: t.o.Client, Stall: t.o.StallTimeout}
	err = client.To(ctx, f, download.File{URL: source, Size: s.Size, Max: maxFetch, SHA256: s.SHA256}, (&progress{task: t}).report)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
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

// progressInterval is the minimum time between two Progress events.
const progressInterval = 100 * time.Millisecond

// progress reports how much of a step is done.
type progress struct {
	*task
	last time.Time // of the last event
}

func (p *progress) report(done, total int64) {
	if now := time.Now(); now.Sub(p.last) >= progressInterval || done == total {
		p.last = now
		p.emit(Event{Kind: Progress, Addr: p.item.Resource.Addr, Step: p.step, Bytes: done, Total: max(total, 0)})
	}
}
