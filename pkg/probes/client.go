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

// Client returns a client for downloads of our own that uses the CA and the
// proxy of this machine, and nothing of the inherited environment. It waits a
// minute for an answer to begin; how long a body may take is the caller's.
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
				Hint: fmt.Sprintf("correct it where it is set (%v)", s.Sources),
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

// A transport reads its bundle of certificates when it is first used: that of all
// public authorities takes 3 ms, and most runs download nothing themselves.
type transport struct {
	http.Transport
	bundle []byte // PEM; nil for the system's
	once   sync.Once
}

// RoundTrip does one request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.once.Do(func() {
		if t.bundle != nil {
			t.TLSClientConfig.RootCAs = x509.NewCertPool()
			t.TLSClientConfig.RootCAs.AppendCertsFromPEM(t.bundle)
		}
	})
	return t.Transport.RoundTrip(r)
}

// readCert reads a bundle in PEM that holds at least one certificate.
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
	return nil, fmt.Errorf("%s holds no certificate", name)
}
