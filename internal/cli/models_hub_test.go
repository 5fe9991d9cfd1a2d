package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
)

// A fakeHub is the part of the Hugging Face Hub that a download needs, with one public model
// at one commit. It listens on loopback.
type fakeHub struct {
	*httptest.Server
	repo, commit string
	files        map[string][]byte
	large        map[string]bool // stored outside of git, by sha256

	mu      sync.Mutex
	stall   string        // a file of which only half is sent
	stalled chan struct{} // closed when the half was sent
	unknown []string      // unknown requests
}

const (
	hubRepo   = "meta-llama/Tiny"
	hubCommit = "0e9e39f249a16976918f6564b8830bc894c89659"
)

// newFakeHub serves a model of three shards, one of which is large enough to be interrupted.
func newFakeHub(t *testing.T) *fakeHub {
	h := &fakeHub{repo: hubRepo, commit: hubCommit, large: map[string]bool{}, stalled: make(chan struct{}), files: map[string][]byte{
		"README.md": []byte("# Tiny\n"), ".gitattributes": []byte("*.safetensors filter=lfs\n"), "config.json": []byte(`{"model_type": "llama"}`),
		"model.safetensors.index.json": hubtest.Index(3), "original/consolidated.00.pth": bytes.Repeat([]byte("p"), 5000), "empty.txt": {},
	}}
	for i := 1; i <= 3; i++ {
		size := 400_000
		if i == 2 {
			size = 15_000_000 // hub before 1.18 writes 10 MiB at a time
		}
		h.files[hubtest.Shard(i, 3)] = hubtest.Safetensors(size, byte(i), hubtest.Tensors(i)...)
	}
	for name := range h.files {
		h.large[name] = strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".pth")
	}
	h.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func (h *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/api/models/"+h.repo+"/revision/"+h.commit || path == "/api/models/"+h.repo:
		var siblings []map[string]string
		for _, name := range slices.Sorted(maps.Keys(h.files)) {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"id": h.repo, "modelId": h.repo, "sha": h.commit, "private": false, "siblings": siblings, "tags": []string{}, "downloads": 0, "likes": 0})
	case path == "/api/models/"+h.repo+"/tree/"+h.commit:
		h.serveTree(w)
	case strings.HasPrefix(path, "/"+h.repo+"/resolve/"+h.commit+"/"):
		h.serveFile(w, r, strings.TrimPrefix(path, "/"+h.repo+"/resolve/"+h.commit+"/"))
	default:
		h.mu.Lock()
		h.unknown = append(h.unknown, r.Method+" "+path)
		h.mu.Unlock()
		http.NotFound(w, r)
	}
}

func (h *fakeHub) serveTree(w http.ResponseWriter) {
	var list []map[string]any
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		content := h.files[name]
		entry := map[string]any{"type": "file", "path": name, "size": len(content), "oid": hubtest.BlobName(content, false)}
		if h.large[name] {
			entry["lfs"] = map[string]any{"oid": hubtest.BlobName(content, true), "size": len(content), "pointerSize": 130}
		}
		list = append(list, entry)
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (h *fakeHub) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	content, ok := h.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	digest := hubtest.BlobName(content, h.large[name])
	w.Header().Set("X-Repo-Commit", h.commit)
	w.Header().Set("ETag", strconv.Quote(digest))
	if h.large[name] {
		w.Header().Set("X-Linked-Etag", strconv.Quote(digest))
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(content)))
	}
	h.mu.Lock()
	stall := h.stall == name && r.Method == http.MethodGet
	h.mu.Unlock()
	if !stall {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content[:len(content)/2])
	_ = http.NewResponseController(w).Flush()
	h.mu.Lock()
	select {
	case <-h.stalled:
	default:
		close(h.stalled)
	}
	h.mu.Unlock()
	<-r.Context().Done()
}

// TestCacheOfRealHubIsRead checks that caches of the real huggingface_hub are read: of the
// release that the manifest pins, and of the newest.
func TestCacheOfRealHubIsRead(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("short: huggingface_hub is not installed")
	}
	python := ""
	for _, name := range []string{"python3.11", "python3.12", "python3.10", "python3.13", "python3"} {
		if found, err := exec.LookPath(name); err == nil && python == "" {
			python = found
		}
	}
	if python == "" {
		t.Skip("no python3 on this machine")
	}
	for _, requirement := range []string{"huggingface_hub==0.24.7", "huggingface_hub"} {
		t.Run(requirement, func(t *testing.T) {
			t.Parallel()
			library := t.TempDir()
			if err := pipInstall(python, library, "--only-binary", ":all:", requirement); err != nil {
				t.Skipf("%s cannot be installed: %s", requirement, firstLine([]byte(err.Error())))
			}
			checkDownload(t, python, library)
		})
	}
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(bytes.TrimSpace(b)), "\n")
	return line
}

