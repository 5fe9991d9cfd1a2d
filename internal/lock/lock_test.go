package lock_test

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// committed is a lock of this repository.
const committed = "../../locks/pylock.local.toml"

func TestCommittedLock(t *testing.T) {
	data, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Decode(data, "locks/pylock.local.toml")
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Encode(); !bytes.Equal(got, data) {
		t.Error("reading and writing the lock changes it: it was edited by hand, or Encode changed; run `reconcile lock`")
	}
	if l.RequiresPython != ">=3.10,<3.11" {
		t.Errorf("requires-python is %q", l.RequiresPython)
	}
	if bytes.Contains(data, []byte("://")) {
		t.Error("the lock contains a URL")
	}
	for _, platform := range []string{"linux-x86_64", "macos-arm64"} {
		dists, err := l.For(platform)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dists {
			if len(d.Wheels) != 1 || d.Wheels[0].SHA256.IsZero() || d.Download() == 0 || d.Disk() < d.Wheels[0].Unpacked {
				t.Errorf("%s: %s does not have one wheel with digest and size: %+v", platform, d.Name, d.Wheels)
			}
		}
		for _, request := range l.Requests {
			name, version, _ := strings.Cut(request, "==")
			if !slices.ContainsFunc(dists, func(d lock.Dist) bool { return d.Name == name && d.Version == version }) {
				t.Errorf("%s: %s is requested but not installed", platform, request)
			}
		}
	}
	if _, err := l.For("linux-aarch64"); err == nil {
		t.Error("For accepts a platform that is not locked")
	}
}

// sample is a small lock; tests replace parts of it.
const sample = `lock-version = "1.0"
environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
requires-python = ">=3.10,<3.11"
created-by = "reconcile"

[[packages]]
name = "attrs"
version = "26.1.0"
wheels = [
    {name = "attrs-26.1.0-py3-none-any.whl", path = "wheels/attrs-26.1.0-py3-none-any.whl", size = 10, hashes = {sha256 = "99b87a485a5820b23b879f04c2305b44b951b502fd64be915879d77a7e8fc6f1"}},
]

[[packages]]
name = "triton"
version = "2.1.0"
marker = "sys_platform == 'linux' and platform_machine == 'x86_64'"
wheels = [
    {name = "triton-2.1.0-0-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", path = "wheels/x", hashes = {sha256 = "185b334ff2ca5a91362993f42e83588a360cf95ce4b71a73548502bda52a7c55"}},
]

[tool.reconcile]
format = 1
platforms = ["linux-x86_64", "macos-arm64"]
requests = ["attrs==26.1.0", "triton==2.1.0"]

[tool.reconcile.unpacked]
"attrs-26.1.0-py3-none-any.whl" = 40
`

func TestDecode(t *testing.T) {
	l, err := lock.Decode([]byte(sample), "pylock.toml")
	if err != nil {
		t.Fatal(err)
	}
	linux, _ := l.For("linux-x86_64")
	mac, _ := l.For("macos-arm64")
	if len(linux) != 2 || len(mac) != 1 || mac[0].Name != "attrs" {
		t.Errorf("linux installs %v, macOS %v", linux, mac)
	}
	if linux[0].Disk() != 40 || linux[0].Download() != 10 {
		t.Errorf("sizes are %d and %d", linux[0].Disk(), linux[0].Download())
	}
	again, err := lock.Decode(l.Encode(), "pylock.toml")
	if err != nil || !bytes.Equal(again.Encode(), l.Encode()) {
		t.Errorf("Decode(Encode()) is different: %v", err)
	}
}

