// Package simpleindex fetches the wheels and source archives of a lock from the package index and the wheel
// folders of this machine. An index is a simple repository (PEP 503 HTML, PEP 691 JSON) at an
// https or file URL. The lock decides by size and SHA-256; the index only has the address.
package simpleindex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// PublicIndex is the index of a machine without settings: the default of pip and uv.
const PublicIndex = "https://pypi.org/simple/"

const (
	// maxPage is the maximum size of a page. The largest of the public index have 2 MB.
	maxPage = 64 << 20
	// maxWheel is the maximum size of a wheel whose size is not in the lock.
	maxWheel = 16 << 30
	accept   = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)

// Settings are the sources of wheels of this machine.
type Settings struct {
	URL       string            // of the index, https or file; "" for the public index
	NoIndex   bool              // use FindLinks only
	Named     map[string]string // URLs of further indexes by name, see Source.Index
	FindLinks []string          // folders and HTML pages with wheels: absolute paths and URLs
	Client    *http.Client      // with CA and proxy; nil for one without
	Stall     time.Duration     // see download.Client
	// Redactor removes secrets from errors. Those of the URLs are added to it; nil for a
	// Redactor of its own.
	Redactor *redact.Redactor
}

// A Source fetches wheels. It reads each page once. Its methods can be called concurrently.
type Source struct {
	client   download.Client
	links    []place
	index    *place // nil for none
	named    map[string]*Source
	name     string // of the index in the manifest, "" for the default one
	redactor *redact.Redactor

	mu    sync.Mutex
	pages map[string]*entry // by URL
}

// A place is an index, a folder or a page with wheels.
type place struct {
	url  *url.URL
	name string // in messages, without secrets
}

// An entry is a page that is read once.
type entry struct {
	busy    chan struct{} // holds a value while the page is being read
	listing *listing
	err     error
}

// New returns a Source. It does not access the network or the file system.
func New(s Settings) (*Source, error) {
	source := &Source{
		client: download.Client{HTTP: s.Client, Stall: s.Stall}, pages: map[string]*entry{},
		redactor: cmp.Or(s.Redactor, redact.New()),
	}
	source.redactor.AddURL(s.URL)
	for _, link := range s.FindLinks {
		if filepath.IsAbs(link) {
			link = (&url.URL{Scheme: "file", Path: link}).String()
		} else {
			source.redactor.AddURL(link)
		}
		u, err := url.Parse(link)
		if err != nil {
			return nil, &diag.Problem{Code: "index.setting", Summary: "a wheel folder is not a path or URL", Hint: "correct find_links"}
		}
		source.links = append(source.links, source.place(u, "the page "))
	}
	if !s.NoIndex {
		u, err := url.Parse(cmp.Or(s.URL, PublicIndex))
		if err != nil {
			return nil, &diag.Problem{Code: "index.setting", Summary: "the package index is not a URL", Hint: "correct RECONCILE_INDEX_URL"}
		}
		at := source.place(u, "the index ")
		source.index = &at
	}
	for name, location := range s.Named {
		settings := s
		settings.URL, settings.NoIndex, settings.Named, settings.Redactor = location, false, nil, source.redactor
		named, err := New(settings)
		if err != nil {
			return nil, err
		}
		if source.named == nil {
			source.named = map[string]*Source{}
		}
		named.name, source.named[name] = name, named
	}
	return source, nil
}

// Index returns the source of the packages of a named index: the wheel folders, and that index
// alone. "" names the default one.
func (s *Source) Index(name string) (*Source, error) {
	if name == "" {
		return s, nil
	}
	if named, ok := s.named[name]; ok {
		return named, nil
	}
	return nil, &diag.Problem{
		Code: "index.unknown", Summary: fmt.Sprintf("the lock names the index %q, which the manifest does not have", name),
		Hint: fmt.Sprintf("add it: indexes: [{name: %s, url: https://HOST/PATH}]", name),
	}
}

// place returns the place at u. Its name contains the path of a local place and the host of
// another one.
func (s *Source) place(u *url.URL, kind string) place {
	if u.Scheme == "file" {
		return place{u, s.printable(u.Path)}
	}
	return place{u, kind + s.printable(u.Host)}
}

// Fetch downloads a wheel of the project name to dst, which it replaces. Wheel folders come
// before pages of links, and these before the index; a source without the file, or with other
// content, is passed over. The content has the size and SHA-256 of the lock; it is not synced,
// so that it must be verified again after a power failure.
//
// An interrupted download leaves dst.partial, which the next call resumes. Concurrent calls
// for one dst, in any process, download once. progress, which may be nil, receives the number
// of bytes that are present; it decreases if a download begins again.
//
// Errors of the sources are *diag.Problem values without secrets, with code index.absent,
// index.credentials, index.not-an-index, apply.index or apply.hash. Others are those of ctx
// and of the file system of dst.
func (s *Source) Fetch(ctx context.Context, name string, wheel lock.Wheel, dst string, progress func(bytes int64)) error {
	return s.fetch(ctx, &fetch{project: pep.Normalize(name), wheel: wheel, progress: progress}, dst, (*fetch).run)
}

