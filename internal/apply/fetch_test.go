package apply

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func header(name string, typ byte, size int, link string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: typ, Size: int64(size), Linkname: link, Mode: 0o755, ModTime: time.Unix(1_600_000_000, 0)}
}

// archive packs headers; the content of a file is its name.
func archive(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			h.Size = int64(len(h.Name))
		}
		check(t, w.WriteHeader(h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(h.Name)[:min(int(h.Size), len(h.Name))])
			check(t, err)
		}
	}
	check(t, w.Close())
	check(t, z.Close())
	return b.Bytes()
}

func pythonArchive(t testing.TB) []byte {
	return archive(t,
		header("python/", tar.TypeDir, 0, ""),
		header("python/bin/python3.10", tar.TypeReg, 0, ""),
		header("python/bin/python3", tar.TypeSymlink, 0, "python3.10"),
		header("python/lib/a.py", tar.TypeReg, 0, ""),
		header("python/lib/b.py", tar.TypeLink, 0, "python/lib/a.py"),
		header("python/up", tar.TypeSymlink, 0, "lib/../bin"),
		header("python/dangling", tar.TypeSymlink, 0, "none"),
	)
}

func fetch(urls []string, content []byte, p, unpack string) resources.Resource {
	return wantMade(p, resources.Fetch{URLs: urls, SHA256: sha256.Sum256(content), Size: int64(len(content)), Path: p, Unpack: unpack, Strip: 1})
}

func TestFetchUnpacks(t *testing.T) {
	w := newWorld(t)
	content := pythonArchive(t)
	source := filepath.Join(t.TempDir(), "python.tar.gz")
	check(t, os.WriteFile(source, content, 0o600))
	p := "/store/tools/linux/cpython-3.10"
	w.mustApply(fetch([]string{"file:///nonexistent", "file://" + source}, content, p, "tar.gz"))
	if w.read(p+"/bin/python3") != "python/bin/python3.10" || w.read(p+"/lib/b.py") != "python/lib/a.py" || w.read(p+"/up/python3.10") == "" {
		t.Error("content is wrong")
	}
	info, err := os.Stat(w.path(p + "/lib/a.py"))
	check(t, err)
	if info.ModTime().Unix() != 1_600_000_000 || info.Mode().Perm() != 0o755 {
		t.Errorf("time %s, mode %v", info.ModTime(), info.Mode())
	}
}

func TestFetchOverHTTP(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(content) })
	mux.HandleFunc("/long", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(append(content, 'x')) })
	mux.HandleFunc("/short", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(content[:100]) })
	mux.HandleFunc("/other", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, len(content))) })
	mux.HandleFunc("/endless", func(rw http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := rw.Write(content); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/cut", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = rw.Write(content[:5000])
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/stall", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write(content[:5000])
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/loop", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/away", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://192.0.2.1/x", http.StatusFound)
	})
	mux.HandleFunc("/file", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "file:///etc/passwd", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for name, want := range map[string]string{
		"long": "more than", "short": "bytes, not", "other": "sha256", "endless": "more than", "cut": "unexpected EOF", "stall": "no data for",
		"silent": "no data for", "loop": "too many redirects", "away": "only https", "file": "redirect to a file", "none": "404",
	} {
		w := newWorld(t)
		secret := strings.Replace(server.URL, "http://", "http://me:hunter2@", 1) + "/" + name + "?token=hunter2"
		r := w.apply(t.Context(), w.plan(fetch([]string{secret}, content, "model", "")))
		p := r.want(t, "made.model", Failed, "apply.fetch")
		if !strings.Contains(p.Found, want) || strings.Contains(p.Error(), "hunter2") {
			t.Errorf("%s: found %q, want %q and no secret", name, p.Found, want)
		}
		if _, err := os.Lstat(w.path("model")); err == nil {
			t.Errorf("%s: the target exists", name)
		}
		w.checkClean()
	}
	w := newWorld(t)
	w.mustApply(fetch([]string{server.URL + "/none", "ftp://x/y", "http://192.0.2.1/insecure", server.URL + "/good"}, content, "model", ""))
	if w.read("model") != string(content) {
		t.Error("content is wrong")
	}
	progress := int64(0)
	for _, ev := range w.events {
		if ev.Kind == Progress {
			progress = ev.Bytes
		}
	}
	if progress != int64(len(content)) {
		t.Errorf("progress ends at %d", progress)
	}
}

func TestFetchIsInterrupted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	r := w.apply(ctx, w.plan(fetch([]string{server.URL}, []byte("x"), "a", "")))
	r.want(t, "made.a", Interrupted, "apply.interrupted")
	if !r.Interrupted {
		t.Error("the result is not interrupted")
	}
	w.checkClean()
}

