package transfer

import (
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// Status returns the entries of sync with their size on this machine, and the hosts that
// have ssh.
func Status(ctx context.Context, c *session.Checkout) (report.SyncStatus, error) {
	var s report.SyncStatus
	for _, entry := range c.Manifest.Sync {
		files, bytes, err := measure(ctx, c.Path(entry.Path))
		if err != nil && !rawfile.IsAbsent(err) {
			return s, err
		}
		s.Entries = append(s.Entries, report.SyncEntry{
			Name: entry.Name, Push: entry.Push, Path: entry.Path, Absent: err != nil, Files: files, Bytes: bytes,
		})
	}
	for _, h := range c.Manifest.Hosts {
		if h.SSH == nil {
			continue
		}
		remote, problem := remoteOf(h, 0)
		host := report.SyncHost{Name: h.Name, Remote: remote.String(), Port: remote.Port}
		if problem != nil {
			host.Remote, host.Problem = h.SSH.Host, problem.Summary
		}
		s.Hosts = append(s.Hosts, host)
	}
	return s, nil
}

// measure counts the files in a folder that a transfer would copy, and their bytes. It
// ignores links and unreadable directories.
func measure(ctx context.Context, folder string) (files int, bytes int64, err error) {
	folder, err = filepath.EvalSymlinks(folder)
	if err != nil {
		return 0, 0, err
	}
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && p == folder:
			return err
		case err != nil:
			return nil
		case p != folder && isExcluded(d.Name()) && d.IsDir():
			return fs.SkipDir
		case !d.Type().IsRegular() || isExcluded(d.Name()):
			return nil
		}
		if info, err := d.Info(); err == nil {
			files++
			bytes += info.Size()
		}
		return nil
	})
	return files, bytes, err
}

func isExcluded(name string) bool {
	return slices.ContainsFunc(rsync.Excluded, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}