// Locate returns the address of a wheel or source archive of the project name, without
// credentials and without a query, which may be a credential too. It has scheme file for a file of
// this machine. The file is the one that Fetch would download.
func (s *Source) Locate(ctx context.Context, name string, file lock.Wheel) (*url.URL, error) {
	found := &url.URL{}
	f := &fetch{Source: s, project: pep.Normalize(name), wheel: file, found: found}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	found.User, found.RawQuery, found.ForceQuery = nil, "", false
	return found, nil
}

// FetchURL is the same as Fetch for a file at an https URL, of any server.
func (s *Source) FetchURL(ctx context.Context, address string, wheel lock.Wheel, dst string, progress func(bytes int64)) error {
	return s.fetchURL(ctx, address, &fetch{wheel: wheel, progress: progress}, dst)
}

// FetchUnknown is the same as FetchURL for a file whose digest is not known yet: a lock records
// that of what it fetches.
func (s *Source) FetchUnknown(ctx context.Context, address, file, dst string) error {
	return s.fetchURL(ctx, address, &fetch{wheel: lock.Wheel{File: file}, unknown: true}, dst)
}

func (s *Source) fetchURL(ctx context.Context, address string, f *fetch, dst string) error {
	wheel := f.wheel
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("fetch %s: the address is not an https URL", wheel.File) // http is for loopback only: package download
	}
	u.Fragment, u.RawFragment = "", ""
	return s.fetch(ctx, f, dst, func(f *fetch, ctx context.Context) error {
		at := s.place(u, "the server ")
		if done, err := f.try(ctx, at, func(ctx context.Context, _ place) error { return f.from(ctx, u) }); done {
			return err
		}
		if len(f.failed) > 0 {
			return f.problem()
		}
		return f.redact(&diag.Problem{
			Code: "index.absent", Summary: at.name + " does not have " + wheel.File, Found: u.Redacted(),
			Hint: "correct the address in the manifest, then run `reconcile lock`",
		})
	})
}

// fetch prepares dst for a fetch, and runs it.
func (s *Source) fetch(ctx context.Context, f *fetch, dst string, run func(*fetch, context.Context) error) error {
	wheel := f.wheel
	if _, err := lock.ParseWheel(wheel.File); err != nil && !lock.ValidArchive(wheel.File) {
		return err
	}
	if wheel.SHA256.IsZero() && !f.unknown {
		return fmt.Errorf("%s has no sha256", wheel.File)
	}
	part, err := openPartial(ctx, dst)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", wheel.File, err)
	}
	defer part.Close()
	if part.waited && isWheel(ctx, dst, wheel) {
		return part.discard() // another call has downloaded it
	}
	f.Source, f.part = s, part.File
	if err := run(f, ctx); err != nil {
		return errors.Join(err, part.discardEmpty())
	}
	return part.commit()
}

// A fetch is one call of Fetch.
type fetch struct {
	*Source
	project   string // normalised
	wheel     lock.Wheel
	unknown   bool // its digest
	part      *os.File
	found     *url.URL // set to the address instead of downloading; nil to download
	progress  func(int64)
	at        place           // that is being tried
	failed    []*diag.Problem // of the sources
	absent    []string        // names of sources that do not have the file
	noProject bool            // the index does not have the project
}

// run tries all sources.
func (f *fetch) run(ctx context.Context) error {
	for _, local := range []bool{true, false} {
		for _, at := range f.links {
			if (at.url.Scheme == "file") != local {
				continue
			}
			if done, err := f.try(ctx, at, f.fromLinks); done {
				return err
			}
		}
	}
	if f.index != nil {
		if done, err := f.try(ctx, *f.index, f.fromIndex); done {
			return err
		}
	}
	return f.problem()
}

// errAbsent is the error of a source without the file.
var errAbsent = errors.New("absent")

// try fetches from one source, and reports whether that ends the search.
func (f *fetch) try(ctx context.Context, at place, get func(context.Context, place) error) (done bool, err error) {
	f.at = at
	err = get(ctx, at)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return true, ctx.Err()
	case errors.Is(err, errAbsent):
		f.absent = append(f.absent, at.name)
		return false, nil
	}
	if p := f.explain(err); p != nil {
		f.failed = append(f.failed, p)
		return false, nil
	}
	return true, fmt.Errorf("fetch %s: %w", f.wheel.File, err)
}

