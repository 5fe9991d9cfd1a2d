package download

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"time"
)

// retry calls attempt until it succeeds, fails in a way that another attempt would repeat, or
// fails too often without progress. progressed reports progress since its last call; nil
// never has any.
func (c *Client) retry(ctx context.Context, attempt func() error, progressed func() bool) error {
	pause := c.stall() / 60
	for failures := 1; ; failures++ {
		err := attempt()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if progressed != nil && progressed() {
			failures = 1
		}
		if failures >= maxAttempts || !transient(err) {
			return err
		}
		wait := pause << (failures - 1)
		if status, ok := errors.AsType[*StatusError](err); ok {
			if wait = max(wait, status.RetryAfter); status.RetryAfter > maxRetryAfter {
				return err
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// transient reports whether another attempt may succeed.
func transient(err error) bool {
	if status, ok := errors.AsType[*StatusError](err); ok {
		switch status.Code {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusRequestedRangeNotSatisfiable:
			return true
		}
		return status.Code >= 500 && status.Code != http.StatusNotImplemented
	}
	if proxy, ok := errors.AsType[*ProxyError](err); ok {
		return proxy.Code >= 500
	}
	if _, ok := errors.AsType[StallError](err); ok {
		return true
	}
	if _, ok := errors.AsType[RefusedError](err); ok || IsTLS(err) {
		return false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return false
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return false // of a local file
	}
	_, ok := errors.AsType[SourceError](err)
	return ok
}

// IsTLS reports whether err is that of a TLS handshake, such as an unknown authority.
func IsTLS(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return certificate || record || alert
}
