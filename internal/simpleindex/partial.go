package simpleindex

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/flock"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// partialSuffix is appended to the name of a file that is being downloaded.
const partialSuffix = ".partial"

// A partial is an open file that becomes dst. It is locked, so that no other call writes it.
type partial struct {
	*os.File
	dst    string
	waited bool // for another call, which may have finished dst
}

// openPartial opens and locks dst.partial, which it creates if necessary.
func openPartial(ctx context.Context, dst string) (*partial, error) {
	p := &partial{dst: dst}
	for {
		f, err := os.OpenFile(dst+partialSuffix, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, err
		}
		p.File = f
		current, err := p.lock(ctx)
		if current {
			return p, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}

// lock locks the file, and reports whether its name still leads to it.
func (p *partial) lock(ctx context.Context) (current bool, err error) {
	info, err := p.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is not a regular file", p.Name())
	}
	waited, err := flock.Wait(ctx, p.File)
	if err != nil {
		return false, err
	}
	current, err = flock.IsAt(p.File, p.Name())
	p.waited = p.waited || waited || !current // for its holder, which renamed or removed it
	return current, err
}

// commit renames the file to dst.
func (p *partial) commit() error { return os.Rename(p.Name(), p.dst) }

// isWheel reports whether a file has the content of a wheel.
func isWheel(ctx context.Context, name string, wheel lock.Wheel) bool {
	f, err := rawfile.OpenFile(name, rawfile.NoFollow)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || wheel.Size > 0 && info.Size() != wheel.Size {
		return false
	}
	sum, err := rawfile.SHA256(ctx, f)
	return err == nil && facts.SHA256(sum) == wheel.SHA256
}

// discard removes the file.
func (p *partial) discard() error { return os.Remove(p.Name()) }

// discardEmpty removes the file if it has no content.
func (p *partial) discardEmpty() error {
	info, err := p.Stat()
	if err != nil || info.Size() > 0 {
		return err
	}
	return p.discard()
}
