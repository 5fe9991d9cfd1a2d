package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/osv"
)

const (
	// publicServer has the records of all ecosystems.
	publicServer = "https://api.osv.dev"

	maxQueries   = 1000     // of one request: the limit of the server
	maxPages     = 100      // of the answer to one query
	maxFound     = 20_000   // records of all packages; the worst known environment has some 1,000
	maxDetails   = 8        // records that are read at the same time
	maxAnswer    = 32 << 20 // bytes of an answer
	queriesPath  = "v1/querybatch"
	recordPrefix = "v1/vulns/"
)

// A server is an OSV server.
type server struct {
	client download.Client
	base   *url.URL
	again  func(args ...string) string
	redact func(string) string
	found  int // ids
}

// A query is for the flaws of one release. Besides it, only ids of records are sent.
type query struct {
	Package   osv.Package `json:"package"`
	Version   string      `json:"version"`
	PageToken string      `json:"page_token,omitempty"`
}

// An answer has the ids of the records of one query.
type answer struct {
	Vulns []struct {
		ID string `json:"id"`
	} `json:"vulns"`
	NextPageToken string `json:"next_page_token"`
}

// searchServer returns the records that affect the public packages, and the URL of the server.
func (a *auditor) searchServer(ctx context.Context) (found map[release][]osv.Record, source string, err error) {
	settings, err := a.project.Index()
	if err != nil {
		return nil, "", err
	}
	client, err := settings.Client()
	if err != nil {
		return nil, "", err
	}
	base, err := url.Parse(cmp.Or(settings.OSV, publicServer))
	if err != nil || base.Host == "" {
		return nil, "", &diag.Problem{Code: "index.setting", Summary: "osv_url is not the URL of a server", Hint: "correct RECONCILE_OSV_URL"}
	}
	s := &server{client: download.Client{HTTP: client}, base: base, again: a.Again, redact: a.project.Config.Redactor.String}
	shown := *base
	shown.User, shown.RawQuery, shown.Fragment = nil, "", ""
	var releases []release
	for _, subject := range a.subjects {
		for _, p := range subject.packages {
			if a.unchecked(p) == "" && !slices.Contains(releases, p.release()) {
				releases = append(releases, p.release())
			}
		}
	}
	ids := map[release][]string{}
	for chunk := range slices.Chunk(releases, maxQueries) {
		if err := s.query(ctx, chunk, ids); err != nil {
			return nil, "", err
		}
	}
	records, err := s.records(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	found = map[release][]osv.Record{}
	for at, list := range ids {
		for _, id := range list {
			if r := records[id]; r.Withdrawn == nil {
				found[at] = append(found[at], r)
			}
		}
	}
	return found, shown.String(), nil
}

// query adds the ids of the records of releases to ids, page by page.
func (s *server) query(ctx context.Context, releases []release, ids map[release][]string) error {
	queries := make([]query, len(releases))
	for i, r := range releases {
		queries[i] = query{Package: osv.Package{Ecosystem: osv.Ecosystem, Name: r.name}, Version: r.version}
	}
	for page := 0; len(queries) > 0; page++ {
		if page == maxPages {
			return s.invalid(fmt.Sprintf("more than %d pages", maxPages))
		}
		body, err := json.Marshal(map[string]any{"queries": queries})
		if err != nil {
			return err
		}
		text, err := s.client.Post(ctx, s.base.JoinPath(queriesPath).String(), body, maxAnswer)
		if err != nil {
			return s.explain(ctx, err)
		}
		var answers struct {
			Results []answer `json:"results"`
		}
		if json.Unmarshal(text, &answers) != nil || len(answers.Results) != len(queries) {
			return s.invalid(fmt.Sprintf("no list of %d results", len(queries)))
		}
		var more []query
		for i, answer := range answers.Results {
			at := release{queries[i].Package.Name, queries[i].Version}
			for _, v := range answer.Vulns {
				if !osv.ValidID(v.ID) {
					return s.invalid(fmt.Sprintf("a record with the id %.100q", v.ID))
				}
				if !slices.Contains(ids[at], v.ID) {
					ids[at] = append(ids[at], v.ID)
					if s.found++; s.found > maxFound {
						return s.invalid(fmt.Sprintf("more than %d records", maxFound))
					}
				}
			}
			if answer.NextPageToken != "" {
				next := queries[i]
				next.PageToken = answer.NextPageToken
				more = append(more, next)
			}
		}
		queries = more
	}
	return nil
}

// records reads the records of all ids.
func (s *server) records(ctx context.Context, ids map[release][]string) (map[string]osv.Record, error) {
	wanted := map[string]bool{}
	for _, list := range ids {
		for _, id := range list {
			wanted[id] = true
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var failed error
	records := map[string]osv.Record{}
	var reading sync.WaitGroup
	slots := make(chan struct{}, maxDetails)
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		reading.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r, err := s.record(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
				stop() // the others would fail for the same reason
			}
			records[id] = r
		})
	}
	reading.Wait()
	return records, failed
}

func (s *server) record(ctx context.Context, id string) (osv.Record, error) {
	page, err := s.client.Page(ctx, s.base.JoinPath(recordPrefix, id).String(), "application/json", maxRecord)
	if err != nil {
		return osv.Record{}, s.explain(ctx, err)
	}
	r, err := osv.Parse(page.Body)
	if err != nil || r.ID != id {
		return osv.Record{}, s.invalid("no record of " + id)
	}
	return r, nil
}

// invalid returns the problem of an answer that is not one of an OSV server.
func (s *server) invalid(found string) error {
	return &diag.Problem{
		Code: "audit.answer", Summary: "the server " + s.base.Host + " answers, but not as OSV does", Found: found,
		Hint: "correct RECONCILE_OSV_URL, or " + s.offline(),
	}
}

// explain returns the problem of a request that failed.
func (s *server) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	p := &diag.Problem{
		Code: "audit.network", Summary: "the vulnerabilities could not be fetched from " + s.base.Host, Found: s.redact(err.Error()),
		Hint: "check the network, and RECONCILE_PROXY and RECONCILE_CERT if this network needs them; or " + s.offline(),
	}
	if refused, ok := errors.AsType[*download.StatusError](err); ok && strings.HasPrefix(refused.Status(), "4") {
		p.Hint = "correct RECONCILE_OSV_URL, or " + s.offline()
	}
	return p
}

func (s *server) offline() string {
	return "use a database on this machine: `" + s.again("audit", "--database", "all.zip") + "`; " + getDatabase
}