// neededSize returns the size of the files that are not excluded, formatted.
func (h *fakeHub) neededSize() string {
	var sum int64
	for name, content := range h.files {
		if !strings.HasPrefix(name, "original/") {
			sum += int64(len(content))
		}
	}
	return bytesize.Format(sum)
}

// checkDownload downloads with an interruption, again, and after a file was damaged.
func checkDownload(t *testing.T, python, library string) {
	h := newFakeHub(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "manifest.yaml"), fmt.Sprintf(`version: 1
project: story
directories: {models: {path: models}}
models: [{repo: %s, revision: %s, exclude: ["original/*"]}]
`, hubRepo, hubCommit))
	download := func() *exec.Cmd {
		cmd := exec.Command(python, "-c", fmt.Sprintf(`import sys; sys.path.insert(0, %q)
import huggingface_hub; print("huggingface_hub", huggingface_hub.__version__, flush=True)
huggingface_hub.snapshot_download(%q, revision=%q, ignore_patterns=["original/*"], max_workers=1, etag_timeout=60)`, library, hubRepo, hubCommit))
		cmd.Env = []string{
			"PATH=/usr/bin:/bin", "HOME=" + dir, "HF_ENDPOINT=" + h.URL, "HF_HUB_CACHE=" + filepath.Join(dir, "models"), "HF_HUB_DISABLE_TELEMETRY=1",
			"HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_XET=1", "HF_HUB_DOWNLOAD_TIMEOUT=60", "NO_PROXY=*",
		}
		return cmd
	}
	want := func(code int, parts []string, words ...string) {
		t.Helper()
		cmd := exec.Command("reconcile", append([]string{"-C", dir}, words...)...)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%v: exit code %d, want %d: %v\n%s", words, got, code, err, out)
		}
		for _, part := range parts {
			if !strings.Contains(string(out), part) {
				t.Errorf("%v does not print %q\n%s", words, part, out)
			}
		}
	}

	// Killed in the middle of the second shard.
	h.stall = hubtest.Shard(2, 3)
	cmd := download()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	check(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	select {
	case <-h.stalled:
		time.Sleep(300 * time.Millisecond) // until it has written the half
	case <-ended:
		t.Fatalf("the download ended before it could be killed:\n%s\nunknown requests: %v", output.String(), h.unknown)
	case <-time.After(time.Minute):
		t.Errorf("the download did not reach its second shard:\n%s\nunknown requests: %v", output.String(), h.unknown)
	}
	_ = cmd.Process.Kill()
	<-ended
	t.Log(firstLine(output.Bytes()))
	want(0, []string{"model.partial"}, "plan")
	want(2, []string{"partial: ", hubtest.Shard(2, 3) + " is missing"}, "models", "verify")
	size := h.neededSize()

	// Again, to the end.
	h.mu.Lock()
	h.stall = ""
	h.mu.Unlock()
	if out, err := download().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\nunknown requests: %v", err, out, h.unknown)
	}
	want(0, []string{"complete, " + size + ", "}, "plan", "-v")
	time.Sleep(60 * time.Millisecond)
	want(0, []string{"intact, " + size + " in 8 files"}, "models", "verify")
	want(0, []string{"complete, " + size + ", verified 20"}, "plan", "-v")

	// A byte flipped in a blob is found, and fixed by the remedy.
	shard := filepath.Join(dir, "models", "models--meta-llama--Tiny", "blobs", hubtest.BlobName(h.files[hubtest.Shard(3, 3)], true))
	content, err := os.ReadFile(shard)
	check(t, err)
	content[len(content)-7] ^= 4
	check(t, os.WriteFile(shard, content, 0o644))
	want(2, []string{hubtest.Shard(3, 3) + " does not match its digest", "rm models/models--meta-llama--Tiny/blobs/" + filepath.Base(shard)}, "models", "verify")
	check(t, os.Remove(shard))
	want(2, []string{hubtest.Shard(3, 3) + " is a dangling link"}, "models", "verify")
	if out, err := download().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want(0, []string{"intact, " + size + " in 8 files"}, "models", "verify")

	// The script for machines without reconcile gives the same result.
	script := exec.Command(python, must(filepath.Abs("../../scripts/verify_models.py")), "--all", "--manifest", filepath.Join(dir, "none"), "--cache", filepath.Join(dir, "models"))
	if out, err := script.CombinedOutput(); err != nil || !strings.Contains(string(out), ": intact, ") {
		t.Errorf("%v\n%s", err, out)
	}
}
