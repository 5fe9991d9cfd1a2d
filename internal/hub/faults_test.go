package hub_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
)

// A faultCase is a damaged model and the faults that must be reported. Verify and
// scripts/verify_models.py are tested with it.
type faultCase struct {
	name     string
	damage   func(t *testing.T, m *hubtest.Model)
	observed facts.ModelState // by Observe
	state    facts.ModelState // by Verify
	faults   []string         // "FILE: what" by Verify, sorted
	exclude  []string
	bare     bool // starts without an intact model
	root     bool // root cannot reproduce it
}

const second = "model-00002-of-00003.safetensors"

// share moves the content of a file to the store of the cache, as huggingface_hub 1.32 and later do,
// and returns its place there.
func share(t *testing.T, m *hubtest.Model, file string) string {
	t.Helper()
	hash := strings.Repeat("ab", 32) // by Xet, not the sha256
	folder := filepath.Join(filepath.Dir(m.Dir), "blobs", hash[:2])
	must(t, os.MkdirAll(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(folder, "..", ".huggingface-shared-blobs"), []byte("1\n"), 0o644))
	blob, place := m.Blob(file), filepath.Join(folder, hash)
	must(t, os.Rename(blob, place))
	must(t, os.Symlink("../../blobs/"+hash[:2]+"/"+hash, blob))
	return place
}

