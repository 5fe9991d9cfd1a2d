package lock_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// condaPart is the conda part of a lock, after sample; tests replace parts
// of it. The packages are in lines 36, 52 and 65 of the file.
const condaPart = `
# Conda packages, solved for each platform.
[tool.reconcile.conda]
channels = ["conda-forge", "https://channel.example/one"]
requests = ["pip ==24.2", "python 3.10.*"]

[[tool.reconcile.conda.packages]]
platform = "linux-x86_64"
name = "pip"
version = "24.2"
build = "pyh8b19718_1"
channel = "https://channel.example/one"
subdir = "noarch"
noarch = "python"
file = "pip-24.2-pyh8b19718_1.conda"
sha256 = "d820e5358bcb117fa6286e55d4550c60b0332443df62121df839eab2d11c890b"
md5 = "6c78fbb8ddfd64bcb55b5cbafd2d2c43"
license = "MIT"
build-number = 1
size = 1237976
depends = ["python >=3.8,<3.13.0a0", "setuptools", "wheel"]

[[tool.reconcile.conda.packages]]
platform = "linux-x86_64"
name = "python"
version = "3.10.13"
build = "hd12c33a_1_cpython"
channel = "conda-forge"
subdir = "linux-64"
file = "python-3.10.13-hd12c33a_1_cpython.tar.bz2"
sha256 = "a53410f459f314537b379982717b1c5911efc2f0cc26d63c4d6f831bcb31c964"
site-packages = "lib/python3.10/site-packages"
build-number = 1
constrains = ["python_abi 3.10.* *_cp310"]

[[tool.reconcile.conda.packages]]
platform = "macos-arm64"
name = "python"
version = "3.10.13"
build = "h2469fbe_1_cpython"
channel = "conda-forge"
subdir = "osx-arm64"
file = "python-3.10.13-h2469fbe_1_cpython.conda"
sha256 = "eb1b9fe7d1a2e9b0e1ed0e1e0a7ef1b1be1d2a2ebb8d1e8ea1eaf5ab66f5b1a7"
build-number = 1
`

const withConda = sample + condaPart

func TestDecodeConda(t *testing.T) {
	l, err := lock.Decode([]byte(withConda), "pylock.toml")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(l.Encode()); !strings.HasSuffix(text, condaPart) {
		t.Errorf("the conda part is encoded as\n%s", text[strings.LastIndex(text, "# Conda packages"):])
	}
	linux, mac := l.Conda.For("linux-x86_64"), l.Conda.For("macos-arm64")
	if len(linux) != 2 || len(mac) != 1 || len(l.Conda.For("linux-aarch64")) != 0 {
		t.Errorf("linux has %v, macOS %v", linux, mac)
	}
	want := rattler.Package{
		Name: "pip", Version: "24.2", Build: "pyh8b19718_1", BuildNumber: 1, Channel: "https://channel.example/one", Subdir: "noarch", Noarch: "python",
		File: "pip-24.2-pyh8b19718_1.conda", Size: 1237976, SHA256: linux[0].SHA256, MD5: "6c78fbb8ddfd64bcb55b5cbafd2d2c43",
		Depends: []string{"python >=3.8,<3.13.0a0", "setuptools", "wheel"}, License: "MIT",
	}
	got, _ := json.Marshal(linux[0])
	if expected, _ := json.Marshal(want); !bytes.Equal(got, expected) {
		t.Errorf("got  %s\nwant %s", got, expected)
	}
	if v := l.Conda.Version("python"); v != "3.10.13" || l.Conda.Version("pandas") != "" {
		t.Errorf("version of Python is %q", v)
	}
	facts := lock.CondaFacts(linux)
	if len(facts) != 2 || facts[0].Name != "pip" || facts[0].SHA256.String() != linux[0].SHA256 || facts[1].Build != "hd12c33a_1_cpython" {
		t.Errorf("facts are %+v", facts)
	}
	// Packages in any order give the same bytes.
	slices.Reverse(l.Conda.Packages)
	slices.Reverse(l.Conda.Requests)
	if text := string(l.Encode()); !strings.HasSuffix(text, condaPart) {
		t.Error("the order of packages changes the file")
	}
}

