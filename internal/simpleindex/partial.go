package simpleindex

import (
	"context"
	"os"

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
	f, waited, err := flock.Open(ctx, dst+partialSuffix)
	if err != nil {
		return nil, err
	}
	return &partial{f, dst, waited}, nil
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
