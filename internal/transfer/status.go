package transfer

import (
	"context"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// Status returns what travels between machines, and the machines that the manifest knows.
func Status(ctx context.Context, p *session.Checkout) (report.SyncStatus, error) {
	list := report.SyncStatus{}
	for _, entry := range p.Manifest.Sync {
		size, err := measure(ctx, filepath.Join(p.Root, filepath.FromSlash(entry.Path)))
		if err != nil && !isAbsent(err) {
			return list, err
		}
		list.Entries = append(list.Entries, report.SyncEntry{
			Name: entry.Name, Push: entry.Push, Path: entry.Path, Absent: err != nil, Files: size.files, Bytes: size.bytes,
		})
	}
	for _, h := range p.Manifest.Hosts {
		if h.SSH == nil {
			continue
		}
		far, problem := farOf(h, 0)
		host := report.SyncHost{Name: h.Name, Remote: far.String(), Port: far.Port}
		if problem != nil {
			host.Remote, host.Problem = h.SSH.Host, problem.Summary
		}
		list.Hosts = append(list.Hosts, host)
	}
	return list, nil
}
