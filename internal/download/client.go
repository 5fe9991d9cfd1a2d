// Package download gets pages and files over HTTPS and from local files. Every download has
// a maximum size and a maximum time between two bytes, transient failures are retried, and
// credentials reach only the server for which the settings have them.
package download

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	maxRedirects = 10
	maxAttempts  = 3 // without progress
	// maxRetryAfter is the longest pause that a server may request.
	maxRetryAfter = time.Minute
)

// A Client downloads. The zero value is ready to use.
//
// A URL with user and password sends them to its own origin (scheme, host and port), and to
// no other, whatever redirects follow.
type Client struct {
	HTTP *http.Client // nil for one without a proxy
	// Stall is the time without data after which an attempt fails; 0 for 30 s. A transient
	// failure is followed by a second attempt after 1/60 of that time, and by a third one after
	// twice that pause.
	Stall time.Duration
}

// A StatusError is a response with an unexpected status.
type StatusError struct {
	Code       int
	Host       string        // that responded
	RetryAfter time.Duration // 0 if the server has no wish
}

// Error does not contain the text of the server.
func (e *StatusError) Error() string { return "the server returned " + e.Status() }

// Status returns the code with its standard text, such as "404 Not Found".
func (e *StatusError) Status() string {
	return strings.TrimSpace(strconv.Itoa(e.Code) + " " + http.StatusText(e.Code))
}

// A ProxyError is the response of a proxy that does not connect to a server.
type ProxyError struct{ Code int }

// Error does not contain the text of the proxy.
func (e *ProxyError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy returned %d %s", e.Code, http.StatusText(e.Code)))
}

// CheckProxy is the OnProxyConnectResponse of a transport. It returns a *ProxyError unless the
// proxy connects.
func CheckProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &ProxyError{resp.StatusCode}
	}
	return nil
}

// A RefusedError is the reason for which a URL or a redirect is not followed.
type RefusedError string

func (e RefusedError) Error() string { return string(e) }

// A StallError is the time without data after which an attempt failed.
type StallError time.Duration

func (e StallError) Error() string { return fmt.Sprintf("no data for %s", time.Duration(e)) }

// A SizeError is a content with the wrong size.
type SizeError struct {
	Got  int64 // -1 if it is more than Want
	Want int64
}

func (e *SizeError) Error() string {
	if e.Got < 0 {
		return "the size is more than " + bytesize.Format(e.Want)
	}
	return fmt.Sprintf("the size is %d bytes, not %d", e.Got, e.Want)
}

// checkURL returns an error unless a URL is https, a local file, or http to this machine.
// The digest would reveal a file that was changed in transit, but an unencrypted request
// alone can disclose too much.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && strings.HasPrefix(u.Path, "/"):
		return nil
	}
	return RefusedError("only https, file, and http to this machine are allowed")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// SameOrigin reports whether two URLs have the same scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
}

// parse parses the URL of a download. The error does not contain it.
func parse(source string) (*url.URL, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, RefusedError("invalid URL")
	}
	return u, checkURL(u)
}

// client returns an http.Client that sends the credentials of source to its origin only.
func (c *Client) client(source *url.URL) *http.Client {
	var h http.Client
	if c.HTTP != nil {
		h = *c.HTTP
	} else {
		h.Transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: 15 * time.Second,
			ForceAttemptHTTP2:   true,
		}
	}
	h.Jar = nil
	h.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= maxRedirects:
			return RefusedError("too many redirects")
		case req.URL.Scheme == "file":
			return RefusedError("redirect to a file")
		case via[0].Method == http.MethodPost:
			return RefusedError("redirect of a query")
		}
		authorize(req, source)
		return checkURL(req.URL)
	}
	return &h
}

// authorize sets the credentials of source if req has the same origin, and removes others.
// net/http alone would keep them for subdomains and other ports.
func authorize(req *http.Request, source *url.URL) {
	req.URL.User = nil
	req.Header.Del("Authorization")
	req.Header.Del("Referer") // its query may contain a token
	if source.User != nil && SameOrigin(req.URL, source) {
		password, _ := source.User.Password()
		req.SetBasicAuth(source.User.Username(), password)
	}
}

func (c *Client) stall() time.Duration { return cmp.Or(c.Stall, 30*time.Second) }

// A SourceError is an error of a connection, or of reading a local file.
type SourceError struct{ Err error }

// Error does not contain the text of a server, which net/http quotes.
func (e SourceError) Error() string {
	if _, ok := errors.AsType[*fs.PathError](e.Err); ok || IsTLS(e.Err) {
		return e.Err.Error()
	}
	if _, ok := errors.AsType[textproto.ProtocolError](e.Err); ok {
		return "the response has a malformed header"
	}
	text, _, _ := strings.Cut(e.Err.Error(), `"`)
	return strings.TrimRight(text, " :=,(")
}

// Unwrap returns the cause.
func (e SourceError) Unwrap() error { return e.Err }

// attempt sends a GET request and passes the response to use, whose status is one of those
// allowed. The body fails with a StallError if no data arrives.
func (c *Client) attempt(ctx context.Context, source *url.URL, header http.Header, allowed []int, use func(*http.Response) error) error {
	return c.send(ctx, http.MethodGet, source, nil, header, allowed, use)
}

// send is attempt with any method and a body.
func (c *Client) send(ctx context.Context, method string, source *url.URL, body []byte, header http.Header, allowed []int, use func(*http.Response) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		if _, ok := errors.AsType[SourceError](err); ok && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, method, source.String(), bytes.NewReader(body))
	if err != nil {
		return RefusedError("invalid URL")
	}
	req.Header = header.Clone()
	authorize(req, source)
	stall := c.stall()
	timer := time.AfterFunc(stall, func() { cancel(StallError(stall)) })
	defer timer.Stop()
	resp, err := c.client(source).Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL, which may contain a password
		}
		return SourceError{err}
	}
	defer resp.Body.Close()
	for _, code := range allowed {
		if resp.StatusCode == code {
			resp.Body = &stallReader{resp.Body, timer, stall}
			return use(resp)
		}
	}
	return &StatusError{resp.StatusCode, resp.Request.URL.Host, retryAfter(resp.Header.Get("Retry-After"), time.Now())}
}

// retryAfter returns the pause of a Retry-After header, 0 if it has none.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// stallReader is a response body that resets the timer whenever data arrives.
type stallReader struct {
	io.ReadCloser
	timer *time.Timer
	after time.Duration
}

// Read resets the timer.
func (r *stallReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if n > 0 {
		r.timer.Reset(r.after)
	}
	return n, err
}

// openFile opens a regular file.
func openFile(name string) (*os.File, int64, error) {
	f, err := rawfile.OpenFile(name, 0)
	if refused, ok := errors.AsType[*rawfile.Error](err); ok {
		return nil, 0, SourceError{RefusedError(refused.Error())}
	}
	if err != nil {
		return nil, 0, SourceError{err}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, SourceError{errors.Join(err, f.Close())}
	}
	return f, info.Size(), nil
}
