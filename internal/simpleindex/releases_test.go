package simpleindex

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestReleases reads the same releases from HTML and from JSON, with those of a wheel folder.
func TestReleases(t *testing.T) {
	html := `<a href="tiny_pkg-1.0-py3-none-any.whl" data-requires-python="&gt;=3.9">x</a>
		<a href="tiny-pkg-1.0.tar.gz">x</a> <a href="tiny_pkg-2.0-py3-none-any.whl" data-yanked="broken">x</a> <a href="tiny_pkg-2.0.zip">x</a>
		<a href="other-3.0-py3-none-any.whl">x</a> <a href="tiny_pkg-x.zip">x</a>`
	json := `{"meta": {"api-version": "1.1"}, "files": [
		{"filename": "tiny_pkg-1.0-py3-none-any.whl", "url": "x", "requires-python": ">=3.9", "yanked": false},
		{"filename": "tiny-pkg-1.0.tar.gz", "url": "x", "requires-python": null},
		{"filename": "tiny_pkg-2.0-py3-none-any.whl", "url": "x", "yanked": "broken"}, {"filename": "tiny_pkg-2.0.zip", "url": "x"}]}`
	folder := t.TempDir()
	check(t, os.WriteFile(filepath.Join(folder, "Tiny_Pkg-3.0-py3-none-any.whl"), nil, 0o644))
	check(t, os.WriteFile(filepath.Join(folder, "tiny_pkg-2.0.zip"), nil, 0o644)) // also in the index
	check(t, os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o644))
	want := []string{
		"1.0 tiny-pkg-1.0.tar.gz false   true", "1.0 tiny_pkg-1.0-py3-none-any.whl false >=3.9  true",
		"2.0 tiny_pkg-2.0-py3-none-any.whl true  broken true", "2.0 tiny_pkg-2.0.zip false   true", "3.0 Tiny_Pkg-3.0-py3-none-any.whl false   false",
	}
	for kind, page := range map[string]http.HandlerFunc{"html": htmlPage(html), "json": respond("application/vnd.pypi.simple.v1+json", json)} {
		server := newServer(t)
		server.page = page
		source, err := New(Settings{URL: server.URL + "/simple/", FindLinks: []string{folder}, Stall: stall})
		check(t, err)
		releases, err := source.Releases(t.Context(), "Tiny.Pkg")
		check(t, err)
		var got []string
		for _, r := range releases {
			for _, f := range r.Files {
				got = append(got, fmt.Sprintf("%s %s %t %s %s %t", r.Version, f.Name, f.Yanked, f.RequiresPython, f.Reason, f.InIndex))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
}

func TestReleasesOfAnUnknownProjectAreNone(t *testing.T) {
	server := newServer(t)
	server.page = status(http.StatusNotFound)
	source, err := New(Settings{URL: server.URL, Stall: stall})
	check(t, err)
	if releases, err := source.Releases(t.Context(), "x"); err != nil || len(releases) != 0 {
		t.Errorf("got %v, %v", releases, err)
	}
}

func TestReleasesNameThePlaceThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		page http.HandlerFunc
		code string
	}{
		"credentials": {status(http.StatusUnauthorized), "index.credentials"},
		"a login":     {htmlPage("<input type=password>"), "index.not-an-index"},
	} {
		server := newServer(t)
		server.page = c.page
		source, err := New(Settings{URL: server.withUser(), Stall: stall})
		check(t, err)
		_, err = source.Releases(t.Context(), "tiny-pkg")
		wantProblem(t, filepath.Join(t.TempDir(), "x"), err, c.code, name[:0])
	}
}