func TestDecodeRejectsConda(t *testing.T) {
	const digest = "d820e5358bcb117fa6286e55d4550c60b0332443df62121df839eab2d11c890b"
	for _, c := range []struct{ name, old, new, pos, found string }{
		{"name is an option", `name = "pip"`, `name = "--prefix"`, "pylock.toml:36:1", "an invalid name"},
		{"name with a path", `name = "pip"`, `name = "../pip"`, "pylock.toml:36:1", "an invalid name"},
		{"no name", `name = "pip"`, `name = ""`, "pylock.toml:36:1", "an invalid name"},
		{"upper case", `name = "pip"`, `name = "Pip"`, "pylock.toml:36:1", "an invalid name"},
		{"version with a space", `version = "24.2"`, `version = "24.2 *"`, "pylock.toml:36:1", "an invalid version"},
		{"build that is a pattern", `build = "pyh8b19718_1"`, `build = "*"`, "pylock.toml:36:1", "an invalid version or build"},
		{"no build", "build = \"pyh8b19718_1\"\n", "", "pylock.toml:36:1", "an invalid version or build"},
		{"file of another package", `file = "pip-24.2`, `file = "six-24.2`, "pylock.toml:36:1", "does not belong to pip"},
		{"file with a path", `file = "pip-24.2`, `file = "../pip-24.2`, "pylock.toml:36:1", "does not belong to pip"},
		{"file of another type", `b19718_1.conda`, `b19718_1.zip`, "pylock.toml:36:1", "does not belong to pip"},
		{"folder of another platform", `subdir = "osx-arm64"`, `subdir = "linux-64"`, "pylock.toml:65:1", "does not install"},
		{"folder with a path", `subdir = "noarch"`, `subdir = "../noarch"`, "pylock.toml:36:1", "does not install"},
		{"short digest", digest, digest[:60], "pylock.toml:36:1", "no valid sha256"},
		{"digest of other letters", digest, "zz" + digest[2:], "pylock.toml:36:1", "no valid sha256"},
		{"zero digest", digest, strings.Repeat("0", 64), "pylock.toml:36:1", "no valid sha256"},
		{"no digest", "sha256 = \"" + digest + "\"\n", "", "pylock.toml:36:1", "no valid sha256"},
		{"short md5", `md5 = "6c78`, `md5 = "`, "pylock.toml:36:1", "no valid md5"},
		{"negative size", `size = 1237976`, `size = -1`, "pylock.toml:36:1", "invalid size or build number"},
		{"size above the limit", `size = 1237976`, `size = 9223372036854775807`, "pylock.toml:36:1", "invalid size or build number"},
		{"negative build number", `build-number = 1`, `build-number = -1`, "pylock.toml:36:1", "invalid size or build number"},
		{"unknown noarch type", `noarch = "python"`, `noarch = "perl"`, "pylock.toml:36:1", "noarch"},
		{"site-packages outside the prefix", `site-packages = "lib/`, `site-packages = "../../lib/`, "pylock.toml:52:1", "site-packages"},
		{"absolute site-packages", `site-packages = "lib/`, `site-packages = "/lib/`, "pylock.toml:52:1", "site-packages"},
		{"platform that is not locked", "platform = \"linux-x86_64\"\nname = \"pip\"", "platform = \"linux-aarch64\"\nname = \"pip\"", "pylock.toml:36:1", "not a platform of the lock"},
		{"channel that is not in the lock", `channels = ["conda-forge", `, `channels = [`, "pylock.toml:52:1", "not a channel of the lock"},
		{"twice", condaPart[strings.Index(condaPart, "[[tool"):strings.Index(condaPart, "\n[[tool.reconcile.conda.packages]]\nplatform = \"linux-x86_64\"\nname = \"python\"")], "", "pylock.toml:52:1", "locked twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(withConda, c.old, c.new, 1)
			if c.name == "twice" {
				text = strings.Replace(withConda, c.old, c.old+"\n"+c.old, 1)
			}
			if text == withConda {
				t.Fatal("the case does not change the text")
			}
			_, err := lock.Decode([]byte(text), "pylock.toml")
			found := slices.ContainsFunc(diag.Problems(err), func(p *diag.Problem) bool {
				return p.Code == "lock.conda" && strings.HasPrefix(p.Pos.String(), c.pos) && strings.Contains(p.Summary, c.found) && p.Hint != ""
			})
			if !found {
				t.Errorf("want %q at %s, got:\n%v", c.found, c.pos, err)
			}
		})
	}
	_, err := lock.Decode([]byte(strings.Replace(withConda, "build-number = 1", "build-nummer = 1", 1)), "pylock.toml")
	if p := diag.Problems(err); len(p) != 1 || p[0].Code != "lock.unknown-key" || p[0].Pos.Line != 46 {
		t.Errorf("an unknown key: %v", err)
	}
}

