package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

const (
	// indexTimeout is how long an index may take to respond.
	indexTimeout = 5 * time.Second

	networkRemedy = "check network, proxy and CA; `reconcile facts` prints the settings under \"index\". Packages in the cache can be installed without a network"
	indexRemedy   = "correct the index setting"
)

// indexSettings reports where packages come from.
func (d *diagnosis) indexSettings() findings {
	if d.prober != nil {
		if _, err := d.prober.Index(); err != nil {
			return problemFinding(diag.Problems(err)[0])
		}
	}
	f, ok := facts.Find[facts.Index](d.facts, facts.IndexKey)
	if !ok {
		return d.notProbed(facts.IndexKey)
	}
	found := okf("%s", cmp.Or(session.IndexText(d.facts), "packages come from the "+f.URL+" index"))
	if d.prober != nil {
		if note := d.config.OldSettingsNote(d.root); note != "" {
			found = append(found, warnf("", "%s", note)...)
		}
	}
	return found
}

// indexReachable sends one request to the index, with the CA and the proxy that apply uses.
func (d *diagnosis) indexReachable() findings {
	if d.Offline {
		return skippedf("--offline")
	}
	settings, err := d.prober.Index()
	if err != nil {
		return skippedf("the settings are invalid")
	}
	for _, dir := range settings.FindLinks {
		if _, err := os.Stat(dir); err != nil && filepath.IsAbs(dir) {
			return failf("correct the find_links setting", "a folder of wheels is missing: %s", dir)
		}
	}
	if settings.NoIndex {
		return skippedf("the settings disable the index; packages come only from folders of wheels")
	}
	if u, err := url.Parse(settings.URL); err == nil && u.Scheme == "file" {
		if _, err := os.Stat(u.Path); err != nil {
			return failf(indexRemedy, "the index is a folder that does not exist: %s", u.Path)
		}
		return okf("the index is a folder, and it exists")
	}
	client, err := settings.Client()
	if err != nil {
		return problemFinding(diag.Problems(err)[0])
	}
	return request(d.ctx, client, cmp.Or(settings.URL, simpleindex.PublicIndex))
}

// request sends a HEAD request. Findings never contain the address, which may contain a
// password.
func request(ctx context.Context, client *http.Client, address string) findings {
	ctx, stop := context.WithTimeout(ctx, indexTimeout)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return failf(indexRemedy, "the address of the index is not a URL")
	}
	start := time.Now()
	response, err := client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no response in %s", indexTimeout)
		}
		return failf(networkRemedy, "%v", err)
	}
	_ = response.Body.Close()
	took := time.Since(start).Round(time.Millisecond)
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return failf("check the user and password in the index setting", "the index responded %s", response.Status)
	case code == http.StatusProxyAuthRequired:
		return failf("check the user and password in the proxy setting", "the proxy responded %s", response.Status)
	case code >= 500:
		return failf("ask the operator of the index, or try again later", "the index responded %s", response.Status)
	case code >= 400 && code != http.StatusMethodNotAllowed:
		return warnf("check the address; many indexes end in /simple/", "the index responded %s in %s", response.Status, took)
	}
	return okf("the index responded in %s", took)
}