var faultCases = []faultCase{
	{name: "nothing", observed: "complete", state: "complete"},
	{
		name: "a flipped byte of equal size", observed: "complete", state: "damaged", faults: []string{second + ": content"},
		damage: func(t *testing.T, m *hubtest.Model) {
			content := m.Content(second)
			content[len(content)-1] ^= 1
			must(t, os.WriteFile(m.Blob(second), content, 0o644))
		},
	},
	{
		name: "a flipped byte of a file with a git digest", observed: "complete", state: "damaged", faults: []string{"config.json: content"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.WriteFile(m.Blob("config.json"), bytes.ToUpper(m.Content("config.json")), 0o644))
		},
	},
	{
		name: "a truncated shard", observed: "damaged", state: "damaged", faults: []string{second + ": size"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Truncate(m.Blob(second), 300)) },
	},
	{
		name: "an empty shard", observed: "damaged", state: "damaged", faults: []string{second + ": size"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Truncate(m.Blob(second), 0)) },
	},
	{
		name: "a shard with more at its end", observed: "damaged", state: "damaged", faults: []string{second + ": size"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.WriteFile(m.Blob(second), append(m.Content(second), 0), 0o644))
		},
	},
	{
		name: "a missing shard", observed: "partial", state: "partial", faults: []string{second + ": missing"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Remove(m.Blob(second)))
			must(t, os.Remove(m.Snapshot(second)))
		},
	},
	{
		name: "a missing shard, and no index yet", observed: "partial", state: "partial", faults: []string{second + ": missing"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Remove(m.Snapshot("model.safetensors.index.json")))
			must(t, os.Remove(m.Snapshot(second)))
		},
	},
	{
		name: "no config.json", observed: "partial", state: "partial", faults: []string{"config.json: missing"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Remove(m.Snapshot("config.json"))) },
	},
	{
		name: "a dangling link", observed: "damaged", state: "damaged", faults: []string{second + ": dangling"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Remove(m.Blob(second))) },
	},
	{
		name: "an unfinished download of huggingface_hub before 1.18", observed: "partial", state: "partial", faults: []string{": unfinished"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.WriteFile(filepath.Join(m.Dir, "blobs", strings.Repeat("a", 64)+".incomplete"), []byte("half"), 0o644))
		},
	},
	{
		name: "an unfinished download of huggingface_hub since 1.18", observed: "partial", state: "partial", faults: []string{": unfinished"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.WriteFile(filepath.Join(m.Dir, "blobs", strings.Repeat("a", 64)+".0badcafe.incomplete"), []byte("half"), 0o644))
		},
	},
	{
		name: "a leftover of a download that finished later", observed: "complete", state: "complete",
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.WriteFile(m.Blob(second)+".0badcafe.incomplete", []byte("half"), 0o644))
		},
	},
	{
		name: "an index that names a missing shard", observed: "partial", state: "partial", faults: []string{"model-00004-of-00003.safetensors: missing"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace("model.safetensors.index.json", index(map[string]string{"layers.1.k": "model-00004-of-00003.safetensors"}))
		},
	},
	{
		name: "an index with a tensor in the wrong shard", observed: "damaged", state: "damaged", faults: []string{second + ": index"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace("model.safetensors.index.json", index(map[string]string{"layers.1.k": second, "layers.1.v": second, "layers.2.k": second}))
		},
	},
	{
		name: "an index with a path outside", observed: "damaged", state: "damaged", faults: []string{"model.safetensors.index.json: index"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace("model.safetensors.index.json", index(map[string]string{"a": "../../../../etc/passwd"}))
		},
	},
	{
		name: "an index that is not JSON", observed: "damaged", state: "damaged", faults: []string{"model.safetensors.index.json: index"},
		damage: func(t *testing.T, m *hubtest.Model) { m.Replace("model.safetensors.index.json", []byte("<html>")) },
	},
	{
		name: "a file overwritten through its link", observed: "complete", state: "damaged", faults: []string{"tokenizer.json: content"},
		damage: func(t *testing.T, m *hubtest.Model) { m.Write("tokenizer.json", []byte(`{"added": 1}`)) },
	},
	{
		name: "a regular file instead of a link", observed: "complete", state: "damaged", faults: []string{"tokenizer.json: unknown"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Remove(m.Snapshot("tokenizer.json")))
			must(t, os.WriteFile(m.Snapshot("tokenizer.json"), m.Content("tokenizer.json"), 0o644))
		},
	},
	{
		name: "a snapshot of regular files, with the list of its revision", observed: "complete", state: "complete",
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Tree()
			for _, name := range m.Names() {
				must(t, os.Remove(m.Snapshot(name)))
				must(t, os.WriteFile(m.Snapshot(name), m.Content(name), 0o644))
			}
		},
	},
	{
		name: "a missing file of the list of the revision", observed: "partial", state: "partial", faults: []string{"tokenizer.json: missing"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Tree()
			must(t, os.Remove(m.Snapshot("tokenizer.json")))
		},
	},
	{
		name: "a link to another blob than in the list of the revision", observed: "damaged", state: "damaged", faults: []string{"tokenizer.json: blob"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Tree()
			config := filepath.Base(m.Blob("config.json"))
			must(t, os.Remove(m.Snapshot("tokenizer.json")))
			must(t, os.Symlink("../../blobs/"+config, m.Snapshot("tokenizer.json")))
		},
	},
	{
		name: "a file shorter than in the list of the revision", observed: "damaged", state: "damaged", faults: []string{"tokenizer.json: size"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Tree()
			must(t, os.Truncate(m.Blob("tokenizer.json"), 3))
		},
	},
	{
		name: "a link out of the cache", observed: "damaged", state: "damaged", faults: []string{"tokenizer.json: outside"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Remove(m.Snapshot("tokenizer.json")))
			must(t, os.Symlink("/etc/hostname", m.Snapshot("tokenizer.json")))
		},
	},
	{
		name: "a link that climbs out of the cache", observed: "damaged", state: "damaged", faults: []string{"tokenizer.json: outside"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Remove(m.Snapshot("tokenizer.json")))
			must(t, os.Symlink("../../blobs/../../../x", m.Snapshot("tokenizer.json")))
		},
	},
	{
		name: "a blob that is a link", observed: "damaged", state: "damaged", faults: []string{"tokenizer.json: outside"},
		damage: func(t *testing.T, m *hubtest.Model) {
			blob := m.Blob("tokenizer.json")
			must(t, os.Rename(blob, blob+".moved"))
			must(t, os.Symlink(blob+".moved", blob))
		},
	},
	{
		name: "a blob in the store that models share", observed: "complete", state: "complete",
		damage: func(t *testing.T, m *hubtest.Model) { share(t, m, second) },
	},
	{
		name: "a flipped byte in the store that models share", observed: "complete", state: "damaged", faults: []string{second + ": content"},
		damage: func(t *testing.T, m *hubtest.Model) {
			content := m.Content(second)
			content[len(content)-1] ^= 1
			must(t, os.WriteFile(share(t, m, second), content, 0o644))
		},
	},
	{
		name: "a blob that leads to no file of the store", observed: "damaged", state: "damaged", faults: []string{second + ": dangling"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Remove(share(t, m, second))) },
	},
	{
		name: "a store that is a link", observed: "damaged", state: "damaged", faults: []string{second + ": outside"},
		damage: func(t *testing.T, m *hubtest.Model) {
			store := filepath.Dir(filepath.Dir(share(t, m, second)))
			must(t, os.Rename(store, store+".moved"))
			must(t, os.Symlink("blobs.moved", store))
		},
	},
	{
		name: "a folder instead of a blob", observed: "damaged", state: "damaged", faults: []string{"tokenizer.json: odd"},
		damage: func(t *testing.T, m *hubtest.Model) {
			blob := m.Blob("tokenizer.json")
			must(t, os.Remove(blob))
			must(t, os.Mkdir(blob, 0o755))
		},
	},
	{
		name: "a blob whose name is no digest", observed: "complete", state: "damaged", faults: []string{"tokenizer.json: unknown"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Rename(m.Blob("tokenizer.json"), filepath.Join(m.Dir, "blobs", "etag-1")))
			must(t, os.Remove(m.Snapshot("tokenizer.json")))
			must(t, os.Symlink("../../blobs/etag-1", m.Snapshot("tokenizer.json")))
		},
	},
	{
		name: "a blobs folder that is a link", observed: "damaged", state: "damaged", faults: []string{"blobs: outside"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Rename(filepath.Join(m.Dir, "blobs"), filepath.Join(m.Dir, "moved")))
			must(t, os.Symlink("moved", filepath.Join(m.Dir, "blobs")))
		},
	},
	{
		name: "a snapshot that is a link", observed: "damaged", state: "damaged", faults: []string{"snapshots/" + revision + ": outside"},
		damage: func(t *testing.T, m *hubtest.Model) {
			snapshot := filepath.Dir(m.Snapshot("config.json"))
			must(t, os.Rename(snapshot, filepath.Join(m.Dir, "moved")))
			must(t, os.Symlink("../moved", snapshot))
		},
	},
	{
		name: "a header with the wrong length of the data", observed: "damaged", state: "damaged", faults: []string{second + ": header"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace(second, withHeader(`{"layers.2.k": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}, "layers.2.v": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}`, 8))
		},
	},
	{
		name: "a header that is no JSON", observed: "damaged", state: "damaged", faults: []string{second + ": header"},
		damage: func(t *testing.T, m *hubtest.Model) { m.Replace(second, withHeader(`{"layers.2.k": {"dtype"`, 8)) },
	},
	{
		name: "a web page instead of a shard", observed: "damaged", state: "damaged", faults: []string{second + ": header"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace(second, []byte("<!DOCTYPE html><html>503 Service Unavailable</html>"))
		},
	},
	{
		name: "a header of more than 100,000,000 bytes", observed: "damaged", state: "damaged", faults: []string{second + ": header"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace(second, append(binary.LittleEndian.AppendUint64(nil, 100_000_001), '{'))
			must(t, os.Truncate(m.Blob(second), 1000))
		},
	},
	{
		name: "a header with a hole in the data", observed: "damaged", state: "damaged", faults: []string{second + ": header"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Replace(second, withHeader(`{"layers.2.k": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "layers.2.v": {"dtype": "U8", "shape": [1], "data_offsets": [7, 8]}}`, 8))
		},
	},
	{
		name: "no weights at all", bare: true, observed: "partial", state: "partial", faults: []string{": weights"},
		damage: func(_ *testing.T, m *hubtest.Model) { m.Put("README.md", []byte("# Tiny"), false) },
	},
	{
		name: "an empty snapshot", bare: true, observed: "partial", state: "partial", faults: []string{": weights"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.MkdirAll(m.Snapshot(""), 0o755)) },
	},
	{
		name: "weights that are .bin only", bare: true, observed: "complete", state: "complete",
		damage: func(_ *testing.T, m *hubtest.Model) {
			m.Put("config.json", []byte("{}"), false)
			m.Put("pytorch_model.bin", []byte("pickle"), true)
		},
	},
	{
		name: "weights that are .bin only, one of two missing", bare: true, observed: "partial", state: "partial", faults: []string{"pytorch_model-00002-of-00002.bin: missing"},
		damage: func(_ *testing.T, m *hubtest.Model) {
			m.Put("config.json", []byte("{}"), false)
			m.Put("pytorch_model.bin.index.json", index(map[string]string{"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}), false)
			m.Put("pytorch_model-00001-of-00002.bin", []byte("pickle"), true)
		},
	},
	{
		name: "only excluded files are missing or damaged", observed: "complete", state: "complete", exclude: []string{"original/*", "*.bin"},
		damage: func(t *testing.T, m *hubtest.Model) {
			m.Put("original/consolidated.00.pth", []byte("pickle"), true)
			m.Put("pytorch_model.bin.index.json", index(map[string]string{"a": "pytorch_model-00001-of-00002.bin"}), false)
			m.Tree()
			must(t, os.Remove(m.Blob("original/consolidated.00.pth")))
		},
	},
	{
		name: "only another revision", bare: true, observed: "absent", state: "absent",
		damage: func(t *testing.T, m *hubtest.Model) {
			o := hubtest.New(t, filepath.Dir(m.Dir), repo, other)
			o.Sharded(2, 10)
		},
	},
	{
		name: "two revisions that share blobs", observed: "complete", state: "complete",
		damage: func(t *testing.T, m *hubtest.Model) {
			o := hubtest.New(t, filepath.Dir(m.Dir), repo, other)
			o.Sharded(3, 100)
		},
	},
	{
		name: "refs/main that names a commit without a snapshot", bare: true, observed: "absent", state: "absent",
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.MkdirAll(filepath.Join(m.Dir, "refs"), 0o755))
			must(t, os.WriteFile(filepath.Join(m.Dir, "refs", "main"), []byte(revision), 0o644))
		},
	},
	{
		name: "a download that has just started", bare: true, observed: "partial", state: "partial",
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.WriteFile(filepath.Join(m.Dir, "blobs", strings.Repeat("b", 64)+".incomplete"), []byte("half"), 0o644))
		},
	},
	{
		name: "a file that cannot be read", root: true, observed: "damaged", state: "damaged", faults: []string{second + ": unreadable"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Chmod(m.Blob(second), 0)) },
	},
	{
		name: "a file that cannot be read, and has no header", root: true, observed: "complete", state: "damaged", faults: []string{"tokenizer.json: unreadable"},
		damage: func(t *testing.T, m *hubtest.Model) { must(t, os.Chmod(m.Blob("tokenizer.json"), 0)) },
	},
	{
		name: "three faults at once", observed: "damaged", state: "damaged",
		faults: []string{"config.json: dangling", "model-00001-of-00003.safetensors: content", "model-00003-of-00003.safetensors: missing"},
		damage: func(t *testing.T, m *hubtest.Model) {
			must(t, os.Remove(m.Blob("config.json")))
			first := "model-00001-of-00003.safetensors"
			content := m.Content(first)
			content[len(content)/2+20] ^= 0x80
			m.Write(first, content)
			must(t, os.Remove(m.Snapshot("model-00003-of-00003.safetensors")))
		},
	},
}