func TestHostileArchives(t *testing.T) {
	big := header("x/big", tar.TypeReg, 0, "")
	for name, content := range map[string][]byte{
		"up":             archive(t, header("x/../../victim", tar.TypeReg, 0, "")),
		"up in the name": archive(t, header("x/a/../../victim", tar.TypeReg, 0, "")),
		"absolute":       archive(t, header("/x/victim", tar.TypeReg, 0, "")),
		"link out":       archive(t, header("x/l", tar.TypeSymlink, 0, "../victim")),
		"absolute link":  archive(t, header("x/l", tar.TypeSymlink, 0, "/etc")),
		"through a link": archive(t, header("x/d", tar.TypeSymlink, 0, "."), header("x/l", tar.TypeSymlink, 0, "d/../victim")),
		"late link":      archive(t, header("x/l", tar.TypeSymlink, 0, "d/../victim"), header("x/d", tar.TypeSymlink, 0, ".")),
		"hard link out":  archive(t, header("x/l", tar.TypeLink, 0, "x/../../victim")),
		"device":         archive(t, header("x/dev", tar.TypeChar, 0, "")),
		"pipe":           archive(t, header("x/pipe", tar.TypeFifo, 0, "")),
		"twice":          archive(t, big, big),
		"empty":          archive(t),
		"no archive":     []byte("<html>"),
		"cut":            pythonArchive(t)[:100],
	} {
		w := newWorld(t)
		w.write("dir/victim", "safe")
		source := filepath.Join(t.TempDir(), "a")
		check(t, os.WriteFile(source, content, 0o600))
		r := w.apply(t.Context(), w.plan(fetch([]string{"file://" + source}, content, "dir/tool", "tar.gz")))
		r.want(t, "made.dir/tool", Failed, "")
		if w.read("dir/victim") != "safe" {
			t.Errorf("%s: the victim holds %q", name, w.read("dir/victim"))
		}
		if entries, _ := os.ReadDir(w.path("dir")); len(entries) != 1 {
			t.Errorf("%s: left behind %v", name, entries)
		}
	}
}

// FuzzUnpack lets any archive loose beside a victim.
func FuzzUnpack(f *testing.F) {
	for _, seed := range [][]byte{pythonArchive(f), archive(f, header("x/d", tar.TypeSymlink, 0, "."), header("x/l", tar.TypeSymlink, 0, "d/../../v"))} {
		z, err := gzip.NewReader(bytes.NewReader(seed))
		check(f, err)
		var plain bytes.Buffer
		_, err = plain.ReadFrom(z)
		check(f, err)
		f.Add(plain.Bytes())
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > 1<<16 {
			t.Skip("larger than it needs to be")
		}
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, "victim"), []byte("safe"), 0o600))
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write(plain)
		check(t, err)
		check(t, z.Close())
		check(t, os.WriteFile(filepath.Join(dir, "archive"), packed.Bytes(), 0o600))
		root, err := os.OpenRoot(dir)
		check(t, err)
		defer root.Close()
		err = unpack(t.Context(), resources.Fetch{Unpack: "tar.gz", Strip: 1}, place{root, "archive"}, place{root, "new"})
		if text, _ := os.ReadFile(filepath.Join(dir, "victim")); string(text) != "safe" {
			t.Fatalf("the victim holds %q", text)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 3 {
			t.Fatalf("made %v", entries)
		}
		if err != nil {
			return
		}
		check(t, filepath.WalkDir(filepath.Join(dir, "new"), func(p string, e os.DirEntry, err error) error {
			if err == nil && e.Type()&os.ModeSymlink != 0 {
				if to, err := filepath.EvalSymlinks(p); err == nil && !strings.HasPrefix(to, filepath.Join(dir, "new")) {
					t.Fatalf("%s links to %s", p, to)
				}
			}
			return err
		}))
	})
}

func TestIntentHasTheResultOfAFetch(t *testing.T) {
	made := func(s resources.Fetch) state.Left {
		r := wantMade("a", s)
		return intent(&planner.Item{Resource: &r}, resources.Change{Action: resources.Create, Steps: []resources.Step{s}}).Makes[0]
	}
	if l := made(resources.Fetch{Path: "a", Unpack: "tar.gz"}); l.Type != facts.Dir {
		t.Errorf("got %+v", l)
	}
	if l := made(resources.Fetch{Path: "a", SHA256: facts.SHA256{1}}); l.Type != facts.Regular || l.SHA256 != (facts.SHA256{1}) {
		t.Errorf("got %+v", l)
	}
}
