package simpleindex

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
)

const (
	urlVariable     = "RECONCILE_INDEX_URL"
	settingsHint    = "`reconcile facts` prints the settings, under \"index\""
	credentialsHint = "check the credentials: user and password of RECONCILE_INDEX_URL, or of pip's index-url"
	networkHint     = "check the network, or name a mirror in RECONCILE_INDEX_URL, and a proxy in RECONCILE_PROXY if this network needs one; " + settingsHint
)

// A notAnIndexError is a response that is not a page of an index.
type notAnIndexError struct{ host, page string }

func (e *notAnIndexError) Error() string { return e.page }

// explain returns the problem of the place that is being tried, or nil if err is not one of a
// source.
func (f *fetch) explain(err error) *diag.Problem {
	if status, ok := errors.AsType[*download.StatusError](err); ok {
		return f.explainStatus(status)
	}
	if page, ok := errors.AsType[*notAnIndexError](err); ok {
		return f.redact(&diag.Problem{
			Code: "index.not-an-index", Summary: f.at.name + " answers, but not as a package index",
			Found: strings.TrimSpace(page.page + " of " + page.host),
			Hint:  "check the address, which often ends in /simple/, and the credentials; " + settingsHint,
		})
	}
	if proxy, ok := errors.AsType[*download.ProxyError](err); ok {
		return f.redact(explainProxy(proxy.Code))
	}
	_, wrongSize := errors.AsType[*download.SizeError](err)
	if _, wrongHash := errors.AsType[*download.HashError](err); wrongHash || wrongSize {
		return f.redact(&diag.Problem{
			Code: "apply.hash", Summary: fmt.Sprintf("%s of %s differs from the lock, and was not installed", f.wheel.File, f.at.name),
			Found: err.Error(),
			Hint:  "the file was changed at its source or in transit: ask the operator of the index, or use another one; " + settingsHint,
		})
	}
	_, stalled := errors.AsType[download.StallError](err)
	_, refused := errors.AsType[download.RefusedError](err)
	_, failed := errors.AsType[download.SourceError](err)
	switch {
	case f.at.url.Scheme == "file" && failed:
		return f.redact(&diag.Problem{
			Code: "apply.index", Summary: f.at.name + " could not be read", Found: err.Error(),
			Hint: "make it readable, or correct the setting; " + settingsHint,
		})
	case download.IsTLS(err):
		return f.redact(&diag.Problem{
			Code: "apply.index", Summary: "the TLS connection to " + strings.TrimPrefix(f.at.name, "the index ") + " failed", Found: err.Error(),
			Hint: "if the index or a proxy uses its own CA, name its file in RECONCILE_CERT; " + settingsHint,
		})
	case refused:
		return f.redact(&diag.Problem{
			Code: "apply.index", Summary: fmt.Sprintf("%s could not be fetched from %s", f.wheel.File, f.at.name), Found: err.Error(),
			Hint: "correct the address of the index, or ask its operator; " + settingsHint,
		})
	case stalled, failed:
		return f.redact(&diag.Problem{Code: "apply.index", Summary: f.at.name + " could not be reached", Found: err.Error(), Hint: networkHint})
	}
	return nil
}

// explainStatus returns the problem of a response.
func (f *fetch) explainStatus(status *download.StatusError) *diag.Problem {
	name := f.at.name
	if status.Host != f.at.url.Host {
		name = "the server " + status.Host
	}
	switch {
	case status.Code == http.StatusProxyAuthRequired:
		return f.redact(explainProxy(status.Code))
	case status.Code == http.StatusUnauthorized, status.Code == http.StatusForbidden:
		p := &diag.Problem{Code: "index.credentials", Summary: name + " refused the request", Found: status.Status(), Hint: credentialsHint + "; " + settingsHint}
		if f.at.url.User == nil {
			p.Found += "; the settings have no user and password for it, and some servers refuse packages that they do not have"
		}
		return f.redact(p)
	}
	p := &diag.Problem{Code: "apply.index", Summary: name + " could not answer the request", Found: status.Status(), Hint: "try again later, or name a mirror in RECONCILE_INDEX_URL; " + settingsHint}
	if status.RetryAfter > 0 {
		p.Found += fmt.Sprintf("; the server asks for a pause of %s", status.RetryAfter)
	}
	return f.redact(p)
}

func explainProxy(code int) *diag.Problem {
	err := &download.ProxyError{Code: code}
	if code == http.StatusProxyAuthRequired {
		return &diag.Problem{
			Code: "index.credentials", Summary: "the proxy refused the request", Found: err.Error(),
			Hint: "check the credentials: user and password of RECONCILE_PROXY, or of pip's proxy; " + settingsHint,
		}
	}
	return &diag.Problem{Code: "apply.index", Summary: "the proxy did not connect to the index", Found: err.Error(), Hint: networkHint}
}

// problem returns the first problem of a source, with those of the others, or that no source
// has the file.
func (f *fetch) problem() error {
	if len(f.failed) > 0 {
		first := f.failed[0]
		for _, p := range f.failed[1:] {
			first.Found += "\n" + p.Summary + ": " + p.Found
		}
		if len(f.absent) > 0 {
			first.Found += "\n" + f.printable(f.wheel.File) + " is not in " + strings.Join(f.absent, ", ")
		}
		return first
	}
	p := &diag.Problem{Code: "index.absent", Hint: "name an index that has it in RECONCILE_INDEX_URL, or a folder with it in RECONCILE_FIND_LINKS; " + settingsHint}
	others := f.absent
	switch {
	case f.index == nil:
		p.Summary = "no wheel folder has " + f.wheel.File
		p.Found = cmp.Or(strings.Join(f.absent, "\n"), "no wheel folder is set, and the settings disable the index")
		return f.redact(p)
	case f.noProject:
		p.Summary = fmt.Sprintf("%s is not in %s", f.project, f.index.name)
		p.Hint = "it may come from a wheel folder that this machine does not name: " + p.Hint
	default:
		p.Summary = fmt.Sprintf("%s has %s but not %s", f.index.name, f.project, f.wheel.File)
		p.Hint = "run `reconcile lock` to lock files that it has, or " + p.Hint
	}
	if others = others[:len(others)-1]; len(others) > 0 {
		p.Found = "it is not in " + strings.Join(others, ", ") + " either"
	}
	return f.redact(p)
}

// redact removes secrets from a problem, and names the variable of the index in its hint.
func (s *Source) redact(p *diag.Problem) *diag.Problem {
	p.Summary, p.Found = s.printable(p.Summary), s.printable(p.Found)
	if s.name != "" {
		p.Hint = strings.ReplaceAll(p.Hint, credentialsHint, "check the credentials: user and password of "+urlVariable)
		p.Hint = strings.ReplaceAll(p.Hint, urlVariable, urlVariable+"_"+VariableName(s.name))
	}
	return p
}

// VariableName returns the name of an index as in the variable RECONCILE_INDEX_URL_NAME.
func VariableName(index string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(index))
}

// maxText is the maximum size of a text in a problem in bytes.
const maxText = 1000

// printable returns text without secrets and control characters, except line ends.
func (s *Source) printable(text string) string {
	text = s.redactor.String(text)
	lines := strings.Split(text[:min(len(text), maxText)], "\n")
	for i, line := range lines {
		lines[i] = command.Escape(line)
	}
	return strings.Join(lines, "\n")
}
