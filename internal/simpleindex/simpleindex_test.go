package simpleindex

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

const (
	file   = "Tiny_Pkg-1.0-py3-none-any.whl"
	stall  = 600 * time.Millisecond // so that the first pause is 10 ms
	secret = `hunter2/"ü\`
)

var content = bytes.Repeat([]byte("0123456789abcdef"), 100_000)

// tiny returns the wheel of content.
func tiny() lock.Wheel {
	return lock.Wheel{File: file, Size: int64(len(content)), SHA256: sha256.Sum256(content)}
}

// A server is an index whose handlers a test replaces, with the requests that it got.
type server struct {
	*httptest.Server
	page, file http.HandlerFunc

	mu       sync.Mutex
	requests []*http.Request
}

func newServer(t *testing.T) *server {
	s := &server{file: func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(content))
	}}
	s.page = htmlPage(fmt.Sprintf("<a href='../../files/%s#sha256=%x'>x</a>", file, sha256.Sum256(content)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/files/") {
			s.file(w, r)
			return
		}
		s.page(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// count returns how many requests begin with a path.
func (s *server) count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if strings.HasPrefix(r.URL.Path, prefix) {
			n++
		}
	}
	return n
}

// withUser returns the index URL with credentials.
func (s *server) withUser() string {
	return strings.Replace(s.URL, "://", "://ada:"+url.QueryEscape(secret)+"@", 1) + "/simple"
}

func respond(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, body)
	}
}

func htmlPage(body string) http.HandlerFunc { return respond("text/html; charset=utf-8", body) }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		password := r.Header.Get("Authorization")
		http.Error(w, password, code)
	}
}

// fetchFrom fetches the wheel into a new folder and returns the file's name.
func fetchFrom(t *testing.T, s Settings) (string, error) {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "wheel")
	s.Stall = cmp.Or(s.Stall, stall)
	source, err := New(s)
	check(t, err)
	return dst, source.Fetch(t.Context(), "tiny.PKG", tiny(), dst, nil)
}

// wantFile fails unless dst has the content, and nothing else is in its folder.
func wantFile(t *testing.T, dst string) {
	t.Helper()
	b, err := os.ReadFile(dst)
	check(t, err)
	if !bytes.Equal(b, content) {
		t.Errorf("%s has %d bytes of wrong content", dst, len(b))
	}
	if entries, _ := os.ReadDir(filepath.Dir(dst)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// wantProblem fails unless err is a problem with the code that contains all texts, and no
// secret. The wheel must not exist.
func wantProblem(t *testing.T, dst string, err error, code string, texts ...string) {
	t.Helper()
	p, ok := errors.AsType[*diag.Problem](err)
	if !ok || p.Code != code || p.Hint == "" || p.Summary == "" {
		t.Fatalf("got %v, want %s with a hint", err, code)
	}
	for _, text := range texts {
		if !strings.Contains(p.Summary+"\n"+p.Found+"\n"+p.Hint, text) {
			t.Errorf("%q is not in\n%v", text, p)
		}
	}
	checkNoSecret(t, err.Error())
	if _, err := os.Lstat(dst); err == nil {
		t.Error("the wheel exists")
	}
}

func checkNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{secret, "hunter2", url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte("ada:" + secret))} {
		if strings.Contains(text, s) {
			t.Errorf("a secret is in\n%s", text)
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFetchReadsHTMLAndJSON(t *testing.T) {
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	escaped := strings.ReplaceAll(file, "_", "%5F")
	jsonPage := func(u string) string {
		b, err := json.Marshal(map[string]any{
			"meta": map[string]string{"api-version": "1.1"}, "name": "tiny-pkg",
			"files": []any{map[string]any{"filename": file, "url": u, "hashes": map[string]string{"sha256": digest}, "yanked": "bad", "size": 1}},
		})
		check(t, err)
		return string(b)
	}
	for name, page := range map[string]func(base string) http.HandlerFunc{
		"relative": func(string) http.HandlerFunc {
			return htmlPage("<!DOCTYPE html><A class=x HREF=\"../../files/" + file + "#sha256=" + digest + "\" data-yanked>" + file + "</A>")
		},
		"absolute": func(base string) http.HandlerFunc {
			return htmlPage("<a href='" + base + "/files/" + file + "'>x")
		},
		"escaped, with query": func(string) http.HandlerFunc { return htmlPage("<a href='/files/" + escaped + "?a=1&amp;b=2'>") },
		"base":                func(base string) http.HandlerFunc { return htmlPage("<base href=/files/><a href=" + file + ">") },
		"no host": func(base string) http.HandlerFunc {
			return htmlPage("<a href=" + strings.TrimPrefix(base, "http:") + "/files/" + file + ">")
		},
		"JSON": func(string) http.HandlerFunc {
			return respond("application/vnd.pypi.simple.v1+json", jsonPage("../../files/"+file))
		},
		"JSON, absolute": func(base string) http.HandlerFunc {
			return respond("application/vnd.pypi.simple.v1+json; charset=utf-8", jsonPage(base+"/files/"+file))
		},
		"redirect": func(base string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/simple/") {
					http.Redirect(w, r, "/a/b/c/d/", http.StatusMovedPermanently)
					return
				}
				htmlPage("<a href=../../../../files/"+file+">")(w, r)
			}
		},
	} {
		for _, slash := range []string{"", "/"} {
			s := newServer(t)
			s.page = page(s.URL)
			dst, err := fetchFrom(t, Settings{URL: s.URL + "/simple" + slash})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			wantFile(t, dst)
			if got := s.requests[0]; got.URL.Path != "/simple/tiny-pkg/" || !strings.HasPrefix(got.Header.Get("Accept"), "application/vnd.pypi.simple.v1+json, ") {
				t.Errorf("%s: requested %s as %s", name, got.URL.Path, got.Header.Get("Accept"))
			}
		}
	}
}

func TestCredentialsReachTheirOriginOnly(t *testing.T) {
	s, other := newServer(t), newServer(t)
	login := func(r *http.Request) string {
		user, password, _ := r.BasicAuth()
		return user + ":" + password
	}
	page := s.page
	s.page = func(w http.ResponseWriter, r *http.Request) {
		if login(r) != "ada:"+secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		page(w, r)
	}
	dst, err := fetchFrom(t, Settings{URL: s.withUser() + "?token=hunter2"})
	check(t, err)
	wantFile(t, dst)
	if got := login(s.requests[1]); got != "ada:"+secret {
		t.Errorf("the file was requested by %q", got)
	}

	// The other server has another port of the same host, for which net/http alone keeps the
	// header.
	for name, page := range map[string]http.HandlerFunc{
		"link": htmlPage("<a href='" + strings.Replace(other.URL, "://", "://eve:eve@", 1) + "/files/" + file + "'>"),
		"redirect of the page": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/simple/tiny-pkg/", http.StatusFound)
		},
		"redirect of the file": htmlPage("<a href='/files/" + file + "'>"),
	} {
		s.page = page
		s.file = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/files/x", http.StatusTemporaryRedirect)
		}
		other.requests = nil
		dst, err := fetchFrom(t, Settings{URL: s.withUser() + "?token=hunter2"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantFile(t, dst)
		if len(other.requests) == 0 {
			t.Errorf("%s: the other server got no request", name)
		}
		for _, r := range other.requests {
			if r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" || r.URL.RawQuery != "" {
				t.Errorf("%s: the other server got %v?%s", name, r.Header, r.URL.RawQuery)
			}
		}
	}
}

func TestRefusedLinks(t *testing.T) {
	victim := filepath.Join(t.TempDir(), file)
	check(t, os.WriteFile(victim, content, 0o600))
	s := newServer(t)
	for page, want := range map[string]string{
		"<a href='file://" + victim + "'>":                           "file",
		"<base href='file:///'><a href='" + victim + "'>":            "file",
		"<a href='http://192.0.2.1/" + file + "'>":                   "only https",
		"<a href='ftp://127.0.0.1/" + file + "'>":                    "only https",
		"<a href='http://127.0.0.1:99999999999999999/" + file + "'>": "",
		"<a href='http://[::1/" + file + "'>":                        "invalid link",
	} {
		s.page = htmlPage(page)
		dst, err := fetchFrom(t, Settings{URL: s.withUser()})
		wantProblem(t, dst, err, "apply.index", want)
	}
}

func TestProblems(t *testing.T) {
	loginPage := htmlPage("<html><title>Sign in</title><form><input name=p type=Password></form><a href=/forgot>Forgot?</a>" + secret)
	for name, c := range map[string]struct {
		page, file http.HandlerFunc
		code       string
		texts      []string
	}{
		"401":                    {status(401), nil, "index.credentials", []string{"HOST refused", "401 Unauthorized", "check the credentials"}},
		"403 of the file":        {nil, status(403), "index.credentials", []string{"HOST refused", "403 Forbidden"}},
		"407":                    {status(407), nil, "index.credentials", []string{"proxy", "407"}},
		"404":                    {status(404), nil, "index.absent", []string{"tiny-pkg is not in the index HOST"}},
		"404 of the file":        {nil, status(404), "index.absent", []string{"the index HOST has tiny-pkg but not " + file}},
		"429":                    {status(429), nil, "apply.index", []string{"429 Too Many Requests"}},
		"500":                    {status(500), nil, "apply.index", []string{"500 Internal Server Error", "HOST"}},
		"500 of the file":        {nil, status(500), "apply.index", []string{"500 Internal Server Error"}},
		"418":                    {status(418), nil, "apply.index", []string{"418"}},
		"login page":             {loginPage, nil, "index.not-an-index", []string{"HOST answers, but not as a package index", "a login page of HOST"}},
		"other page":             {htmlPage("<h1>Hello</h1>"), nil, "index.not-an-index", []string{"a page of type text/html without files"}},
		"other JSON":             {respond("application/json", `{"error": "`+"hunter2"+`"}`), nil, "index.not-an-index", []string{"application/json"}},
		"JSON of a later format": {respond("application/json", `{"meta": {"api-version": "2.0"}, "files": []}`), nil, "index.not-an-index", nil},
		"strange type":           {respond("x\u202e/"+secret, ""), nil, "index.not-an-index", nil},
		"not listed":             {htmlPage("<a href=tiny_pkg-1.0.tar.gz>"), nil, "index.absent", []string{"the index HOST has tiny-pkg but not " + file, "reconcile lock"}},
		"empty":                  {htmlPage("<title>Links for tiny-pkg</title>"), nil, "index.absent", []string{"has tiny-pkg but not"}},
		"other digest":           {htmlPage("<a href=/files/" + file + "#sha256=" + strings.Repeat("0", 64) + ">"), nil, "apply.hash", []string{file + " of the index HOST differs", "sha256 is 0000"}},
		"wrong content":          {nil, respond("", string(make([]byte, len(content)))), "apply.hash", []string{file + " of the index HOST", "the sha256 is", "reconcile facts"}},
		"too long": {nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1600001")
			_, _ = w.Write(append(bytes.Clone(content), 'x'))
		}, "apply.hash", []string{"the size is 1600001 bytes, not 1600000"}},
		"too short": {nil, respond("", "x"), "apply.hash", []string{"the size is 1 bytes"}},
		"endless": {nil, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(content); err != nil {
					return
				}
			}
		}, "apply.hash", []string{"the size is more than"}},
		"silent page": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, "apply.index", []string{"HOST could not be reached", "no data for 600ms"}},
		"silent file": {nil, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(content[:5000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "apply.index", []string{"no data for 600ms"}},
		"no HTTP": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "220 %s %s\r\n", secret, r.Header.Get("Authorization"))
				conn.Close()
			}
		}, nil, "apply.index", []string{"could not be reached"}},
		"header with a secret": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", secret)
				conn.Close()
			}
		}, nil, "apply.index", []string{"malformed header"}},
		"redirect with a secret": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://["+secret+r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusFound)
		}, nil, "apply.index", nil},
		"redirect without end": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/simple/tiny-pkg/", http.StatusFound)
		}, nil, "apply.index", []string{"too many redirects"}},
		"redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, nil, "apply.index", []string{"redirect to a file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			if c.page != nil {
				s.page = c.page
			}
			if c.file != nil {
				s.file = c.file
			}
			dst, err := fetchFrom(t, Settings{URL: s.withUser()})
			for i, text := range c.texts {
				c.texts[i] = strings.ReplaceAll(text, "HOST", s.Listener.Addr().String())
			}
			wantProblem(t, dst, err, c.code, c.texts...)
			t.Log(err)
		})
	}
}

func TestProblemsOfTheConnection(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	dst, err := fetchFrom(t, Settings{URL: strings.Replace(closed.URL, "://", "://ada:hunter2@", 1)})
	wantProblem(t, dst, err, "apply.index", "connection refused", "RECONCILE_PROXY")
	dst, err = fetchFrom(t, Settings{URL: "https://ada:hunter2@index.invalid/simple"})
	wantProblem(t, dst, err, "apply.index", "the index index.invalid could not be reached")
	dst, err = fetchFrom(t, Settings{URL: "http://ada:hunter2@192.0.2.1/simple"})
	wantProblem(t, dst, err, "apply.index", "only https")
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = nil
	dst, err = fetchFrom(t, Settings{URL: server.URL})
	wantProblem(t, dst, err, "apply.index", "TLS connection to "+server.Listener.Addr().String(), "certificate", "RECONCILE_CERT")
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "hunter2", http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	address, err := url.Parse(strings.Replace(proxy.URL, "://", "://ada:hunter2@", 1))
	check(t, err)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(address), OnProxyConnectResponse: download.CheckProxy}}
	dst, err = fetchFrom(t, Settings{URL: "https://index.invalid/simple", Client: client})
	wantProblem(t, dst, err, "index.credentials", "the proxy refused", "407", "RECONCILE_PROXY")
}

func TestTransientFailuresAreRetried(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter){
		"503": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"429": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"reset": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			twice := func(next http.HandlerFunc) http.HandlerFunc {
				var n atomic.Int32
				return func(w http.ResponseWriter, r *http.Request) {
					if n.Add(1) == 1 {
						fail(w)
						return
					}
					next(w, r)
				}
			}
			s.page, s.file = twice(s.page), twice(s.file)
			began := time.Now()
			dst, err := fetchFrom(t, Settings{URL: s.URL + "/simple"})
			check(t, err)
			wantFile(t, dst)
			if name == "429" && time.Since(began) < 2*time.Second {
				t.Error("Retry-After was ignored")
			}
		})
	}
	s := newServer(t)
	s.page = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	dst, err := fetchFrom(t, Settings{URL: s.URL})
	wantProblem(t, dst, err, "apply.index", "429", "2h0m0s")
	for code, want := range map[int]int{403: 1, 404: 1, 500: 3} {
		s := newServer(t)
		s.page = status(code)
		_, err := fetchFrom(t, Settings{URL: s.URL})
		if got := s.count("/"); err == nil || got != want {
			t.Errorf("%d: %d requests, want %d", code, got, want)
		}
	}
}

// cut sends n bytes of the rest of the content and closes the connection.
func cut(n int, ranges bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if ranges {
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(content[from:min(len(content), from+n)])
		if from+n < len(content) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

func TestCutDownloadIsResumed(t *testing.T) {
	s := newServer(t)
	s.file = cut(len(content)/2, true)
	dst, err := fetchFrom(t, Settings{URL: s.URL + "/simple"})
	check(t, err)
	wantFile(t, dst)
	if last := s.requests[len(s.requests)-1].Header.Get("Range"); last != fmt.Sprintf("bytes=%d-", len(content)/2) {
		t.Errorf("the last request has the range %q", last)
	}

	s = newServer(t)
	s.file = cut(len(content)/2, false)
	dst, err = fetchFrom(t, Settings{URL: s.URL + "/simple"})
	wantProblem(t, dst, err, "apply.index", "unexpected EOF")
	if n := s.count("/files/"); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestPartialFileIsResumedByTheNextCall(t *testing.T) {
	for name, c := range map[string]struct {
		partial []byte
		file    http.HandlerFunc
	}{
		"good":     {content[:1000], nil},
		"complete": {content, nil},
		"other":    {bytes.Repeat([]byte("x"), 1000), nil},
		"too long": {append(bytes.Clone(content), 'x'), nil},
		"wrong":    {make([]byte, len(content)), nil},
		"no Range": {content[:1000], respond("", string(content))},
		"other range": {content[:1000], func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				r.Header.Set("Range", "bytes=5-")
			}
			http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(content))
		}},
		"range refused": {content[:1000], func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			_, _ = w.Write(content)
		}},
	} {
		s := newServer(t)
		if c.file != nil {
			s.file = c.file
		}
		dst := filepath.Join(t.TempDir(), "wheel")
		check(t, os.WriteFile(dst+partialSuffix, c.partial, 0o600))
		source, err := New(Settings{URL: s.URL + "/simple", Stall: stall})
		check(t, err)
		var last int64
		if err := source.Fetch(t.Context(), "tiny-pkg", tiny(), dst, func(n int64) { last = n }); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantFile(t, dst)
		if name != "complete" && last != int64(len(content)) {
			t.Errorf("%s: progress ends at %d", name, last)
		}
		requested := s.requests[len(s.requests)-1].Header.Get("Range")
		if (name == "good") != (requested == "bytes=1000-") && name != "no Range" {
			t.Errorf("%s: the last request has the range %q", name, requested)
		}
		if n := s.count("/files/"); name == "complete" && n != 0 {
			t.Errorf("a complete file was requested %d times", n)
		}
	}
}

func TestUnknownSize(t *testing.T) {
	s := newServer(t)
	source, err := New(Settings{URL: s.URL + "/simple", Stall: stall})
	check(t, err)
	dst := filepath.Join(t.TempDir(), "wheel")
	w := tiny()
	w.Size = 0
	check(t, source.Fetch(t.Context(), "tiny-pkg", w, dst, nil))
	wantFile(t, dst)
}

func TestInterruptedFetchKeepsThePart(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.file = func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(content[:5000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	source, err := New(Settings{URL: s.URL + "/simple"})
	check(t, err)
	dst := filepath.Join(t.TempDir(), "wheel")
	err = source.Fetch(ctx, "tiny-pkg", tiny(), dst, func(n int64) {
		if n == 5000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(dst + partialSuffix); err != nil || !bytes.Equal(b, content[:5000]) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestConcurrentFetchesDownloadOnce(t *testing.T) {
	s := newServer(t)
	source, err := New(Settings{URL: s.URL + "/simple", Stall: stall})
	check(t, err)
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			dst := filepath.Join(dir, fmt.Sprint(i%2))
			if err := source.Fetch(t.Context(), "Tiny.Pkg", tiny(), dst, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range 2 {
		if b, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i))); err != nil || !bytes.Equal(b, content) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
	if n := s.count("/simple/"); n != 1 {
		t.Errorf("the page was requested %d times", n)
	}
}

func TestLargePageIsRefused(t *testing.T) {
	s := newServer(t)
	s.page = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for r.Context().Err() == nil {
			if _, err := w.Write(content); err != nil {
				return
			}
		}
	}
	dst, err := fetchFrom(t, Settings{URL: s.URL, Stall: time.Minute}) // a loaded machine may pause
	wantProblem(t, dst, err, "index.not-an-index", "a page whose size is more than")
}

// writeIndex writes a PEP 503 index and returns its folder.
func writeIndex(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "my index #1")
	check(t, os.MkdirAll(filepath.Join(dir, "simple/tiny-pkg"), 0o700))
	check(t, os.Mkdir(filepath.Join(dir, "files"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "files", file), content, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "simple/tiny-pkg/index.html"), []byte("<a href=../../files/"+file+">"), 0o600))
	return dir
}

func fileURL(name string) string { return (&url.URL{Scheme: "file", Path: name}).String() }

func TestIndexInFolder(t *testing.T) {
	dir := writeIndex(t)
	dst, err := fetchFrom(t, Settings{URL: fileURL(dir + "/simple")})
	check(t, err)
	wantFile(t, dst)
	dst, err = fetchFrom(t, Settings{URL: fileURL(dir + "/other")})
	wantProblem(t, dst, err, "index.absent", "tiny-pkg is not in "+dir+"/other")
	check(t, os.WriteFile(filepath.Join(dir, "files", file), content[1:], 0o600))
	dst, err = fetchFrom(t, Settings{URL: fileURL(dir + "/simple")})
	wantProblem(t, dst, err, "apply.hash", "1599999 bytes, not 1600000")
	check(t, os.Remove(filepath.Join(dir, "files", file)))
	check(t, unix.Mkfifo(filepath.Join(dir, "files", file), 0o600))
	dst, err = fetchFrom(t, Settings{URL: fileURL(dir + "/simple")})
	wantProblem(t, dst, err, "apply.index", "not a regular file")
}

func TestFindLinks(t *testing.T) {
	dir := writeIndex(t)
	s, offline := newServer(t), newServer(t)
	offline.page = status(503)
	page := filepath.Join(dir, "links.html")
	check(t, os.WriteFile(page, []byte("<a href='files/"+file+"'>"), 0o600))
	bad := t.TempDir()
	check(t, os.WriteFile(filepath.Join(bad, file), []byte("other"), 0o600))
	empty := t.TempDir()
	for name, c := range map[string]struct {
		settings Settings
		requests int // of s
	}{
		"folder before the index": {Settings{URL: s.URL, FindLinks: []string{"/nonexistent", empty, filepath.Join(dir, "files")}}, 0},
		"file URL of a folder":    {Settings{NoIndex: true, FindLinks: []string{fileURL(filepath.Join(dir, "files"))}}, 0},
		"local page":              {Settings{NoIndex: true, FindLinks: []string{page}}, 0},
		"local before remote":     {Settings{URL: s.URL, FindLinks: []string{s.URL + "/simple/x/", page}}, 0},
		"page on a server":        {Settings{NoIndex: true, FindLinks: []string{s.URL + "/simple/x/"}}, 2},
		"other content":           {Settings{URL: s.URL + "/simple", FindLinks: []string{bad}}, 2},
		"page without answer":     {Settings{URL: s.URL + "/simple", FindLinks: []string{offline.URL + "/links.html"}}, 2},
	} {
		s.requests = nil
		dst, err := fetchFrom(t, c.settings)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantFile(t, dst)
		if n := s.count("/"); n != c.requests {
			t.Errorf("%s: %d requests, want %d", name, n, c.requests)
		}
	}
	dst, err := fetchFrom(t, Settings{NoIndex: true, FindLinks: []string{"/nonexistent", empty}})
	wantProblem(t, dst, err, "index.absent", "no wheel folder has "+file, "/nonexistent", empty)
	dst, err = fetchFrom(t, Settings{NoIndex: true, FindLinks: []string{bad}})
	wantProblem(t, dst, err, "apply.hash", bad)
	s.page = status(404)
	dst, err = fetchFrom(t, Settings{URL: s.withUser(), FindLinks: []string{empty, bad, offline.URL + "/?token=hunter2"}})
	wantProblem(t, dst, err, "apply.hash", bad, empty, "503 Service Unavailable")
}

func TestErrorsOfTheTargetAreReturned(t *testing.T) {
	s := newServer(t)
	source, err := New(Settings{URL: s.URL + "/simple"})
	check(t, err)
	err = source.Fetch(t.Context(), "tiny-pkg", tiny(), filepath.Join(t.TempDir(), "none/wheel"), nil)
	if !errors.Is(err, unix.ENOENT) || len(s.requests) > 0 {
		t.Errorf("got %v after %d requests", err, len(s.requests))
	}
	dst := filepath.Join(t.TempDir(), "wheel")
	check(t, os.Symlink("/etc/passwd", dst+partialSuffix))
	if err := source.Fetch(t.Context(), "tiny-pkg", tiny(), dst, nil); !errors.Is(err, unix.ELOOP) {
		t.Errorf("got %v for a link", err)
	}
	for _, w := range []lock.Wheel{{File: "../x-1-py3-none-any.whl", SHA256: facts.SHA256{1}}, {File: file}} {
		if err := source.Fetch(t.Context(), "tiny-pkg", w, dst, nil); err == nil {
			t.Errorf("%+v was fetched", w)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add("text/html", "<base href=/a/><title>Links for x</title><meta name='pypi:repository-version' content=1.0><a href='../x-1-py3-none-any.whl#sha256="+strings.Repeat("a", 64)+"'>")
	f.Add("text/html", "<!--<a href=x-1-py3-none-any.whl>--><script>'<a href=x-1-py3-none-any.whl>'</script><a href=%zz/x-1-py3-none-any.whl href=2><input type=password>")
	f.Add("application/json", `{"meta":{"api-version":"1.0"},"files":[{"filename":"x-1-py3-none-any.whl","url":"file:///etc/x","hashes":{"sha256":"00"}}]}`)
	f.Add("application/vnd.pypi.simple.v1+json; charset", `{"meta":{"api-version":"1"},"files":{}}`)
	f.Add("\x00;", "")
	source, err := New(Settings{URL: "https://ada:hunter2@index.example/simple"})
	check(f, err)
	f.Fuzz(func(t *testing.T, kind, body string) {
		base := &url.URL{Scheme: "https", Host: "index.example", Path: "/simple/x/"}
		list := parse(&download.Page{URL: base, Type: kind, Body: []byte(body)})
		for name, links := range list.files {
			if !strings.HasSuffix(name, ".whl") || strings.Contains(name, "/") && strings.HasSuffix(kind, "html") && !strings.Contains(strings.ToLower(body), "%2f") {
				t.Errorf("file %q", name)
			}
			for _, l := range links {
				u, err := source.resolve(list, l)
				if err != nil {
					continue
				}
				if u.User != nil && (u.Scheme != "https" || !strings.EqualFold(u.Hostname(), "index.example")) || u.Scheme == "file" {
					t.Errorf("%q leads to %q", l.href, u)
				}
			}
		}
		if _ = list.describe(); !list.isIndex && len(list.files) > 0 {
			t.Error("a page with files is not one of an index")
		}
	})
}

// TestSourceArchives fetches an archive from a page, and from an address without an index.
func TestSourceArchives(t *testing.T) {
	s := newServer(t)
	const archive = "tiny_pkg-1.0.tar.gz"
	s.page = htmlPage(fmt.Sprintf("<a href='../../files/%s#sha256=%x'>x</a>", archive, sha256.Sum256(content)))
	source, err := New(Settings{URL: s.URL + "/simple", Stall: stall})
	if err != nil {
		t.Fatal(err)
	}
	want := lock.Wheel{File: archive, Size: int64(len(content)), SHA256: sha256.Sum256(content)}
	address := s.URL + "/files/" + archive
	for name, get := range map[string]func(dst string) error{
		"page":            func(dst string) error { return source.Fetch(t.Context(), "tiny-pkg", want, dst, nil) },
		"address":         func(dst string) error { return source.FetchURL(t.Context(), address+"#sha256=x", want, dst, nil) },
		"unknown address": func(dst string) error { return source.FetchUnknown(t.Context(), address, archive, dst) },
	} {
		dst := filepath.Join(t.TempDir(), "archive")
		if err := get(dst); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	dst := filepath.Join(t.TempDir(), "archive")
	if err := source.FetchURL(t.Context(), address, lock.Wheel{File: archive}, dst, nil); err == nil {
		t.Error("an address without a digest is fetched")
	}
	for _, address := range []string{"file:///etc/passwd", "http://example.org/x.tar.gz", "/x.tar.gz"} {
		if err := source.FetchURL(t.Context(), address, want, dst, nil); err == nil {
			t.Errorf("%s is fetched", address)
		}
	}
}