func TestDecodeRejects(t *testing.T) {
	hash := "99b87a485a5820b23b879f04c2305b44b951b502fd64be915879d77a7e8fc6f1"
	for _, c := range []struct{ name, old, new, code, pos string }{
		{"not TOML", `version = "26.1.0"`, `version = 26.1.0`, "lock.syntax", "pylock.toml:8"},
		{"unknown key", `version = "26.1.0"`, "version = \"26.1.0\"\nverson = \"1\"", "lock.unknown-key", "pylock.toml:9:1"},
		{"other lock-version", `lock-version = "1.0"`, `lock-version = "2.0"`, "lock.version", "pylock.toml:1:1"},
		{"other format", `format = 1`, `format = 2`, "lock.version", "pylock.toml:22:1"},
		{"Python range", `">=3.10,<3.11"`, `">=3.10"`, "lock.python", "pylock.toml:3:1"},
		{"unknown platform", `"macos-arm64"]`, `"amiga"]`, "lock.platform", "pylock.toml:23:1"},
		{"short hash", hash, hash[:60], "lock.hash", "pylock.toml:10"},
		{"hash of other letters", hash, "zz" + hash[2:], "lock.hash", "pylock.toml:10"},
		{"zero hash", hash, strings.Repeat("0", 64), "lock.hash", "pylock.toml:10"},
		{"negative size", `size = 10`, `size = -10`, "lock.wheel", "pylock.toml:10"},
		{"wheel of another package", `name = "attrs-26`, `name = "other-26`, "lock.wheel", "pylock.toml:10"},
		{"wheel of another version", `name = "attrs-26.1.0`, `name = "attrs-26.1.1`, "lock.wheel", "pylock.toml:10"},
		{"no wheel name", `name = "attrs-26.1.0-py3-none-any.whl"`, `name = "attrs-26.1.0.tar.gz"`, "lock.wheel", "pylock.toml:10"},
		{"wheel name with a path", `name = "attrs-26.1.0-py3-none-any.whl"`, `name = "../attrs-26.1.0-py3-none-any.whl"`, "lock.wheel", "pylock.toml:10"},
		{"package name is an option", `name = "attrs"`, `name = "--index-url"`, "lock.package", "pylock.toml:7"},
		{"version is a second line", `version = "26.1.0"`, `version = "26.1.0\n-r x"`, "lock.package", "pylock.toml:7"},
		{"foreign marker", `marker = "sys_platform == 'linux' and platform_machine == 'x86_64'"`, `marker = "os_name == 'nt'"`, "lock.marker", "pylock.toml:14"},
		{"no wheel for a platform", "marker = \"sys_platform == 'linux' and platform_machine == 'x86_64'\"\n", "", "lock.source", "pylock.toml:14"},
		{"twice", `name = "triton"`, `name = "attrs"`, "lock.duplicate", "pylock.toml:14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(sample, c.old, c.new, 1)
			if text == sample {
				t.Fatal("the case does not change the text")
			}
			if c.name == "twice" { // the second attrs, whole
				text = strings.Replace(text, `version = "2.1.0"`, `version = "26.1.0"`, 1)
				text = strings.Replace(text, `{name = "triton-2.1.0-0-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"`, `{name = "attrs-26.1.0-py3-none-any.whl"`, 1)
			}
			_, err := lock.Decode([]byte(text), "pylock.toml")
			problems := diag.Problems(err)
			found := slices.ContainsFunc(problems, func(p *diag.Problem) bool {
				return p.Code == c.code && strings.HasPrefix(p.Pos.String(), c.pos)
			})
			if !found {
				t.Errorf("want %s at %s, got:\n%v", c.code, c.pos, err)
			}
		})
	}
}

// withSource returns sample with a package x 1.0 that has a source.
func withSource(source string) string {
	return strings.Replace(sample, "[tool.reconcile]\n", "[[packages]]\nname = \"x\"\nversion = \"1.0\"\n"+source+"\n\n[tool.reconcile]\n", 1)
}

const someDigest = "99b87a485a5820b23b879f04c2305b44b951b502fd64be915879d77a7e8fc6f1"

