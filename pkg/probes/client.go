package probes

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/reconcile-ml/reconcile/pkg/diag"
)

// Client returns a client for downloads of our own that uses the CA and the
// proxy of this machine, and nothing of the inherited environment. It waits a
// minute for an answer to begin; how long a body may take is the caller's.
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
		pool, err := readCert(s.Cert)
		if err != nil {
			return nil, &diag.Problem{
				Code: "index.cert", Summary: "the CA file for downloads cannot be used", Found: err.Error(),
				Hint: fmt.Sprintf("correct it where it is set (%v)", s.Sources),
			}
		}
		transport.TLSClientConfig.RootCAs = pool
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
	}
	return &http.Client{Transport: transport}, nil
}

// readCert reads a bundle of certificates in PEM.
func readCert(name string) (*x509.CertPool, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate", name)
	}
	return pool, nil
}