// build makes the cache of a case.
func (p *faultCase) build(t *testing.T) (cache string) {
	t.Helper()
	if p.root && os.Geteuid() == 0 {
		t.Skip("root can read every file: see TestFaultsAsOtherUser")
	}
	cache = t.TempDir()
	m := hubtest.New(t, cache, repo, revision)
	if !p.bare {
		m.Sharded(3, 100)
	}
	if p.damage != nil {
		p.damage(t, m)
	}
	return cache
}

// check compares the faults of a model with the expected ones.
func (p *faultCase) check(t *testing.T, m facts.Model) {
	t.Helper()
	var found []string
	for _, f := range m.Faults {
		found = append(found, f.File+": "+f.What)
	}
	slices.Sort(found)
	if m.State != p.state || !slices.Equal(found, p.faults) {
		t.Errorf("found %s %q, want %s %q", m.State, found, p.state, p.faults)
	}
}

func index(shards map[string]string) []byte {
	b, err := json.Marshal(map[string]any{"metadata": map[string]int{"total_size": 1}, "weight_map": shards})
	if err != nil {
		panic(err)
	}
	return b
}

// withHeader returns a safetensors file with a header and data bytes.
func withHeader(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// describe formats a model for messages.
func describe(m facts.Model) string {
	text := fmt.Sprintf("%s, %d files", m.State, len(m.Files))
	for _, f := range m.Faults {
		text += fmt.Sprintf("\n  %s %s", f.File, f.Description())
	}
	return text
}
