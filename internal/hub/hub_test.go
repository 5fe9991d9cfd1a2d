package hub

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"original/*", "original/consolidated.00.pth", true},
		{"original/*", "original/deep/er.pth", true}, // * also matches a slash
		{"original/", "original/params.json", true},  // a folder matches everything below it
		{"original", "original/params.json", false},
		{"*.bin", "pytorch_model.bin", true},
		{"*.bin", "deep/pytorch_model.bin", true},
		{"*.bin", "pytorch_model.bin.index.json", false},
		{"consolidated*", "consolidated.safetensors", true},
		{"a?c", "a/c", true},
		{"a?c", "ac", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"", "", true},
		{"*", "", true},
		{"A*", "abc", false}, // case counts
	} {
		if got := match(c.pattern, c.name); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// FuzzMatch tests that hostile patterns terminate soon, and that a plain name matches itself.
func FuzzMatch(f *testing.F) {
	f.Add("*a*a*a*a*a*a*a*a*a*a*a*b", strings.Repeat("a", 5000))
	f.Add("?*/", "ü/x")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		start := time.Now()
		got := match(pattern, name)
		if took := time.Since(start); took > time.Second && len(pattern)*len(name) < 1e6 {
			t.Errorf("%v for %q", took, pattern)
		}
		if pattern == name && utf8.ValidString(pattern) && !strings.ContainsAny(pattern, "*?") && !strings.HasSuffix(pattern, "/") && !got {
			t.Errorf("%q does not match itself", pattern)
		}
	})
}

// TestMatchAsPython compares match with Python's fnmatch, as huggingface_hub calls it.
func TestMatchAsPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	patterns := []string{"*", "?", "*.bin", "a*", "*a", "a*b", "a?b", "a/*", "*/*", "a/", "**", "*?", "?*?", "a.b", "-", "_*-"}
	names := []string{"a", "b", "ab", "a.b", "axb", "a/b", "a/b/c", "x.bin", "a/x.bin", "-", "_-", "a/", "x.bin.json", "A"}
	var script strings.Builder
	script.WriteString("from fnmatch import fnmatch\n")
	var want []byte
	for _, p := range patterns {
		for _, n := range names {
			script.WriteString("print(int(fnmatch('" + n + "', '" + p + "' + ('*' if '" + p + "'.endswith('/') else ''))))\n")
			if match(p, n) {
				want = append(want, "1\n"...)
			} else {
				want = append(want, "0\n"...)
			}
		}
	}
	cmd := exec.Command(python, "-")
	cmd.Stdin = strings.NewReader(script.String())
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines, ours := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range ours {
		if !bytes.Equal(lines[i], ours[i]) && i/len(names) < len(patterns) {
			t.Errorf("pattern %q, name %q: Python %s, match %s", patterns[i/len(names)], names[i%len(names)], lines[i], ours[i])
		}
	}
}

