package probes

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Client returns an HTTP client that uses the CA file and the proxy of these settings and
// ignores the inherited environment. It waits a minute for the response header; the caller
// limits the time for the body.
func (s IndexSettings) Client() (*http.Client, error) {
	transport := &transport{Transport: http.Transport{
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   4,
	}}
	if s.Cert != "" {
		var err error
		if transport.bundle, err = readCert(s.Cert); err != nil {
			return nil, &diag.Problem{
				Code: "index.cert", Summary: "the CA file for downloads cannot be used", Found: err.Error(),
				Hint: fmt.Sprintf("correct the setting (%v)", s.Sources),
			}
		}
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

// A transport parses its certificates when it is first used, since the full public bundle
// takes 3 ms and most runs download nothing.
type transport struct {
	http.Transport
	bundle []byte // PEM; nil for those of the system
	once   sync.Once
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.once.Do(func() {
		if t.bundle != nil {
			t.TLSClientConfig.RootCAs = x509.NewCertPool()
			t.TLSClientConfig.RootCAs.AppendCertsFromPEM(t.bundle)
		}
	})
	return t.Transport.RoundTrip(r)
}

// readCert reads a PEM file that contains at least one certificate.
func readCert(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			continue // as AppendCertsFromPEM does
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%s contains no certificate", name)
}