// fromLinks fetches from a folder or a page of links.
func (f *fetch) fromLinks(ctx context.Context, at place) error {
	if at.url.Scheme == "file" {
		info, err := os.Stat(at.url.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return errAbsent
		}
		if err != nil {
			return download.SourceError{Err: err}
		}
		if info.IsDir() {
			name := filepath.Join(at.url.Path, f.wheel.File)
			if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
				return errAbsent
			}
			return f.from(ctx, &url.URL{Scheme: "file", Path: name})
		}
	}
	return f.fromPage(ctx, at, at.url, false)
}

// fromIndex fetches from the index.
func (f *fetch) fromIndex(ctx context.Context, at place) error {
	page := at.url.JoinPath(f.project + "/")
	if page.Scheme == "file" {
		page = page.JoinPath("index.html")
	}
	return f.fromPage(ctx, at, page, true)
}

// fromPage fetches the file that a page links.
func (f *fetch) fromPage(ctx context.Context, at place, page *url.URL, index bool) error {
	list, err := f.listing(ctx, page)
	if isNotFound(err) {
		f.noProject = f.noProject || index
		return errAbsent
	}
	if err != nil {
		return err
	}
	links := list.files[f.wheel.File]
	switch {
	case !list.isIndex && (index || list.login):
		return &notAnIndexError{list.host, list.describe()}
	case len(links) == 0:
		return errAbsent
	}
	for _, l := range links {
		if l.hasSHA256 && l.sha256 != f.wheel.SHA256 {
			err = &download.HashError{Got: l.sha256, Want: f.wheel.SHA256}
			continue
		}
		u, err := f.resolve(list, l)
		if err != nil {
			return err
		}
		if u.Host != at.url.Host {
			f.at = f.place(u, "the server ")
		}
		return f.from(ctx, u)
	}
	return err
}

// resolve returns the URL of a link, with the credentials of the settings if it has the origin
// of one of them.
func (s *Source) resolve(list *listing, l link) (*url.URL, error) {
	u, err := list.base.Parse(l.href)
	if err != nil {
		return nil, download.RefusedError("invalid link")
	}
	if u.Scheme == "file" && !list.local {
		return nil, download.RefusedError("link to a file of this machine")
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	s.authorize(u)
	return u, nil
}

// authorize adds the credentials for the origin of u.
func (s *Source) authorize(u *url.URL) {
	if s.index != nil && download.SameOrigin(u, s.index.url) {
		u.User = s.index.url.User
		return
	}
	for _, l := range s.links {
		if l.url.User != nil && download.SameOrigin(u, l.url) {
			u.User = l.url.User
			return
		}
	}
}

// from downloads from one URL, or returns it.
func (f *fetch) from(ctx context.Context, u *url.URL) error {
	if f.found != nil {
		*f.found = *u
		return nil
	}
	file := download.File{URL: u.String(), Size: f.wheel.Size, Max: maxWheel, SHA256: f.wheel.SHA256, Any: f.unknown}
	err := f.client.To(ctx, f.part, file, func(done, _ int64) {
		if f.progress != nil {
			f.progress(done)
		}
	})
	if isNotFound(err) {
		return errAbsent // the file was deleted after the page was made
	}
	return err
}

// listing returns the page at u, which is read by the first call.
func (s *Source) listing(ctx context.Context, u *url.URL) (*listing, error) {
	key := u.String()
	s.mu.Lock()
	e := s.pages[key]
	if e == nil {
		e = &entry{busy: make(chan struct{}, 1)}
		s.pages[key] = e
	}
	s.mu.Unlock()
	select {
	case e.busy <- struct{}{}:
		defer func() { <-e.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.listing == nil && e.err == nil {
		list, err := s.read(ctx, u)
		if ctx.Err() != nil {
			return nil, ctx.Err() // the next call reads it
		}
		e.listing, e.err = list, err
	}
	return e.listing, e.err
}

func (s *Source) read(ctx context.Context, u *url.URL) (*listing, error) {
	page, err := s.client.Page(ctx, u.String(), accept, maxPage)
	if tooLarge, ok := errors.AsType[*download.SizeError](err); ok {
		return nil, &notAnIndexError{u.Host, "a page whose " + strings.TrimPrefix(tooLarge.Error(), "the ")}
	}
	if err != nil {
		return nil, err
	}
	return parse(page), nil
}

// isNotFound reports whether err is that of a server or file system that does not have a page
// or file.
func isNotFound(err error) bool {
	status, ok := errors.AsType[*download.StatusError](err)
	return ok && (status.Code == http.StatusNotFound || status.Code == http.StatusGone) || errors.Is(err, fs.ErrNotExist)
}
