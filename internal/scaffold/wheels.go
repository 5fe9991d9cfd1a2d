package scaffold

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/scan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// requests is the number of pages of the index that are read at once, requestTime the time for
// all of them.
const (
	requests    = 8
	requestTime = 20 * time.Second
)

// pickPythons gives each environment whose files leave the Python version open the best one for
// which all its requirements have wheels: its first candidate, unless another one has more. An
// index that does not answer leaves the first one; locking reports it.
func pickPythons(ctx context.Context, c *session.Config, dir string, found *scan.Result) error {
	open := found.OpenPythons()
	if len(open) == 0 {
		return nil
	}
	source, err := indexSource(c, dir)
	if err != nil {
		return err
	}
	for _, open := range open {
		wheels := allWheels(ctx, source, open.Requirements)
		best, missing := "", 0
		for _, minor := range open.Candidates {
			n := 0
			for i := range open.Requirements {
				if len(wheels[i]) > 0 && lock.Best(wheels[i], minor, open.Platform) < 0 {
					n++
				}
			}
			if best == "" || n < missing {
				best, missing = minor, n
			}
		}
		if best != open.Candidates[0] {
			found.SetPython(open.Environment, best)
		}
	}
	return ctx.Err()
}

// indexSource returns the package index and the wheel folders of this machine.
func indexSource(c *session.Config, dir string) (*simpleindex.Source, error) {
	prober, err := session.NewProber(c, dir)
	if err != nil {
		return nil, err
	}
	settings, err := prober.Index()
	if err != nil {
		return nil, err
	}
	client, err := settings.Client()
	if err != nil {
		return nil, err
	}
	return simpleindex.New(simpleindex.Settings{
		URL: settings.URL, NoIndex: settings.NoIndex, FindLinks: settings.FindLinks, Client: client, Redactor: c.Redactor,
	})
}

// recent is the number of newest releases whose wheels show how a package is distributed.
const recent = 20

// haveWheels reports whether one of several packages has wheels for some Python versions: another
// one may have what this one lacks.
func haveWheels(ctx context.Context, c *session.Config, dir string, names []string) (bool, error) {
	source, err := indexSource(c, dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		releases, err := source.Releases(ctx, name)
		if err != nil {
			return false, err
		}
		slices.SortFunc(releases, func(a, b simpleindex.Release) int { return pep.CompareVersions(b.Version, a.Version) })
		for _, w := range allowedWheels(releases[:min(len(releases), recent)], nil) {
			if !strings.HasSuffix(w.File, "-none-any.whl") {
				return true, nil
			}
		}
	}
	return false, nil
}

// allWheels returns the wheels that requirements allow, in their order; none for one that is
// not of the default index, or that could not be read. The first error, or the end of
// requestTime, ends all requests.
func allWheels(ctx context.Context, source *simpleindex.Source, list []declared.Requirement) [][]lock.Wheel {
	ctx, stop := context.WithTimeout(ctx, requestTime)
	defer stop()
	wheels := make([][]lock.Wheel, len(list))
	next := make(chan int)
	var readers sync.WaitGroup
	for range requests {
		readers.Go(func() {
			for i := range next {
				releases, err := source.Releases(ctx, list[i].Name)
				if err != nil {
					stop()
				}
				wheels[i] = allowedWheels(releases, list[i].Clauses)
			}
		})
	}
	for i := range list {
		if list[i].URL == "" && list[i].Index == "" && list[i].Name != "" {
			next <- i
		}
	}
	close(next)
	readers.Wait()
	return wheels
}

// allowedWheels returns the wheels of the releases that a specifier allows.
func allowedWheels(releases []simpleindex.Release, clauses []pep.Clause) []lock.Wheel {
	var wheels []lock.Wheel
	for _, r := range releases {
		if allowed, ok := pep.Allows(clauses, r.Version); !allowed || !ok {
			continue
		}
		for _, f := range r.Files {
			if !f.Yanked && strings.HasSuffix(f.Name, ".whl") {
				wheels = append(wheels, lock.Wheel{File: f.Name})
			}
		}
	}
	return wheels
}
