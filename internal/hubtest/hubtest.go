// Package hubtest creates Hugging Face caches for tests, in the layout of huggingface_hub,
// and damages them. Only tests import it.
package hubtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A T is the part of testing.TB that hubtest needs.
type T interface {
	Helper()
	Fatal(args ...any)
}

// A Model is one model in a cache, at one revision.
type Model struct {
	t        T
	Repo     string
	Revision string
	Dir      string // its folder, absolute
	files    map[string][]byte
	large    map[string]bool
}

// New returns a model without files in the cache at dir.
func New(t T, dir, repo, revision string) *Model {
	t.Helper()
	m := &Model{
		t: t, Repo: repo, Revision: revision, Dir: filepath.Join(dir, "models--"+strings.ReplaceAll(repo, "/", "--")),
		files: map[string][]byte{}, large: map[string]bool{},
	}
	m.check(os.MkdirAll(filepath.Join(m.Dir, "blobs"), 0o755))
	return m
}

func (m *Model) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// Snapshot returns the path of a file in the snapshot.
func (m *Model) Snapshot(name string) string {
	return filepath.Join(m.Dir, "snapshots", m.Revision, name)
}

// Blob returns the path of the blob of a file.
func (m *Model) Blob(name string) string {
	m.t.Helper()
	target, err := os.Readlink(m.Snapshot(name))
	m.check(err)
	return filepath.Join(filepath.Dir(m.Snapshot(name)), target)
}

// BlobName returns the name of a blob: its sha256 for a large file, its git blob id for
// others.
func BlobName(content []byte, large bool) string {
	if large {
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return hex.EncodeToString(sum[:])
}

// Put adds a file like a download: a blob, and a link to it.
func (m *Model) Put(name string, content []byte, large bool) {
	m.t.Helper()
	blob := BlobName(content, large)
	m.check(os.WriteFile(filepath.Join(m.Dir, "blobs", blob), content, 0o644))
	link := m.Snapshot(name)
	m.check(os.MkdirAll(filepath.Dir(link), 0o755))
	m.check(os.Symlink(strings.Repeat("../", 2+strings.Count(name, "/"))+"blobs/"+blob, link))
	m.files[name], m.large[name] = content, large
}

// Tree writes the list of all files of Put, like huggingface_hub since 1.22.
func (m *Model) Tree() {
	m.t.Helper()
	files := map[string]map[string]any{}
	for name, content := range m.files {
		files[name] = map[string]any{"size": len(content), "blob_id": BlobName(content, false)}
		if m.large[name] {
			files[name]["lfs_sha256"], files[name]["lfs_size"] = BlobName(content, true), len(content)
		}
	}
	b, err := json.MarshalIndent(map[string]any{"format_version": 1, "files": files}, "", " ")
	m.check(err)
	m.check(os.MkdirAll(filepath.Join(m.Dir, "trees"), 0o755))
	m.check(os.WriteFile(filepath.Join(m.Dir, "trees", m.Revision+".json"), b, 0o644))
}

// Shard returns the name of a shard.
func Shard(i, n int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i, n) }

// Safetensors returns a file with tensors of size bytes each, filled with a byte.
func Safetensors(size int, fill byte, tensors ...string) []byte {
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	for i, name := range tensors {
		header[name] = map[string]any{"dtype": "U8", "shape": []int{size}, "data_offsets": []int{i * size, (i + 1) * size}}
	}
	b, err := json.Marshal(header)
	if err != nil {
		panic(err) // numbers and strings
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	out = append(out, b...)
	return append(out, slices.Repeat([]byte{fill}, size*len(tensors))...)
}

// Index returns the index of a sharded model with two tensors per shard.
func Index(shards int) []byte {
	names := map[string]string{}
	for i := 1; i <= shards; i++ {
		for _, tensor := range Tensors(i) {
			names[tensor] = Shard(i, shards)
		}
	}
	b, err := json.Marshal(map[string]any{"metadata": map[string]int{"total_size": 1}, "weight_map": names})
	if err != nil {
		panic(err)
	}
	return b
}

// Tensors returns the names of the tensors of a shard.
func Tensors(i int) []string {
	return []string{fmt.Sprintf("layers.%d.k", i), fmt.Sprintf("layers.%d.v", i)}
}

// Sharded puts a small model with size bytes per tensor.
func (m *Model) Sharded(shards, size int) {
	m.t.Helper()
	m.Put("config.json", []byte(`{"model_type": "llama"}`), false)
	m.Put("tokenizer.json", []byte(`{"version": "1.0"}`), true)
	m.Put("model.safetensors.index.json", Index(shards), false)
	for i := 1; i <= shards; i++ {
		m.Put(Shard(i, shards), Safetensors(size, byte(i), Tensors(i)...), true)
	}
}

// Names returns the files of Put, sorted.
func (m *Model) Names() []string { return slices.Sorted(maps.Keys(m.files)) }

// Write writes through a file's link, like a program that is unaware of the cache.
func (m *Model) Write(name string, content []byte) {
	m.t.Helper()
	m.check(os.WriteFile(m.Snapshot(name), content, 0o644))
}

// Content returns the content of a file at Put.
func (m *Model) Content(name string) []byte { return slices.Clone(m.files[name]) }

// Replace puts a file again with other content and its digest.
func (m *Model) Replace(name string, content []byte) {
	m.t.Helper()
	large := m.large[name]
	m.check(os.Remove(m.Blob(name)))
	m.check(os.Remove(m.Snapshot(name)))
	m.Put(name, content, large)
}
