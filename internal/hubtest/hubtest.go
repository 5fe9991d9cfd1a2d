// Package hubtest makes Hugging Face caches for tests, as huggingface_hub leaves them,
// and plants faults in them. Only tests import it.
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

// A T is a test, or what tells one that it failed.
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

// Blob returns the path of the content that a file's link leads to.
func (m *Model) Blob(name string) string {
	m.t.Helper()
	target, err := os.Readlink(m.Snapshot(name))
	m.check(err)
	return filepath.Join(filepath.Dir(m.Snapshot(name)), target)
}

// BlobName returns the name of a content in blobs: its sha256 for a large file, which
// git keeps elsewhere, and that of git for others.
func BlobName(content []byte, large bool) string {
	if large {
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return hex.EncodeToString(sum[:])
}

// Put adds a file as a download does: a blob, and a link to it.
func (m *Model) Put(name string, content []byte, large bool) {
	m.t.Helper()
	blob := BlobName(content, large)
	m.check(os.WriteFile(filepath.Join(m.Dir, "blobs", blob), content, 0o644))
	link := m.Snapshot(name)
	m.check(os.MkdirAll(filepath.Dir(link), 0o755))
	m.check(os.Symlink(strings.Repeat("../", 2+strings.Count(name, "/"))+"blobs/"+blob, link))
	m.files[name], m.large[name] = content, large
}

// Tree writes the list of all files that were put, as hub does since 1.22.
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

// Safetensors returns a file with tensors of some bytes each, filled with a byte.
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

// Index returns the index of a sharded model: two tensors a shard.
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

// Sharded puts a small model of some shards, with size bytes a tensor.
func (m *Model) Sharded(shards, size int) {
	m.t.Helper()
	m.Put("config.json", []byte(`{"model_type": "llama"}`), false)
	m.Put("tokenizer.json", []byte(`{"version": "1.0"}`), true)
	m.Put("model.safetensors.index.json", Index(shards), false)
	for i := 1; i <= shards; i++ {
		m.Put(Shard(i, shards), Safetensors(size, byte(i), Tensors(i)...), true)
	}
}

// Names lists the files that were put, sorted.
func (m *Model) Names() []string { return slices.Sorted(maps.Keys(m.files)) }

// Write writes through a file's link, as a program does that does not know of the cache.
func (m *Model) Write(name string, content []byte) {
	m.t.Helper()
	m.check(os.WriteFile(m.Snapshot(name), content, 0o644))
}

// Content returns what was put under a name.
func (m *Model) Content(name string) []byte { return slices.Clone(m.files[name]) }

// Replace puts a file again with another content, under the digest of that.
func (m *Model) Replace(name string, content []byte) {
	m.t.Helper()
	large := m.large[name]
	m.check(os.Remove(m.Blob(name)))
	m.check(os.Remove(m.Snapshot(name)))
	m.Put(name, content, large)
}
