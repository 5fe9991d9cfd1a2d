package simpleindex

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Release is a version of a project that an index or a wheel folder offers.
type Release struct {
	Version string
	Files   []ReleaseFile
}

// A ReleaseFile is a wheel or a source archive of a Release.
type ReleaseFile struct {
	Name           string
	Yanked         bool      // withdrawn by its authors
	Reason         string    // that they give, "" for none
	InIndex        bool      // the index lists it, not only a wheel folder or page
	RequiresPython string    // PEP 440, "" for any
	Uploaded       time.Time // zero if the index does not publish it
}

// Releases returns what the index and the wheel folders offer of a project, in no order. If
// none has it, it returns nothing. Errors are those of Fetch, and each ends the search, since
// the place that failed might have a newer version.
func (s *Source) Releases(ctx context.Context, name string) ([]Release, error) {
	f := &fetch{Source: s, project: pep.Normalize(name)}
	var files []ReleaseFile
	for _, at := range s.links {
		f.at = at
		list, err := f.linked(ctx, at)
		if err != nil {
			return nil, f.releaseError(ctx, err)
		}
		files = append(files, list...)
	}
	if s.index != nil {
		f.at = *s.index
		page := s.index.url.JoinPath(f.project + "/")
		if page.Scheme == "file" {
			page = page.JoinPath("index.html")
		}
		list, err := f.offered(ctx, page, true)
		if err != nil {
			return nil, f.releaseError(ctx, err)
		}
		list = slices.Clone(list)
		for i := range list {
			list[i].InIndex = true
		}
		files = append(files, list...)
	}
	return group(f.project, files), nil
}

// releaseError returns the problem of the place that is being read.
func (f *fetch) releaseError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if p := f.explain(err); p != nil {
		return p
	}
	return &diag.Problem{Code: "apply.index", Summary: f.at.name + " could not be read", Found: f.printable(err.Error()), Hint: settingsHint}
}

// linked returns the files of a folder or of a page of links.
func (f *fetch) linked(ctx context.Context, at place) ([]ReleaseFile, error) {
	if at.url.Scheme == "file" {
		if info, err := os.Stat(at.url.Path); err == nil && info.IsDir() {
			entries, err := os.ReadDir(at.url.Path)
			var files []ReleaseFile
			for _, entry := range entries {
				files = append(files, ReleaseFile{Name: filepath.Base(entry.Name())})
			}
			return files, err
		}
	}
	return f.offered(ctx, at.url, false)
}

// offered returns the files of a page; none if it does not exist.
func (f *fetch) offered(ctx context.Context, page *url.URL, index bool) ([]ReleaseFile, error) {
	list, err := f.listing(ctx, page)
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !list.isIndex && (index || list.login):
		return nil, &notAnIndexError{list.host, list.describe()}
	}
	return list.offers, nil
}

// group returns the releases of a project among files.
func group(project string, files []ReleaseFile) (releases []Release) {
	index := map[string]int{}
	for _, f := range files {
		name, version := nameAndVersion(f.Name)
		if name != project {
			continue
		}
		i, ok := index[version]
		if !ok {
			i = len(releases)
			index[version] = i
			releases = append(releases, Release{Version: version})
		}
		k := slices.IndexFunc(releases[i].Files, func(o ReleaseFile) bool { return o.Name == f.Name })
		if k < 0 {
			releases[i].Files = append(releases[i].Files, f)
		} else if f.InIndex {
			releases[i].Files[k] = f
		}
	}
	return releases
}

// nameAndVersion returns the normalised name and version of a wheel or source archive.
func nameAndVersion(file string) (name, version string) {
	if w, err := lock.ParseWheel(file); err == nil {
		version, _ := pep.CanonicalVersion(w.Version)
		return w.Name, version
	}
	name, version, ok := pep.ParseSdist(file)
	if !ok {
		return "", ""
	}
	version, _ = pep.CanonicalVersion(version)
	return pep.Normalize(name), version
}
