package scan

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// An index is one of the manifest.
type index struct {
	name string
	url  string
	at   place
}

// publicIndex is the name of the public index in a manifest.
const publicIndex = "public"

// wheelVariant matches the address of an index of PyTorch for one CUDA version, ROCm or CPU.
func wheelVariant(address string) string {
	m := regexp.MustCompile(`/whl/(?:nightly/)?(cu[0-9]+|rocm[0-9.]+|cpu|xpu)/?$`).FindStringSubmatch(address)
	if m == nil {
		return ""
	}
	return m[1]
}

// torchFamily are the packages that an index of PyTorch is named for.
func torchFamily() []string {
	return []string{"torch", "torchvision", "torchaudio", "torchtext", "torchdata", "torchao", "xformers", "triton", "pytorch-triton"}
}

// takeIndexes adds the indexes of an environment to the manifest, and the packages that they are
// bound to. An index that a file names without packages is bound to those that it must have: the
// builds with a local version, and the family of PyTorch for an index of PyTorch.
func (s *scanner) takeIndexes(e *environment) {
	for _, x := range e.set.Indexes {
		at := placeOf(x.Pos)
		u, err := url.Parse(x.URL)
		if x.Kind == declared.FindLinks || err != nil || u.Scheme != "https" && u.Scheme != "file" {
			s.omit(at, "the manifest has no page or folder of files; a machine names wheel folders in its own config.yaml")
			continue
		}
		variant := wheelVariant(x.URL)
		switch {
		case strings.TrimSuffix(x.URL, "/") == strings.TrimSuffix(simpleindex.PublicIndex, "/"):
			continue
		case x.Kind == declared.DefaultIndex && variant == "":
			s.omit(at, "the default index is one of each machine: index_url in its config.yaml, or RECONCILE_INDEX_URL")
			continue
		case x.Name != "" && !isRequired(e.set, x.Name):
			continue // another extra or group needs it
		}
		name := s.addIndex(x, u, at)
		if x.Name != "" {
			continue
		}
		bound := boundTo(e.set, variant)
		if len(bound) == 0 {
			s.omit(at, "no package is bound to the index "+name+": add `index: "+name+"` to those that come from it")
		}
		for _, p := range bound {
			if !slices.ContainsFunc(e.bound, func(b binding) bool { return b.name == p }) {
				e.bound = append(e.bound, binding{p, name, at})
			}
		}
	}
}

// isRequired reports whether a requirement comes from an index.
func isRequired(set *declared.Set, name string) bool {
	return slices.ContainsFunc(set.Requirements, func(r declared.Requirement) bool { return r.Index == name })
}

// addIndex adds an index unless it is there, and returns its name.
func (s *scanner) addIndex(x declared.Index, u *url.URL, at place) string {
	for _, have := range s.indexes {
		if have.url == x.URL {
			return have.name
		}
	}
	name := x.Name
	if name != manifest.Slug(name) || name == "" {
		name = manifest.Slug(strings.TrimSuffix(strings.TrimPrefix(u.Host, "www."), "."))
		if variant := wheelVariant(x.URL); variant != "" {
			name = "pytorch-" + manifest.Slug(variant)
		}
	}
	isTaken := func(name string) bool {
		return name == publicIndex || slices.ContainsFunc(s.indexes, func(have index) bool { return have.name == name })
	}
	for stem, n := name, 2; isTaken(name); n++ {
		name = fmt.Sprintf("%s-%d", stem, n)
	}
	s.indexes = append(s.indexes, index{name, x.URL, at})
	return name
}

// A binding binds a package to an index.
type binding struct {
	name, index string
	at          place
}

// boundTo returns the packages that can only come from an extra index.
func boundTo(set *declared.Set, variant string) []string {
	var names []string
	add := func(name string) {
		if !slices.ContainsFunc(names, func(have string) bool { return pep.Normalize(have) == pep.Normalize(name) }) {
			names = append(names, name)
		}
	}
	for i := range set.Requirements {
		r := &set.Requirements[i]
		pin, _ := r.Pin()
		_, local, isLocal := strings.Cut(pin, "+")
		switch {
		case r.URL != "" || r.Index != "":
		case isLocal && (variant == "" || local == variant || strings.HasPrefix(local, variant)):
			add(r.Name)
		case variant != "" && !isLocal && slices.Contains(torchFamily()[:3], pep.Normalize(r.Name)):
			add(r.Name)
		}
	}
	if variant != "" && len(names) == 0 {
		add("torch") // something requires it
	}
	return names
}
