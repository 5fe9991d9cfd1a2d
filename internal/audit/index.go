package audit

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// secret returns why a package may not be public, by the lock and the manifest; its name and version
// are then not sent to the server. It returns "" for a package of a public index.
func (a *auditor) secret(env *manifest.Environment, p lock.Package) string {
	rules := &a.project.Manifest.Audit
	switch b := p.Build; {
	case b != nil && b.Git != "":
		return "from git, which may be private"
	case b != nil && b.Directory != "":
		return "from a directory of the project"
	case p.URL != "" || b != nil && b.URL != "":
		return "from a URL or a file, which may be private"
	case rules.IsPrivate(p.Name):
		return "which the manifest has in `audit.private`"
	case p.Index != "" && !slices.Contains(rules.PublicIndexes, p.Index):
		return "from the index " + p.Index + ", which may be private; `audit.public_indexes` names those that are public"
	}
	return ""
}

// maxRequests is how many pages of an index are read at the same time.
const maxRequests = 16

// readIndexes reads the releases of each package from its index: it marks the withdrawn ones, and
// makes those secret that the index does not list, since they are of a wheel folder.
func (a *auditor) readIndexes(ctx context.Context) error {
	type place struct{ index, name string }
	wanted := map[place][]*pkg{}
	for _, s := range a.subjects {
		for _, p := range s.packages {
			if p.URL == "" && (p.Build == nil || p.Build.File != "" && p.Build.URL == "") {
				at := place{p.Index, p.Name}
				wanted[at] = append(wanted[at], p)
			}
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var reading sync.WaitGroup
	var failing sync.Once
	var failed error
	slots := make(chan struct{}, maxRequests)
	for at, list := range wanted {
		from, err := a.source.Index(at.index)
		if err != nil {
			return err
		}
		reading.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			releases, err := from.Releases(ctx, at.name)
			if err != nil {
				failing.Do(func() { failed = err; stop() }) // the others would fail for the same reason
				return
			}
			for _, p := range list {
				p.mark(releases)
			}
		})
	}
	reading.Wait()
	if failed == nil {
		return ctx.Err()
	}
	if p := diag.Problems(failed); len(p) > 0 && p[0].Code != "internal" {
		p[0].Hint = strings.TrimPrefix(p[0].Hint+"; without network: `"+a.Again("audit", "--offline", "--database", "FILE")+"`", "; ")
	}
	return failed
}

// mark sets whether the locked version is withdrawn, and makes it secret if the index does not list
// it.
func (p *pkg) mark(releases []simpleindex.Release) {
	var files []simpleindex.ReleaseFile
	for _, r := range releases {
		if pep.SameVersion(r.Version, p.Version) {
			files = append(files, r.Files...)
		}
	}
	inIndex := slices.ContainsFunc(files, func(f simpleindex.ReleaseFile) bool { return f.InIndex })
	if !inIndex && p.secret == "" {
		p.secret = "which the index does not list"
	}
	locked := slices.DeleteFunc(slices.Clone(files), func(f simpleindex.ReleaseFile) bool { return !p.has(f.Name) })
	if len(locked) == 0 {
		locked = files
	}
	for _, f := range locked {
		if f.Yanked {
			p.yanked, p.reason = true, strings.Join(strings.Fields(f.Reason), " ")
		}
	}
}

// has reports whether a file is locked.
func (p *pkg) has(file string) bool {
	return slices.ContainsFunc(p.Wheels, func(w lock.Wheel) bool { return w.File == file }) || p.Build != nil && p.Build.File == file
}
