package scan

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/manifest"
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

// takeIndexes adds the indexes that the lock of another tool needs to the manifest: such a lock has
// their addresses, and the manifest their names. Other environments take the indexes of their
// files.
func (s *scanner) takeIndexes(e *environment) {
	if !e.isForeign {
		return
	}
	for _, x := range e.set.Indexes {
		at := placeOf(x.Pos)
		u, err := url.Parse(x.URL)
		isPublic := strings.TrimSuffix(x.URL, "/") == strings.TrimSuffix(simpleindex.PublicIndex, "/")
		switch {
		case isPublic || x.Kind == declared.ExplicitIndex && !isRequired(e.set, x.Name): // another extra or group needs it
		case x.Kind == declared.FindLinks || err != nil || u.Scheme != "https" && u.Scheme != "file":
			s.omit(at, "an index of the manifest has an address that begins with https")
		default:
			s.addIndex(x, u, at)
		}
	}
}

// isRequired reports whether a requirement comes from an index.
func isRequired(set *declared.Set, name string) bool {
	return slices.ContainsFunc(set.Requirements, func(r declared.Requirement) bool { return r.Index == name })
}

// addIndex adds an index unless it is there.
func (s *scanner) addIndex(x declared.Index, u *url.URL, at place) {
	name := x.Name
	if name != manifest.Slug(name) || name == "" {
		name = manifest.Slug(u.Host)
	}
	has := func(same func(index) bool) bool { return slices.ContainsFunc(s.indexes, same) }
	if has(func(have index) bool { return have.url == x.URL }) {
		return
	}
	for stem, n := name, 2; name == publicIndex || has(func(have index) bool { return have.name == name }); n++ {
		name = fmt.Sprintf("%s-%d", stem, n)
	}
	s.indexes = append(s.indexes, index{name, x.URL, at})
}
