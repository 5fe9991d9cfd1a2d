package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// addLicenses adds the licences of all packages: of Python packages from their metadata in the
// store, else in the wheels of the index; of conda packages from the lock. A licence that cannot be
// read is unknown, and a note has the first reason.
func (a *auditor) addLicenses(ctx context.Context, doc *report.Audit) error {
	texts := map[release]string{}
	var unread []lock.Package
	for _, s := range a.subjects {
		for _, p := range s.packages {
			if _, done := texts[p.release()]; done {
				continue
			}
			text := a.project.StoredMetadata(p.Package)
			texts[p.release()] = license(text)
			if text == nil && !a.Offline && p.URL == "" && len(p.Wheels) > 0 {
				unread = append(unread, p.Package)
			}
		}
	}
	failed, err := readLicenses(ctx, a.source, unread, texts)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		doc.Notes = append(doc.Notes, fmt.Sprintf("the licences of %s could not be read: %s", plural.Count(len(failed), "package"), failed[0]))
	}
	for i, s := range a.subjects {
		e := &doc.Environments[i]
		for _, p := range s.packages {
			e.Licenses = append(e.Licenses, report.AuditLicense{Package: p.Name, Version: p.Version, License: texts[p.release()]})
		}
		if s.locked.Conda != nil {
			for k := range s.locked.Conda.Packages {
				c := &s.locked.Conda.Packages[k]
				text := strings.TrimPrefix(c.License, "None") // of packages without files
				e.Licenses = append(e.Licenses, report.AuditLicense{Package: c.Name, Version: c.Version, License: text})
			}
		}
	}
	return nil
}

// license returns the licence in METADATA as one text, "" if it is unknown.
func license(metadata []byte) string {
	expression, names := pyenv.Licence(metadata)
	slices.Sort(names)
	return cmp.Or(expression, strings.Join(slices.Compact(names), ", "))
}

// readLicenses reads the licences of packages in the wheels of their indexes, and returns the problems.
func readLicenses(ctx context.Context, source *simpleindex.Source, list []lock.Package, texts map[release]string) (failed []string, err error) {
	var mu sync.Mutex
	var reading sync.WaitGroup
	slots := make(chan struct{}, maxRequests)
	for _, p := range list {
		reading.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			smallest := slices.MinFunc(p.Wheels, func(a, b lock.Wheel) int { return cmp.Compare(a.Size, b.Size) })
			from, err := source.Index(p.Index)
			var text []byte
			if err == nil {
				text, err = from.Metadata(ctx, p.Name, smallest)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, p.Name+": "+problemText(err))
				return
			}
			at := pkg{Package: p}
			texts[at.release()] = license(text)
		})
	}
	reading.Wait()
	slices.Sort(failed)
	return failed, ctx.Err()
}

// problemText returns the first problem of an error as one line.
func problemText(err error) string {
	if list := diag.Problems(err); len(list) > 0 && list[0].Code != "internal" {
		return list[0].Summary
	}
	return err.Error()
}