// TestDecodeCondaOrder checks the position of a problem in a lock that is not sorted.
func TestDecodeCondaOrder(t *testing.T) {
	parts := strings.SplitAfter(condaPart, "[[tool.reconcile.conda.packages]]\n")
	text := sample + parts[0] + strings.TrimSuffix(parts[3], "\n") + "\n[[tool.reconcile.conda.packages]]\n" + strings.Replace(parts[1], `build = "pyh`, `build = "*`, 1) + parts[2]
	text = strings.TrimSuffix(text, "[[tool.reconcile.conda.packages]]\n")
	want := strings.Count(text[:strings.Index(text, `name = "pip"`)], "\n") + 1
	_, err := lock.Decode([]byte(text), "pylock.toml")
	if p := diag.Problems(err); len(p) != 1 || p[0].Pos.Line != want {
		t.Errorf("want one problem at line %d, got %v", want, err)
	}
}

func TestStaleConda(t *testing.T) {
	l, err := lock.Decode([]byte(withConda), "pylock.toml")
	if err != nil {
		t.Fatal(err)
	}
	stale := func(change func(*lock.Inputs)) *diag.Problem {
		a := lock.Inputs{
			Requests: []string{"attrs==26.1.0", "triton==2.1.0"}, Platforms: []string{"linux-x86_64", "macos-arm64"}, Python: "3.10",
			Channels: []string{"conda-forge", "https://channel.example/one"}, CondaRequests: []string{"python 3.10.*", "pip ==24.2"},
		}
		change(&a)
		return l.Stale(a)
	}
	if p := stale(func(*lock.Inputs) {}); p != nil {
		t.Errorf("stale without a change: %v", p)
	}
	for found, change := range map[string]func(*lock.Inputs){
		"the manifest has https://channel.example/one, conda-forge": func(a *lock.Inputs) { slices.Reverse(a.Channels) },
		"the manifest has conda-forge":                              func(a *lock.Inputs) { a.Channels = a.Channels[:1] },
		"the manifest has (none)":                                   func(a *lock.Inputs) { a.Channels, a.CondaRequests = nil, nil },
		"not in the lock, for conda: pip ==24.3":                    func(a *lock.Inputs) { a.CondaRequests = []string{"python 3.10.*", "pip ==24.3"} },
		"not in the manifest, for conda: pip ==24.2":                func(a *lock.Inputs) { a.CondaRequests = a.CondaRequests[:1] },
		"no conda packages are locked for linux-aarch64":            func(a *lock.Inputs) { a.Platforms = append(a.Platforms, "linux-aarch64") },
	} {
		if p := stale(change); p == nil || p.Code != "lock.stale" || !strings.Contains(p.Found, found) {
			t.Errorf("want %q, got %v", found, p)
		}
	}
	// The type of the environment has changed.
	l.Conda = nil
	if p := stale(func(*lock.Inputs) {}); p == nil || !strings.Contains(p.Found, "locked with the channels (none)") {
		t.Errorf("a lock without conda: %v", p)
	}
	if p := stale(func(a *lock.Inputs) { a.Channels, a.CondaRequests = nil, nil }); p != nil {
		t.Errorf("a lock without conda for an environment without: %v", p)
	}
}

func TestCondaSpecs(t *testing.T) {
	for _, tt := range []struct {
		pins []lock.CondaPin
		want string
	}{
		{nil, "python 3.10.*"},
		{[]lock.CondaPin{{Name: "zlib", Version: "1.3"}, {Name: "cuda-nvcc", Version: "12.1.105", Build: "0"}}, "cuda-nvcc ==12.1.105 0|python 3.10.*|zlib ==1.3"},
		{[]lock.CondaPin{{Name: "python", Version: "3.10.14"}}, "python ==3.10.14"},
		{[]lock.CondaPin{{Name: "python", Version: "3.10.14", Build: "h1_0"}, {Name: "pip", Version: "24.2"}}, "pip ==24.2|python ==3.10.14 h1_0"},
	} {
		if got := strings.Join(lock.CondaSpecs("3.10", tt.pins), "|"); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestValidCondaWords(t *testing.T) {
	for word, want := range map[string]bool{
		"pip": true, "_libgcc_mutex": true, "7zip": true, "cuda-nvcc": true, "a.b": true,
		"": false, "-pip": false, ".pip": false, "Pip": false, "pip=1": false, "pi p": false, "pip\n": false, "pîp": false, "a/b": false, "a[b]": false, "c::a": false,
		strings.Repeat("a", 129): false,
	} {
		if lock.ValidCondaName(word) != want {
			t.Errorf("name %q: %v", word, !want)
		}
	}
	for word, want := range map[string]bool{
		"1.0": true, "1!2.0": true, "2024a": true, "1.0+cu121": true, "py310_1": true, "h0_0_cpython": true,
		"": false, "*": false, "1.*": false, "=1": false, ">1": false, "1-2": false, "1 2": false, "1\n": false, "_1": false, "1/2": false, strings.Repeat("1", 129): false,
	} {
		if lock.ValidCondaWord(word) != want {
			t.Errorf("version %q: %v", word, !want)
		}
	}
}
