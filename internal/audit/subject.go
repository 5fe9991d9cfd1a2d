package audit

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A subject is an environment with its lock.
type subject struct {
	env      *manifest.Environment
	locked   *lock.Lock
	stale    *diag.Problem
	packages []*pkg
	requests map[string]lock.Requirement // by normalised name
	// dependencies are the names of direct dependencies, on any platform.
	dependencies map[string][]string
	parents      map[string]string // the package through which one is locked
}

// A release is a version of a package.
type release struct{ name, version string }

// A pkg is a locked Python package.
type pkg struct {
	lock.Package
	secret    string // why it is not sent; "" for a public one
	yanked    bool
	reason    string // for which it was withdrawn
	platforms []string
}

func (p *pkg) release() release {
	version, _, _ := strings.Cut(p.Version, "+")
	return release{p.Name, version}
}

// readRequests reads the requests of the project.
func (s *subject) readRequests() {
	add := func(r lock.Requirement) {
		name := pep.Normalize(r.Name)
		if _, ok := s.requests[name]; !ok {
			s.requests[name] = r
		}
	}
	if !s.env.IsForeign() {
		for _, r := range s.env.Sources().Packages {
			add(r)
		}
		return
	}
	for _, text := range s.locked.Requests {
		if r, err := pep.ParseRequirement(text); err == nil { // only the other tool reads others
			add(lock.Requirement{Name: r.Name})
		}
	}
}

// findParents finds the shortest path to each package from one that is requested.
func (s *subject) findParents() {
	s.dependencies = map[string][]string{}
	for _, p := range s.packages {
		s.dependencies[p.Name] = append(s.dependencies[p.Name], p.Dependencies...)
	}
	s.parents = map[string]string{}
	var queue []string
	for _, p := range s.packages {
		if _, ok := s.requests[p.Name]; ok && !slices.Contains(queue, p.Name) {
			queue = append(queue, p.Name)
		}
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, next := range s.dependencies[name] {
			_, requested := s.requests[next]
			if _, known := s.parents[next]; !known && !requested {
				s.parents[next] = name
				queue = append(queue, next)
			}
		}
	}
}

// via returns the packages that lead to a package, the requested one first.
func (s *subject) via(name string) (path []string) {
	for at, ok := s.parents[name]; ok; at, ok = s.parents[at] {
		path = append(path, at)
	}
	slices.Reverse(path)
	return path
}

// pinned returns the dependencies of a package, and theirs, that the manifest pins: a newer version
// of the package often needs newer ones.
func (s *subject) pinned(name string) (names []string) {
	seen := map[string]bool{name: true}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		for _, next := range s.dependencies[queue[0]] {
			if seen[next] {
				continue
			}
			seen[next] = true
			queue = append(queue, next)
			if r, ok := s.requests[next]; ok && r.Pin() != "" && r.Pos.File == s.env.Pos.File {
				names = append(names, next)
			}
		}
	}
	slices.Sort(names)
	return names
}

// cudaOf finds the major version of CUDA in the local version of torch and in the name of a library
// that it depends on.
var cudaOf = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\+cu(1[0-9])\d|^nvidia-.*-cu(1[0-9])$`) })

// cuda returns the CUDA major version that the locked torch is built for, and the version of torch;
// "" if there is none, or if it is unknown.
func (s *subject) cuda() (major, torch string) {
	for _, p := range s.packages {
		if p.Name != "torch" {
			continue
		}
		for _, text := range append([]string{p.Version}, s.dependencies[p.Name]...) {
			if m := cudaOf().FindStringSubmatch(text); m != nil {
				return cmp.Or(m[1], m[2]), p.Version
			}
		}
	}
	return "", ""
}
