package apply

import (
	"context"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/extract"
	"github.com/reconcile-ml/reconcile/internal/pybuild"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Limits of an archive. A Python has about 10,000 entries and 200 MB.
const (
	maxEntries  = 200_000
	maxUnpacked = 8 << 30
)

// unpack extracts an archive into a new directory, and seals it there.
func unpack(ctx context.Context, s resources.Fetch, from, to place) error {
	if s.Unpack != "tar.gz" {
		return fmt.Errorf("unknown archive type %q", s.Unpack)
	}
	f, err := rawfile.OpenRoot(from.root, from.rel, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := to.root.Mkdir(to.rel, 0o755); err != nil {
		return err
	}
	if err := to.root.Chmod(to.rel, 0o755); err != nil {
		return err
	}
	root, err := to.root.OpenRoot(to.rel)
	if err != nil {
		return err
	}
	defer root.Close()
	sums, err := extract.TarGz(ctx, f, root, extract.Options{Strip: s.Strip, Entries: maxEntries, Bytes: maxUnpacked})
	if err != nil {
		return err
	}
	digests := make(map[string]pybuild.Digest, len(sums))
	for name, sum := range sums {
		digests[name] = sum
	}
	return pybuild.Seal(to.abs(), s.SHA256, digests)
}
