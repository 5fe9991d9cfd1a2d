package lock

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A source is the location of a wheel while the lock is made: a URL, or a path of this
// machine.
type source struct{ url, path string }

// parse reads the pylock that uv wrote for a platform, and keeps the best wheel of each
// package.
func (r *resolver) parse(data []byte, platform string) ([]Package, error) {
	var doc document
	if err := toml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read the output of uv for %s: %w", platform, err)
	}
	packages := make([]Package, 0, len(doc.Packages))
	var problems diag.List
	for _, d := range doc.Packages {
		p := Package{Name: pep.Normalize(d.Name), Version: d.Version}
		for _, w := range d.Wheels {
			wheel := Wheel{File: w.file(), Size: w.Size, Platforms: []string{platform}}
			if err := wheel.SHA256.UnmarshalText([]byte(w.Hashes["sha256"])); err != nil || wheel.SHA256 == (facts.SHA256{}) {
				continue // an index without digests: the wheel could not be verified
			}
			p.Wheels = append(p.Wheels, wheel)
			r.sources[wheel.File] = r.source(w)
		}
		best := Best(p.Wheels, r.Python, platform)
		if best < 0 {
			problems.Add(r.noWheel(p, platform))
			continue
		}
		p.Wheels = []Wheel{p.Wheels[best]}
		packages = append(packages, p)
	}
	return packages, problems.Err()
}

// source returns the location of a wheel. A relative path is relative to the output of uv.
func (r *resolver) source(w docWheel) source {
	switch {
	case w.URL != "":
		if path, ok := strings.CutPrefix(w.URL, "file://"); ok {
			return source{path: path}
		}
		return source{url: w.URL}
	case filepath.IsAbs(w.Path):
		return source{path: w.Path}
	}
	return source{path: filepath.Join(r.Dir, filepath.FromSlash(w.Path))}
}

// noWheel returns the Problem of a package without a wheel or without a digest.
func (r *resolver) noWheel(p Package, platform string) *diag.Problem {
	problem := &diag.Problem{
		Code: "lock.source", Pos: diag.Pos{File: r.Path},
		Summary: fmt.Sprintf("%s==%s has no wheel with a sha256 for %s and Python %s", p.Name, p.Version, platform, r.Python),
		Hint:    "pin a version that has wheels: building from source is not supported",
	}
	if pin, ok := r.pin(p.Name); ok {
		problem.Pos = pin.Pos
	}
	return problem
}
