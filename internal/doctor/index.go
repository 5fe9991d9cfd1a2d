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
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
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
	switch {
	case settings.NoIndex:
		return skippedf("the settings disable the index; packages come only from folders of wheels")
	case settings.URL == "":
		return d.publicIndexReachable(settings)
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
	return request(d.ctx, client, settings.URL)
}

// publicIndexReachable lets pip, which has the address, send a request to the public index.
// It starts a pip of this machine only, never one in the project.
func (d *diagnosis) publicIndexReachable(settings probes.IndexSettings) findings {
	for _, minor := range resources.HelperVersions() {
		pythons, _ := facts.Find[facts.Pythons](d.facts, facts.PythonKey(minor))
		base, ok := pythons.Usable()
		if !ok || base.Source == "reconcile" {
			continue
		}
		program, args, ok := resources.PipCommand(base, "")
		if !ok {
			continue
		}
		// pip prints why a request failed only before it retries.
		result, err := command.Run(d.ctx, command.Command{
			Program: program, Env: append(resources.PipEnv(), settings.Environ()...), Timeout: 3 * indexTimeout, Redactor: d.prober.Redactor,
			Args: append(args, "index", "versions", "--disable-pip-version-check", "--no-input", "--no-color", "--timeout", "5", "--retries", "1", "pip"),
		})
		if err == nil {
			return okf("the public index responded to pip in %s", result.Elapsed.Round(time.Millisecond))
		}
		text := err.Error()
		if failed, ok := errors.AsType[*command.Error](err); ok {
			line, _ := indexerror.Unreachable(strings.Join(failed.Tail, "\n"))
			text = cmp.Or(line, strings.Join(indexerror.Message(failed.Tail), "\n"), text)
		}
		return failf(networkRemedy, "pip gets no response from the public index: %s", strings.TrimPrefix(text, "ERROR: "))
	}
	return skippedf("no Python on this machine has pip, which is needed to contact the public index")
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
