package download

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// A File is a file to download.
type File struct {
	URL    string            // https, file, or http to this machine
	Size   int64             // in bytes; 0 if unknown
	Max    int64             // the maximum size if Size is unknown
	SHA256 [sha256.Size]byte // of the content
	Any    bool              // accept any content: SHA256 has no effect
}

// A HashError is a content with the wrong SHA-256.
type HashError struct{ Got, Want [sha256.Size]byte }

func (e *HashError) Error() string { return fmt.Sprintf("the sha256 is %x, not %x", e.Got, e.Want) }

// progressBytes is how much more data than before a failed attempt must have brought, so that
// it does not count.
const progressBytes = 1 << 20

// To downloads to f and verifies size and SHA-256. If f has content, it is the beginning of
// the file from an earlier attempt, f must be readable, and the download is resumed if the
// server supports that. progress, which may be nil, receives the bytes that f has and will have, -1
// if unknown; the first number decreases if the download begins again.
//
// After a *SizeError or *HashError f is empty. After other errors it has what arrived. Errors
// of f are returned as they are.
func (c *Client) To(ctx context.Context, f *os.File, file File, progress func(done, total int64)) error {
	source, err := parse(file.URL)
	if err != nil {
		return err
	}
	t := &transfer{Client: c, f: f, h: sha256.New(), source: source, File: file, limit: cmp.Or(file.Size, file.Max), progress: progress}
	if err := t.takePartial(); err != nil {
		return err
	}
	err = t.run(ctx)
	if t.resumed && isContentError(err) {
		// The parts are of different files.
		if err := t.reset(); err != nil {
			return err
		}
		err = t.run(ctx)
	}
	if isContentError(err) {
		err = cmp.Or(t.reset(), err)
	}
	return err
}

func isContentError(err error) bool {
	_, isSize := errors.AsType[*SizeError](err)
	_, isHash := errors.AsType[*HashError](err)
	return isSize || isHash
}

// A transfer is one download.
type transfer struct {
	*Client
	File
	f        *os.File
	h        hash.Hash // of the n bytes
	n        int64     // bytes in f
	most     int64     // bytes in f after any attempt
	limit    int64
	source   *url.URL
	progress func(done, total int64)
	resumed  bool // the bytes come from more than one response
	whole    bool // the server's answers to Range are unusable
}

// takePartial hashes what f has.
func (t *transfer) takePartial() error {
	info, err := t.f.Stat()
	switch {
	case err != nil || info.Size() == 0:
		return err
	case info.Size() > t.limit || t.source.Scheme == "file":
		return t.reset()
	}
	t.n, err = io.Copy(t.h, io.NewSectionReader(t.f, 0, info.Size()))
	t.resumed, t.most = true, t.n
	return err
}

// reset empties f.
func (t *transfer) reset() error {
	t.h.Reset()
	t.n, t.resumed = 0, false
	return t.f.Truncate(0)
}

// run downloads and verifies the rest of the file.
func (t *transfer) run(ctx context.Context) error {
	if t.n == 0 || t.n != t.Size {
		get := t.get
		if t.source.Scheme == "file" {
			get = t.copyLocal
		}
		err := t.retry(ctx, func() error { return get(ctx) }, t.progressed)
		if err != nil {
			return err
		}
	}
	if t.Size > 0 && t.n != t.Size {
		return &SizeError{t.n, t.Size}
	}
	if got := [sha256.Size]byte(t.h.Sum(nil)); got != t.SHA256 && !t.Any {
		return &HashError{got, t.SHA256}
	}
	return nil
}

func (t *transfer) progressed() bool {
	if t.n < t.most+progressBytes {
		return false
	}
	t.most = t.n
	return true
}

// get sends one request for the rest of the file.
func (t *transfer) get(ctx context.Context) error {
	if t.whole && t.n > 0 {
		if err := t.reset(); err != nil {
			return err
		}
	}
	header := http.Header{"Accept-Encoding": {"identity"}} // the digest is of the stored bytes
	allowed := []int{http.StatusOK}
	if t.n > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", t.n))
		allowed = append(allowed, http.StatusPartialContent)
	}
	err := t.attempt(ctx, t.source, header, allowed, func(resp *http.Response) error {
		if resp.StatusCode == http.StatusPartialContent {
			if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", t.n)) {
				t.whole = true
				return SourceError{errors.New("the server returned another range than requested")}
			}
			t.resumed = true
		} else if t.n > 0 {
			if err := t.reset(); err != nil {
				return err
			}
		}
		return t.copy(ctx, resp.Body, resp.ContentLength)
	})
	if status, ok := errors.AsType[*StatusError](err); ok && status.Code == http.StatusRequestedRangeNotSatisfiable {
		t.whole = true
	}
	return err
}

