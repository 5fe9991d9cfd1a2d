package cli

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A wheel is a package to build. Its NAME/__init__.py contains `version = "1.0"`.
type wheel struct {
	name, version string
	init          string            // appended to NAME/__init__.py
	files         map[string]string // other files, by path
}

func (w wheel) file() string { return w.name + "-" + w.version + "-py3-none-any.whl" }

// bytes returns the archive of the wheel, with a RECORD of all files.
func (w wheel) bytes() []byte {
	info := w.name + "-" + w.version + ".dist-info/"
	files := map[string]string{
		w.name + "/__init__.py": fmt.Sprintf("version = %q\n%s", w.version, w.init),
		info + "METADATA":       fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", w.name, w.version),
		info + "WHEEL":          "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	maps.Copy(files, w.files)
	var record strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256([]byte(files[name]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[name]))
	}
	files[info+"RECORD"] = record.String() + info + "RECORD,,\n"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		size := uint64(len(files[name])) // known before, since uv reads no stored file without it
		f, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(files[name])), CompressedSize64: size, UncompressedSize64: size})
		must(must(f, err).Write([]byte(files[name])))
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// A mirror is a package index on loopback (PEP 503).
type mirror struct {
	*httptest.Server
	mu     sync.Mutex
	wheels map[string][]byte
	fault  func(http.ResponseWriter, *http.Request) bool // returns true if it handled the request
}

func newMirror(t *testing.T, wheels ...wheel) *mirror {
	x := &mirror{wheels: map[string][]byte{}}
	for _, w := range wheels {
		x.wheels[w.file()] = w.bytes()
	}
	x.Server = httptest.NewServer(x)
	t.Cleanup(func() {
		x.CloseClientConnections() // ends handlers that hang
		x.Close()
	})
	return x
}

// indexURL returns the index URL for installers.
func (x *mirror) indexURL() string { return x.URL + "/simple" }

// setFile replaces the content of a file; nil removes the file.
func (x *mirror) setFile(file string, content []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wheels[file] = content
	if content == nil {
		delete(x.wheels, file)
	}
}

// setFault lets f handle requests first; nil removes the fault.
func (x *mirror) setFault(f func(http.ResponseWriter, *http.Request) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fault = f
}

func (x *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	fault := x.fault
	x.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	if file, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		x.mu.Lock()
		content, ok := x.wheels[file]
		x.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(content))
		return
	}
	x.servePage(w, r, strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/"))
}

// servePage lists the files of one project, with their digests.
func (x *mirror) servePage(w http.ResponseWriter, r *http.Request, project string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := false
	var page strings.Builder
	for _, file := range slices.Sorted(maps.Keys(x.wheels)) {
		if strings.HasPrefix(file, project+"-") {
			found = true
			fmt.Fprintf(&page, "<a href=\"/files/%s#sha256=%x\">%s</a><br>\n", file, sha256.Sum256(x.wheels[file]), file)
		}
	}
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!DOCTYPE html><html><body>\n%s</body></html>\n", page.String())
}