func TestDecodeRejectsSources(t *testing.T) {
	for _, source := range []string{
		`sdist = {name = "x-1.0.tar.bz2", path = "x", hashes = {sha256 = "` + someDigest + `"}}`,
		`sdist = {name = "../x-1.0.tar.gz", path = "x", hashes = {sha256 = "` + someDigest + `"}}`,
		`vcs = {type = "git", url = "x", commit-id = "y"}`,
		`vcs = {type = "git", url = "https://host.example/x.git", commit-id = "99b87a485a"}`,
		`vcs = {type = "git", url = "ext::sh -c true", commit-id = "0123456789012345678901234567890123456789"}`,
		`directory = {path = "."}`,
		`directory = {path = "..", editable = true}`,
		`directory = {path = "/x", editable = true}`,
		`archive = {path = "../x.zip", hashes = {sha256 = "` + someDigest + `"}}`,
		`archive = {url = "https://me:secret@host.example/x.zip", hashes = {sha256 = "` + someDigest + `"}}`,
		`archive = {url = "http://host.example/x.zip", hashes = {sha256 = "` + someDigest + `"}}`,
		`archive = {path = "x.zip", subdirectory = "../y", hashes = {sha256 = "` + someDigest + `"}}`,
		`wheels = []`,
		"directory = {path = \".\", editable = true}\nvcs = {type = \"git\", url = \"https://host.example/x.git\", commit-id = \"0123456789012345678901234567890123456789\"}",
	} {
		_, err := lock.Decode([]byte(withSource(source)), "pylock.toml")
		problems := diag.Problems(err)
		if len(problems) != 1 || problems[0].Code != "lock.source" || problems[0].Pos.Line != 22 {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// TestSources writes and reads packages of every source.
func TestSources(t *testing.T) {
	var sum facts.SHA256
	if err := sum.UnmarshalText([]byte(someDigest)); err != nil {
		t.Fatal(err)
	}
	platforms := []string{"linux-x86_64"}
	setuptools := lock.Package{Name: "setuptools", Version: "80.9.0", Wheels: []lock.Wheel{{File: "setuptools-80.9.0-py3-none-any.whl", SHA256: sum, Size: 7, Unpacked: 9, Platforms: platforms}}}
	l := &lock.Lock{Path: "locks/a/pylock.toml", RequiresPython: ">=3.10,<3.11", Platforms: platforms, Requests: []string{"six>=1"}, Packages: []lock.Package{
		{Name: "archive", Version: "1.0", Build: &lock.Build{Source: lock.Source{File: "archive-1.0.zip", SHA256: sum, URL: "https://host.example/archive-1.0.zip", Subdirectory: "py"}}},
		{Name: "direct", Version: "1.0", URL: "./wheels/direct-1.0-py3-none-any.whl", Wheels: []lock.Wheel{{File: "direct-1.0-py3-none-any.whl", SHA256: sum, Platforms: platforms}}},
		{Name: "git", Version: "1.0", Build: &lock.Build{Source: lock.Source{Git: "https://host.example/x.git", Commit: strings.Repeat("0123456789", 4), Subdirectory: "py"}}},
		{Name: "linked", Version: "1.0+cu128", URL: "https://host.example/linked-1.0%2Bcu128-py3-none-any.whl", Wheels: []lock.Wheel{{File: "linked-1.0+cu128-py3-none-any.whl", SHA256: sum, Size: 3, Platforms: platforms}}},
		{Name: "mine", Version: "1.0", Build: &lock.Build{Source: lock.Source{Directory: "."}, Requires: []lock.Package{setuptools}}},
		{Name: "sdist", Version: "1.0", Dependencies: []string{"direct", "git"}, Index: "private", Build: &lock.Build{
			Source: lock.Source{File: "sdist-1.0.tar.gz", Size: 5, SHA256: sum}, Requires: []lock.Package{setuptools}, With: []string{"direct"},
		}},
	}}
	text := l.Encode()
	got, err := lock.Decode(text, l.Path)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !reflect.DeepEqual(got, l) {
		t.Errorf("reading\n%s\ngives\n%+v\nwant\n%+v", text, got, l)
	}
}

func TestRead(t *testing.T) {
	fsys := fstest.MapFS{"locks/a.toml": {Data: []byte(sample)}}
	if l, err := lock.Read(fsys, "locks/a.toml"); err != nil || l.Path != "locks/a.toml" {
		t.Errorf("%v", err)
	}
	_, err := lock.Read(fsys, "locks/b.toml")
	if p := diag.Problems(err); len(p) != 1 || p[0].Code != "lock.missing" || !strings.Contains(p[0].Hint, "reconcile lock") {
		t.Errorf("%v", err)
	}
	if _, err := lock.Read(fsys, "locks"); err == nil {
		t.Error("Read accepts a directory")
	}
}

func TestStale(t *testing.T) {
	l, err := lock.Decode([]byte(sample), "pylock.toml")
	if err != nil {
		t.Fatal(err)
	}
	requests, platforms := []string{"triton==2.1.0", "attrs==26.1.0"}, []string{"macos-arm64", "linux-x86_64"}
	if p := l.Stale(lock.Inputs{Requests: requests, Platforms: platforms, Python: "3.10"}); p != nil {
		t.Errorf("Stale depends on the order of pins and platforms: %v", p)
	}
	for found, p := range map[string]*diag.Problem{
		"not in the lock: attrs==26.2.0":           l.Stale(lock.Inputs{Requests: []string{"attrs==26.2.0", "triton==2.1.0"}, Platforms: platforms, Python: "3.10"}),
		"not in the manifest: triton==2.1.0":       l.Stale(lock.Inputs{Requests: []string{"attrs==26.1.0"}, Platforms: platforms, Python: "3.10"}),
		"not locked for linux-aarch64":             l.Stale(lock.Inputs{Requests: requests, Platforms: append(platforms, "linux-aarch64"), Python: "3.10"}),
		"locked for macos-arm64, which":            l.Stale(lock.Inputs{Requests: requests, Platforms: platforms[1:], Python: "3.10"}),
		"the manifest has 3.11":                    l.Stale(lock.Inputs{Requests: requests, Platforms: platforms, Python: "3.11"}),
		"not in the manifest: attrs==26.1.0\nnot ": l.Stale(lock.Inputs{Requests: nil, Platforms: platforms, Python: "3.10"}),
	} {
		if p == nil || p.Code != "lock.stale" || !strings.Contains(p.Found, found) {
			t.Errorf("want %q, got %v", found, p)
		}
	}
}

func TestEntry(t *testing.T) {
	a := lock.Dist{Name: "a", Version: "1", Wheels: []lock.Wheel{{SHA256: facts.SHA256{1}}, {SHA256: facts.SHA256{2}}}}
	b := lock.Dist{Name: "a", Version: "1", Wheels: []lock.Wheel{{SHA256: facts.SHA256{2}, File: "x"}, {SHA256: facts.SHA256{1}}}}
	if a.Entry() != b.Entry() || len(a.Entry()) != 16 {
		t.Errorf("equal hashes give the entries %s and %s", a.Entry(), b.Entry())
	}
	b.Version = "2"
	if a.Entry() == b.Entry() {
		t.Error("versions 1 and 2 have the same entry")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(withConda))
	f.Add([]byte("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [{}]\n[tool.reconcile]\nformat = 1\n"))
	f.Add([]byte("lock-version = \"1.0\"\nrequires-python = \">=3.10,<3.11\"\npackages = [{name = \"a\", version = \"1\", wheels = [{name = \"a-1-py3-none-any.whl\"}]}]\n[tool.reconcile]\nformat = 1\nplatforms = [\"linux-x86_64\"]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := lock.Decode(data, "pylock.toml")
		if err != nil {
			for _, p := range diag.Problems(err) {
				if p.Code == "internal" || p.Pos.File != "pylock.toml" {
					t.Errorf("a problem without a position: %+v", p)
				}
			}
			return
		}
		once := l.Encode()
		again, err := lock.Decode(once, "pylock.toml")
		if err != nil {
			t.Fatalf("Decode(Encode()): %v\n%s", err, once)
		}
		if !bytes.Equal(again.Encode(), once) {
			t.Errorf("encoding twice differs\n%s\n%s", once, again.Encode())
		}
		for _, platform := range l.Platforms {
			if _, err := l.For(platform); err != nil {
				t.Fatal(err)
			}
		}
	})
}
