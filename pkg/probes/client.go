package probes

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// maxCert is the largest file of CA certificates in bytes. That of a system has less than one
// MiB.
const maxCert = 16 << 20

// Client returns an HTTP client that uses the CA file and the proxy of these settings and
// ignores the inherited environment. It waits a minute for the response header; the caller
// limits the time for the body.
func (s IndexSettings) Client() (*http.Client, error) {
	transport := &http.Transport{
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   4,
	}
	if s.Cert != "" {
		roots := x509.NewCertPool()
		b, err := rawfile.ReadFile(s.Cert, maxCert, 0)
		if err == nil && !roots.AppendCertsFromPEM(b) {
			err = fmt.Errorf("%s contains no certificate", s.Cert)
		}
		if err != nil {
			return nil, &diag.Problem{
				Code: "index.cert", Summary: "the CA file for downloads cannot be used", Found: err.Error(),
				Hint: "correct the setting of the CA: RECONCILE_CERT, or pip's cert",
			}
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	if s.Proxy != "" {
		proxy, err := url.Parse(s.Proxy)
		if err != nil {
			return nil, &diag.Problem{Code: "index.setting", Summary: "the proxy is not a URL"}
		}
		transport.Proxy = func(r *http.Request) (*url.URL, error) {
			if isLoopback(r.URL.Hostname()) {
				return nil, nil
			}
			return proxy, nil
		}
		transport.OnProxyConnectResponse = download.CheckProxy
	}
	return &http.Client{Transport: transport}, nil
}
