package lock_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// hostile are texts that would end a comment, or have a meaning in YAML, if they were
// not quoted.
var hostile = []string{
	"plain", "line\nend", "line\r\nend", "next\u0085line", "line\u2028end", "paragraph\u2029end", "\v\f\x1c\x1d\x1e", "zero\x00byte", "\x1b[2J", "\u202eright to left",
	"# more", "- item", ": value", "{a: b}", "[a]", "'", `"`, `\`, "%", "@", "`", "&a", "*a", "!!python/object:os.system", "? key", "|", ">", "\ttab",
	"null", "Null", "NULL", "~", "true", "True", "yes", "no", "NO", "on", "Off", "y", "n", "1e3", "1_0", "0x1", "1:30", "2024-01-01", ".inf", ".NaN", "=", "<<", "---", "...",
	"\ufeffmark", "\ufffe", "\uffff", "\ufffd", "emoji 🙂", "ünï 漢", "end \\", "  blanks  ",
}

func TestCondaFile(t *testing.T) {
	l, err := lock.Decode([]byte(withConda), "locks/pylock.remote.toml")
	if err != nil {
		t.Fatal(err)
	}
	f := lock.CondaFile{
		Project: "lora\nfinetune", Environment: "remote", Name: "lora-remote", Channels: []string{"conda-forge", "https://channel.example/one", "nodefaults"}, Python: "3.10",
		Conda: []lock.CondaPin{
			{Name: "cuda-nvcc", Version: "12.1.105", Build: "0", Why: "compiles\n- evil\u2028# more \x1b[2J"},
			{Name: "zlib", Version: "1!1.3"},
		},
		Packages: []lock.Requirement{
			{Name: "Attrs", Specifier: "==26.1.0", Why: "classes\r\n  - --index-url=http://evil \\"},
			{Name: "lxml", Specifier: "==6.1.1", Extras: []string{"html_clean"}, Marker: "python_version < '3.11'"},
		},
	}
	pinned := f
	pinned.Conda = []lock.CondaPin{{Name: "python", Version: "3.10.14"}, {Name: "pip", Version: "24.2"}}
	pinned.Packages = nil
	closed := f
	closed.Closure = l
	golden.Check(t, "testdata/environment.yml", []byte(closed.Encode()))
	golden.Check(t, "testdata/environment-unlocked.yml", []byte(f.Encode()))
	golden.Check(t, "testdata/environment-pinned.yml", []byte(pinned.Encode()))
}

// TestCondaFileIsReadBack reads environment files with PyYAML: each value is unchanged,
// and no text of a manifest adds an item.
func TestCondaFileIsReadBack(t *testing.T) {
	python := withYAML(t)
	type document struct {
		Name         string   `json:"name"`
		Channels     []string `json:"channels"`
		Dependencies []any    `json:"dependencies"`
	}
	var files []string
	for _, text := range hostile {
		f := lock.CondaFile{
			Project: text, Environment: text, Name: text, Channels: []string{text, "conda-forge"}, Python: "3.10",
			Conda:    []lock.CondaPin{{Name: "zlib", Version: "1.3", Why: text}, {Name: "null", Version: "1!2"}},
			Packages: []lock.Requirement{{Name: "attrs", Specifier: "==26.1.0", Why: text, Marker: "python_version < '3.11'"}},
		}
		files = append(files, f.Encode())
	}
	input, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, "-I", "-c", `
import json, sys, yaml
out = []
for text in json.load(sys.stdin):
    try:
        out.append({"document": yaml.safe_load(text)})
    except Exception as error:
        out.append({"error": str(error)})
json.dump(out, sys.stdout)
`)
	c.Stdin = bytes.NewReader(input)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var read []struct {
		Document json.RawMessage `json:"document"`
		Error    string          `json:"error"`
	}
	if err := json.Unmarshal(out, &read); err != nil || len(read) != len(files) {
		t.Fatalf("%v: %s", err, out)
	}
	dependencies := []any{"python=3.10", "zlib==1.3", "null==1!2", "pip", map[string]any{"pip": []any{"attrs==26.1.0 ; python_version < '3.11'"}}}
	for i, text := range hostile {
		var got document
		if err := json.Unmarshal(read[i].Document, &got); err != nil || read[i].Error != "" {
			t.Errorf("%q: %v %s\n%s", text, err, read[i].Error, files[i])
			continue
		}
		if got.Name != text || len(got.Channels) != 2 || got.Channels[0] != text || got.Channels[1] != "conda-forge" {
			t.Errorf("%q is read as %q and %q", text, got.Name, got.Channels)
		}
		have, _ := json.Marshal(got.Dependencies)
		if want, _ := json.Marshal(dependencies); !bytes.Equal(have, want) {
			t.Errorf("%q: dependencies are %s, want %s", text, have, want)
		}
	}
}

// withYAML returns a Python of this machine with PyYAML.
func withYAML(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".pyenv/versions/*/bin/python3"))
	for _, python := range append(found, lookPath("python3")) {
		if python != "" && exec.Command(python, "-I", "-c", "import yaml").Run() == nil {
			return python
		}
	}
	t.Skip("no Python with PyYAML on this machine")
	return ""
}

func FuzzCondaFile(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, why, name string) {
		text := lock.CondaFile{
			Project: name, Environment: name, Name: name, Channels: []string{name}, Python: "3.10",
			Conda: []lock.CondaPin{{Name: "a", Version: "1", Why: why}}, Packages: []lock.Requirement{{Name: "b", Specifier: "==2", Why: why}},
		}.Encode()
		var rest []string
		for line := range strings.Lines(strings.Map(anyLineEnd, text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				rest = append(rest, line)
			}
		}
		if len(rest) != 9 || rest[4] != "- python=3.10" || rest[5] != "- a==1" || rest[6] != "- pip" || rest[8] != "- b==2" {
			t.Errorf("a text contains a line end: %q", rest)
		}
	})
}

// TestCondaFileWithoutWheels checks that there is no empty pip list, which conda reads as null.
func TestCondaFileWithoutWheels(t *testing.T) {
	text := lock.CondaFile{Environment: "remote", Project: "story", Name: "story", Channels: []string{"conda-forge"}, Python: "3.10", Closure: &lock.Lock{}}.Encode()
	if strings.Contains(text, "- pip:") || !strings.Contains(text, "  - python=3.10\n") {
		t.Error(text)
	}
}