func TestNames(t *testing.T) {
	for repo, folder := range map[string]string{"meta-llama/Llama-3.1-8B-Instruct": "models--meta-llama--Llama-3.1-8B-Instruct", "gpt2": "models--gpt2"} {
		if got := Folder(repo); got != folder {
			t.Errorf("Folder(%q) = %q", repo, got)
		}
		if got, ok := Repo(folder); !ok || got != repo {
			t.Errorf("Repo(%q) = %q, %v", folder, got, ok)
		}
	}
	for _, folder := range []string{"datasets--a--b", "models--", ".locks"} {
		if got, ok := Repo(folder); ok {
			t.Errorf("Repo(%q) = %q", folder, got)
		}
	}
	for name, want := range map[string]string{
		strings.Repeat("a", 64) + ".incomplete":          strings.Repeat("a", 64),
		strings.Repeat("a", 40) + ".incomplete":          strings.Repeat("a", 40),
		strings.Repeat("a", 64) + ".01234567.incomplete": strings.Repeat("a", 64),
	} {
		if got, ok := unfinished(name); !ok || got != want {
			t.Errorf("unfinished(%q) = %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{strings.Repeat("a", 64), "x.incomplete", strings.Repeat("a", 64) + ".0123456.incomplete", ".incomplete"} {
		if got, ok := unfinished(name); ok {
			t.Errorf("unfinished(%q) = %q", name, got)
		}
	}
	for name, want := range map[string]int{
		"model-00001-of-00004.safetensors": 4, "pytorch_model-00002-of-00002.bin": 2, "unet/m-00001-of-00002.safetensors": 2,
		"model.safetensors": 0, "model-00000-of-00004.safetensors": 0, "model-00005-of-00004.safetensors": 0,
		"model-00001-of-99999.safetensors": 0, "model-1-of-4.safetensors": 0, "a-00001-of-00004.txt": 0, "-of-00004.bin": 0,
	} {
		if got := siblings(name); len(got) != want {
			t.Errorf("siblings(%q) has %d names, want %d", name, len(got), want)
		}
	}
}

// FuzzHeader tests that no header makes the reader panic, accept a wrong size or accept
// overlapping tensors.
func FuzzHeader(f *testing.F) {
	for _, header := range []string{
		`{}`, `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, `{"__metadata__":{"format":"pt"}}  `,
		`{"a":{"data_offsets":[0,9223372036854775807]},"b":{"data_offsets":[0,9223372036854775807]}}`,
		`{"a":{"data_offsets":[8,0]}}`, `{"a":{"data_offsets":[-8,0]}}`, `{"a":{"data_offsets":[1]}}`, `{"a":1}`, `{"a":{}} {}`, `[`, `{"a":`, strings.Repeat(`{"a":`, 20000),
		`{"__metadata__":{"a":1}}`, `{"a":{"data_offsets":[0,1e400]}}`,
	} {
		b := make([]byte, 8, 8+len(header)+8)
		b[0], b[1], b[2] = byte(len(header)), byte(len(header)>>8), byte(len(header)>>16)
		f.Add(append(append(b, header...), make([]byte, 8)...))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var sum int
		err := checkHeader(bytes.NewReader(file), int64(len(file)), func(string) { sum++ })
		if shape, ok := errors.AsType[*formatError](err); ok && (shape.what == "" || shape.detail == "") {
			t.Errorf("a fault without a description: %+v", shape)
		}
		if err == nil && len(file) < 10 {
			t.Errorf("a file of %d bytes is accepted", len(file))
		}
		if err == nil && checkHeader(bytes.NewReader(append(file, 0)), int64(len(file)+1), func(string) {}) == nil {
			t.Error("the file is also accepted with one more byte")
		}
	})
}

// FuzzIndex and FuzzTree test that accepted names stay inside the snapshot.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Add([]byte(`{"weight_map":{}}`))
	f.Add([]byte(`{"weight_map":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b)
		for _, shard := range x.Shards {
			if err == nil && (strings.HasPrefix(shard, "/") || strings.HasPrefix(shard, "../") || shard == "") {
				t.Errorf("accepted %q", shard)
			}
		}
	})
}

func FuzzTree(f *testing.F) {
	sum, git := strings.Repeat("a", 64), strings.Repeat("b", 40)
	f.Add([]byte(`{"format_version":1,"files":{"a":{"size":1,"blob_id":"` + git + `"},"b":{"size":1,"blob_id":"` + git + `","lfs_sha256":"` + sum + `","lfs_size":3,"xet_hash":"x"}}}`))
	f.Add([]byte(`{"format_version":2,"files":{}}`))
	f.Add([]byte(`{"format_version":1,"files":{"../a":{"size":1,"blob_id":"` + git + `"}}}`))
	f.Add([]byte(`{"format_version":1,"files":{"a":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, file := range parseTree(b) {
			if digest, size := file.content(); !isSafe(name) || size < 0 || digest == (Digest{}) {
				t.Errorf("accepted %q: %+v", name, file)
			}
		}
	})
}

// FuzzDigests tests that damaged lines are skipped, and that Encode and ParseDigests agree.
func FuzzDigests(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	line := "1 2 3 4 5 6 sha256:" + strings.Repeat("a", 64) + "\n"
	f.Add([]byte(digestsHeader + "\n" + line))
	f.Add([]byte(digestsHeader + "\n" + line + line[2:] + "x\n" + strings.TrimSuffix(line, "\n")))
	f.Add([]byte(digestsHeader + "\n9 9 9 9 9 1900000000000000000 git:" + strings.Repeat("b", 40) + "\n"))
	f.Add([]byte("reconcile digests 2\n" + line))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := ParseDigests(b, now)
		first := d.Encode(NewDigests())
		if second := ParseDigests(first, now).Encode(NewDigests()); !bytes.Equal(first, second) {
			t.Errorf("Encode and ParseDigests disagree:\n%s\n%s", first, second)
		}
		for _, r := range d.known {
			if r.at > now.UnixNano() || r.id.size < 0 || r.digest == (Digest{}) {
				t.Errorf("accepted %+v", r)
			}
		}
	})
}

// TestDigestsMerge tests that two runs at once lose nothing, and that the number of digests
// is bounded by dropping the oldest.
func TestDigestsMerge(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	digest := Digest{Hex: strings.Repeat("a", 64)}
	a, b := NewDigests(), NewDigests()
	a.record(fileID{1, 1, 10, 1, 1}, digest, now.Add(-2*time.Hour))
	b.record(fileID{1, 2, 20, 1, 1}, digest, now.Add(-time.Hour))
	both := ParseDigests(b.Encode(ParseDigests(a.Encode(NewDigests()), now)), now)
	for ino, size := range map[uint64]int64{1: 10, 2: 20} {
		if _, ok := both.lookup(fileID{1, ino, size, 1, 1}, false); !ok {
			t.Errorf("inode %d is missing", ino)
		}
		if _, ok := both.lookup(fileID{1, ino, size, 1, 2}, false); ok {
			t.Errorf("inode %d is found for a modified file", ino)
		}
		if _, ok := both.lookup(fileID{1, ino, size, 1, 1}, true); ok {
			t.Errorf("the sha256 of inode %d is found as a git digest", ino)
		}
	}
	for i := range uint64(maxDigests + 10) {
		a.record(fileID{2, i, 1, 1, 1}, digest, now.Add(-time.Duration(i)*time.Second))
	}
	kept := ParseDigests(a.Encode(NewDigests()), now)
	_, newest := kept.lookup(fileID{2, 0, 1, 1, 1}, false)
	_, oldest := kept.lookup(fileID{2, maxDigests + 9, 1, 1, 1}, false)
	if len(kept.known) != maxDigests || !newest || oldest {
		t.Errorf("%d digests, newest %v, oldest %v", len(kept.known), newest, oldest)
	}
}

// TestSettled tests git's rule for racy files, also on file systems with whole seconds.
func TestSettled(t *testing.T) {
	const second = int64(time.Second)
	for _, c := range []struct {
		mtime, ctime, at int64
		want             bool
	}{
		{100*second + 1, 100*second + 1, 101 * second, true},
		{100*second + 1, 101 * second, 101 * second, false}, // changed in the tick in which it was hashed
		{101 * second, 100*second + 1, 101*second + 1, false},
		{100 * second, 100 * second, 101 * second, false}, // whole seconds: two must pass
		{100 * second, 100 * second, 102*second + 1, true},
		{200 * second, 200 * second, 100 * second, false}, // from the future
	} {
		r := hashedFile{id: fileID{mtime: c.mtime, ctime: c.ctime}, at: c.at}
		if got := r.isSettled(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