// copyLocal copies the file of a file URL.
func (t *transfer) copyLocal(ctx context.Context) error {
	f, size, err := openFile(t.source.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.copy(ctx, f, size)
}

// copy appends body, which has length bytes, or an unknown number if that is -1.
func (t *transfer) copy(ctx context.Context, body io.Reader, length int64) error {
	total := int64(-1)
	if length >= 0 {
		total = t.n + length
	}
	switch {
	case total >= 0 && t.Size > 0 && total != t.Size:
		return &SizeError{total, t.Size}
	case total > t.limit:
		return &SizeError{-1, t.limit}
	}
	if t.Size > 0 {
		total = t.Size
	}
	buffer := make([]byte, 128<<10)
	for {
		n, err := body.Read(buffer)
		if t.n+int64(n) > t.limit {
			return &SizeError{-1, t.limit}
		}
		if n > 0 {
			if _, err := t.f.WriteAt(buffer[:n], t.n); err != nil {
				return err
			}
			t.h.Write(buffer[:n])
			t.n += int64(n)
			if t.progress != nil {
				t.progress(t.n, total)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return SourceError{err}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// A Page is a small file with its origin.
type Page struct {
	URL  *url.URL // after redirects, without credentials
	Type string   // the Content-Type header, "" for a local file
	Body []byte
}

// Page downloads a page of at most most bytes.
func (c *Client) Page(ctx context.Context, address, accept string, most int64) (*Page, error) {
	source, err := parse(address)
	if err != nil {
		return nil, err
	}
	if source.Scheme == "file" {
		f, _, err := openFile(source.Path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		body, err := readAll(f, most)
		if err != nil {
			return nil, err
		}
		return &Page{URL: source, Body: body}, nil
	}
	var page *Page
	err = c.retry(ctx, func() error {
		return c.attempt(ctx, source, http.Header{"Accept": {accept}}, []int{http.StatusOK}, func(resp *http.Response) error {
			body, err := readAll(resp.Body, most)
			page = &Page{resp.Request.URL, resp.Header.Get("Content-Type"), body}
			return err
		})
	}, nil)
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Post sends a query in JSON, and returns the response of at most most bytes. The query is sent again
// after a transient failure, so it must have no effect. Redirects are not followed.
func (c *Client) Post(ctx context.Context, address string, query []byte, most int64) ([]byte, error) {
	source, err := parse(address)
	if err != nil {
		return nil, err
	}
	var response []byte
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	err = c.retry(ctx, func() error {
		return c.send(ctx, http.MethodPost, source, query, header, []int{http.StatusOK}, func(resp *http.Response) (err error) {
			response, err = readAll(resp.Body, most)
			return err
		})
	}, nil)
	return response, err
}

// Range downloads the bytes of a file from an offset to another, which is not included. A server that
// does not support ranges is an error.
func (c *Client) Range(ctx context.Context, address string, from, to int64) ([]byte, error) {
	source, err := parse(address)
	if err != nil {
		return nil, err
	}
	var part []byte
	header := http.Header{"Accept-Encoding": {"identity"}, "Range": {fmt.Sprintf("bytes=%d-%d", from, to-1)}}
	err = c.retry(ctx, func() error {
		return c.attempt(ctx, source, header, []int{http.StatusPartialContent}, func(resp *http.Response) (err error) {
			if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/", from, to-1)) {
				return RefusedError("the server returned another range than requested")
			}
			part, err = readAll(resp.Body, to-from)
			if err == nil && int64(len(part)) != to-from {
				err = &SizeError{int64(len(part)), to - from}
			}
			return err
		})
	}, nil)
	return part, err
}

// readAll reads at most most bytes.
func readAll(r io.Reader, most int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, most+1))
	if err != nil {
		return nil, SourceError{err}
	}
	if n > most {
		return nil, &SizeError{-1, most}
	}
	return b.Bytes(), nil
}
