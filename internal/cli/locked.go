package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A lockDocument is what the command lock did, as it prints it as JSON.
type lockDocument struct {
	Version  int             `json:"version"`
	Locks    []*lockResult   `json:"locks"`
	Problems []*diag.Problem `json:"problems,omitempty"` // of environments that could not be locked
}

// A lockResult is the lock of one environment.
type lockResult struct {
	Environment string                    `json:"environment"`
	Path        string                    `json:"path"`
	Changed     bool                      `json:"changed"` // it was written
	Packages    int                       `json:"packages"`
	Conda       int                       `json:"conda,omitempty"`   // packages of conda, of one platform
	Changes     []resources.PackageChange `json:"changes,omitempty"` // against the lock before; nothing where there was none
	Platforms   []lockSize                `json:"platforms"`
}

// A lockSize is what one platform takes, in bytes.
type lockSize struct {
	Platform string `json:"platform"`
	Download int64  `json:"download"`
	Disk     int64  `json:"disk"`
}

func newLockResult(env *manifest.Environment, previous, l *lock.Lock) (*lockResult, error) {
	r := &lockResult{Environment: env.Name, Path: env.Lock, Packages: len(l.Packages), Changes: versions(previous, l)}
	for _, platform := range l.Platforms {
		dists, err := l.For(platform)
		if err != nil {
			return nil, err
		}
		size := lockSize{Platform: platform}
		for _, d := range dists {
			size.Download, size.Disk = size.Download+d.Download(), size.Disk+d.Disk()
		}
		if l.Conda != nil {
			list := l.Conda.For(platform)
			r.Conda = max(r.Conda, len(list))
			for i := range list {
				size.Download, size.Disk = size.Download+list[i].Size, size.Disk+4*list[i].Size
			}
		}
		r.Platforms = append(r.Platforms, size)
	}
	return r, nil
}

// count is "53 packages", "70 packages and 24 of conda".
func (r *lockResult) count() string {
	text := plural.Count(r.Packages, "package")
	if r.Conda > 0 {
		text += fmt.Sprintf(" and %d of conda", r.Conda)
	}
	return text
}

// showLocked says what one lock holds, and what changed in it.
func (a *app) showLocked(r *lockResult) error {
	if a.json {
		return nil
	}
	if !r.Changed {
		return say(a.out, "%s is up to date: %s", r.Path, r.count())
	}
	var platforms []string
	for _, size := range r.Platforms {
		platforms = append(platforms, size.Platform)
	}
	if err := say(a.out, "Wrote %s: %s for %s", r.Path, r.count(), strings.Join(platforms, ", ")); err != nil {
		return err
	}
	for _, c := range r.Changes {
		if err := report.PackageChange(a.out, c, a.report(a.out)); err != nil {
			return err
		}
	}
	for _, size := range r.Platforms {
		_, err := fmt.Fprintf(a.out, "  %s: downloads %s, takes %s on disk\n", size.Platform, bytesize.Format(size.Download), bytesize.Format(size.Disk))
		if err != nil {
			return err
		}
	}
	return nil
}

// lockedJSON prints the one document of the command, problems included, and ends
// it with the code of err. As text nothing is left to say but err.
func (a *app) lockedJSON(doc *lockDocument, err error) error {
	if !a.json {
		return err
	}
	code, left := codeOf(err)
	doc.Problems = diag.Problems(left)
	if err := report.JSON(a.out, doc); err != nil {
		return err
	}
	return exit(code)
}

// versions returns what comes, goes or changes version between two locks.
func versions(previous, l *lock.Lock) []resources.PackageChange {
	if previous == nil {
		return nil // all of it is new: the count says enough
	}
	return slices.Concat(differing(condaVersions(previous), condaVersions(l), true), differing(distVersions(previous), distVersions(l), false))
}

func distVersions(l *lock.Lock) map[string]string {
	versions := map[string]string{}
	for _, p := range l.Packages {
		versions[p.Name] = p.Version
	}
	return versions
}

// condaVersions are versions with their builds, which are other bytes.
func condaVersions(l *lock.Lock) map[string]string {
	versions := map[string]string{}
	if l.Conda != nil {
		for i := range l.Conda.Packages {
			p := &l.Conda.Packages[i]
			versions[p.Name] = p.Version + " " + p.Build
		}
	}
	return versions
}

func differing(before, after map[string]string, conda bool) []resources.PackageChange {
	names := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(names)
	var list []resources.PackageChange
	for _, name := range slices.Compact(names) {
		if before[name] != after[name] {
			list = append(list, resources.PackageChange{Name: name, Conda: conda, Actual: before[name], Desired: after[name]})
		}
	}
	return list
}
