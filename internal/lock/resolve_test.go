package lock_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// index is a package index for tests: the JSON form of PEP 691, with
// metadata that uv reads from the wheels by range requests.
type index struct {
	*httptest.Server
	files        map[string][]byte
	withoutSizes bool
}

func newIndex(t *testing.T) *index {
	x := &index{files: map[string][]byte{}}
	x.Server = httptest.NewServer(x)
	t.Cleanup(x.Close)
	return x
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(x.files[name]))
		return
	}
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")
	var entries []string
	for file, data := range x.files {
		if strings.HasPrefix(file, strings.ReplaceAll(name, "-", "_")+"-") {
			sum := sha256.Sum256(data)
			size := fmt.Sprintf(`"size": %d, `, len(data))
			if x.withoutSizes {
				size = ""
			}
			entries = append(entries, fmt.Sprintf(`{"filename": %q, "url": %q, %s"hashes": {"sha256": %q}}`, file, x.URL+"/files/"+file, size, hex.EncodeToString(sum[:])))
		}
	}
	if len(entries) == 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	fmt.Fprintf(w, `{"meta": {"api-version": "1.1"}, "name": %q, "files": [%s]}`, name, strings.Join(entries, ","))
}

// add adds a wheel to the index.
func (x *index) add(t *testing.T, file string, requires ...string) {
	t.Helper()
	w, err := lock.ParseWheel(file)
	if err != nil {
		t.Fatal(err)
	}
	metadata := "Metadata-Version: 2.1\nName: " + w.Name + "\nVersion: " + w.Version + "\n"
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	name := strings.ReplaceAll(w.Name, "-", "_")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for path, text := range map[string]string{
		name + "/__init__.py":                          strings.Repeat("#", 1000),
		name + "-" + w.Version + ".dist-info/METADATA": metadata,
		name + "-" + w.Version + ".dist-info/WHEEL":    "Wheel-Version: 1.0\n",
		name + "-" + w.Version + ".dist-info/RECORD":   "",
	} {
		f, err := z.Create(path)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	x.files[file] = b.Bytes()
}

func (x *index) request(t *testing.T, pins ...string) lock.Request {
	t.Helper()
	uv := lookPath("uv")
	if uv == "" {
		t.Skip("no uv on PATH")
	}
	r := lock.Request{
		Path: "locks/test.toml", Python: "3.10", Platforms: []string{"macos-arm64", "linux-x86_64"},
		UV: uv, Cache: t.TempDir(), Dir: t.TempDir(), Root: t.TempDir(), Client: x.Client(), Own: "mine", Offers: x.offers,
		IndexEnv: []string{"UV_DEFAULT_INDEX=" + x.URL + "/simple"},
	}
	for i, pin := range pins {
		name, specifier := pin, ""
		if at := strings.IndexAny(pin, "=<>"); at >= 0 {
			name, specifier = pin[:at], pin[at:]
		}
		r.Packages = append(r.Packages, lock.Requirement{Name: name, Specifier: specifier, Pos: diag.Pos{File: "manifest.yaml", Line: 10 + i, Col: 3}})
	}
	return r
}

// offers implements lock.Request.Offers.
func (x *index) offers(_ context.Context, _, name string) (offers []lock.Offer, err error) {
	for file := range x.files {
		if w, err := lock.ParseWheel(file); err == nil && w.Name == name {
			offers = append(offers, lock.Offer{File: file, Version: w.Version})
		} else if version, ok := strings.CutPrefix(strings.TrimSuffix(file, ".tar.gz"), name+"-"); ok {
			offers = append(offers, lock.Offer{File: file, Version: version})
		}
	}
	return offers, nil
}

// TestResolveRanges locks the newest versions in ranges, and records who depends on what.
func TestResolveRanges(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl", "dep>=1", `only-mac; sys_platform == "darwin"`)
	x.add(t, "app-2.0-py3-none-any.whl", "dep>=1")
	x.add(t, "dep-1.0-py3-none-any.whl")
	x.add(t, "dep-1.5-py3-none-any.whl")
	x.add(t, "dep-2.0-py3-none-any.whl")
	x.add(t, "only_mac-1.0-py3-none-any.whl")
	req := x.request(t)
	req.Packages = []lock.Requirement{{Name: "app", Specifier: "<2"}, {Name: "Dep"}}
	req.Constraints = []lock.Requirement{{Name: "dep", Specifier: "<2"}}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "macos-arm64"); got != "app-1.0-py3-none-any.whl dep-1.5-py3-none-any.whl only_mac-1.0-py3-none-any.whl" {
		t.Errorf("macOS installs %s", got)
	}
	if got := l.Packages[0].Dependencies; !slices.Equal(got, []string{"dep", "only-mac"}) {
		t.Errorf("app depends on %v", got)
	}
	if want := []string{"app<2", "dep", "dep<2 (constraint)"}; !slices.Equal(l.Requests, want) {
		t.Errorf("requests are %v", l.Requests)
	}
}

// TestResolveSystems selects wheels for the systems of the machines.
func TestResolveSystems(t *testing.T) {
	x := newIndex(t)
	x.add(t, "modern-1.0-cp310-cp310-manylinux_2_31_x86_64.whl")
	x.add(t, "modern-1.0-cp310-cp310-macosx_15_0_arm64.whl")
	req := x.request(t, "modern==1.0")
	req.Systems = lock.Systems{Glibc: "2.31", MacOS: "15"}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := lock.Decode(l.Encode(), l.Path); err != nil || again.Systems != req.Systems || text(t, again, "macos-arm64") == "" {
		t.Errorf("the lock is not read back: %v", err)
	}
	if p := l.Stale(lock.Inputs{Requests: l.Requests, Platforms: l.Platforms, Python: "3.10"}); p == nil || !strings.Contains(p.Found, "glibc 2.31") {
		t.Errorf("other systems do not make the lock stale: %v", p)
	}
}

// TestResolveDefaultSystems selects the wheels that all supported systems can install: RHEL 8 and
// macOS 14 are the oldest.
func TestResolveDefaultSystems(t *testing.T) {
	x := newIndex(t)
	for _, platform := range []string{"manylinux_2_28_x86_64", "manylinux_2_31_x86_64", "macosx_14_0_arm64", "macosx_15_0_arm64"} {
		x.add(t, "modern-1.0-cp310-cp310-"+platform+".whl")
	}
	l, err := lock.Resolve(t.Context(), x.request(t, "modern==1.0"))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "linux-x86_64") + " " + text(t, l, "macos-arm64"); !strings.Contains(got, "manylinux_2_28") || !strings.Contains(got, "macosx_14_0") {
		t.Errorf("selects %s", got)
	}
}

// TestResolveIndexes takes a package from the index that it is bound to, and no other package.
func TestResolveIndexes(t *testing.T) {
	x, special := newIndex(t), newIndex(t)
	x.add(t, "torch-9.0-py3-none-any.whl")
	x.add(t, "dep-1.0-py3-none-any.whl")
	special.add(t, "torch-2.0+cu128-py3-none-any.whl", "dep")
	special.add(t, "dep-7.0-py3-none-any.whl")
	req := x.request(t)
	req.Indexes = []lock.Index{{Name: "cu128", URL: special.URL + "/simple"}}
	req.Packages = []lock.Requirement{{Name: "torch", Index: "cu128"}, {Name: "torch", Specifier: ">=1", Index: "cu128"}}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "linux-x86_64"); got != "dep-1.0-py3-none-any.whl torch-2.0+cu128-py3-none-any.whl" {
		t.Errorf("installs %s", got)
	}
	if l.Packages[0].Index != "" || l.Packages[1].Index != "cu128" || bytes.Contains(l.Encode(), []byte("127.0.0.1")) {
		t.Errorf("the lock has the wrong indexes:\n%s", l.Encode())
	}
}

// TestResolveSearchedIndexes takes each package from the first index that has it, and records
// which one that is.
func TestResolveSearchedIndexes(t *testing.T) {
	x, extra := newIndex(t), newIndex(t)
	x.add(t, "both-9.0-py3-none-any.whl")
	x.add(t, "public-1.0-py3-none-any.whl", "transitive")
	extra.add(t, "both-1.0-py3-none-any.whl")
	extra.add(t, "transitive-1.0-py3-none-any.whl")
	req := x.request(t)
	req.Indexes = []lock.Index{{Name: "extra", URL: strings.Replace(extra.URL, "http://", "http://me:secret@", 1) + "/simple/", Searched: true}}
	req.Packages = []lock.Requirement{{Name: "both"}, {Name: "public"}}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range l.Packages {
		got = append(got, p.Name+" "+p.Version+" "+p.Index)
	}
	if want := []string{"both 1.0 extra", "public 1.0 ", "transitive 1.0 extra"}; !slices.Equal(got, want) {
		t.Errorf("locked %q, want %q", got, want)
	}
}

// TestResolveHashes locks only files that the requirements permit.
func TestResolveHashes(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl")
	req := x.request(t, "app==1.0")
	req.Hashes = map[string][]facts.SHA256{"app": {sha256.Sum256(x.files["app-1.0-py3-none-any.whl"])}}
	if _, err := lock.Resolve(t.Context(), req); err != nil {
		t.Error(err)
	}
	req.Dir, req.Hashes = t.TempDir(), map[string][]facts.SHA256{"app": {sha256.Sum256(nil)}}
	if _, err := lock.Resolve(t.Context(), req); err == nil || !strings.Contains(err.Error(), "one of the hashes") {
		t.Errorf("a wheel with another hash is locked: %v", err)
	}
}

// TestResolveSources resolves what is built with its metadata, and never lets uv build.
func TestResolveSources(t *testing.T) {
	x := newIndex(t)
	x.add(t, "dep-1.0-py3-none-any.whl")
	x.add(t, "extra_dep-1.0-py3-none-any.whl")
	x.add(t, "tool-1.0-py3-none-any.whl")
	x.add(t, "app-1.0-py3-none-any.whl", "old<2")
	x.files["old-1.0.tar.gz"] = []byte("not an archive: building would fail")
	x.files["old-2.0.tar.gz"] = []byte("not an archive")
	req := x.request(t)
	wheel := filepath.Join(req.Root, "wheels", "local-1.0-py3-none-any.whl")
	x.add(t, "local-1.0-py3-none-any.whl")
	if err := errors.Join(os.Mkdir(filepath.Dir(wheel), 0o755), os.WriteFile(wheel, x.files["local-1.0-py3-none-any.whl"], 0o644)); err != nil {
		t.Fatal(err)
	}
	delete(x.files, "local-1.0-py3-none-any.whl")
	commit := strings.Repeat("0123456789", 4)
	req.Packages = []lock.Requirement{
		{Name: "app"}, {Name: "mine", URL: "./", Extras: []string{"more"}},
		{Name: "forked", URL: "git+https://host.example/forked.git@" + commit + "#subdirectory=py"},
		{Name: "local", URL: "./wheels/local-1.0-py3-none-any.whl"},
	}
	req.Builds = map[string]lock.BuildRule{"old": {With: []string{"dep"}}}
	req.Inspect = func(ctx context.Context, in lock.Inspection) (*lock.Inspected, error) {
		requires, err := in.Resolve(ctx, []string{"tool>=1"})
		return &lock.Inspected{
			Source: in.Source, Version: cmp.Or(in.Version, "0.5"), RequiresDist: []string{"dep", `extra-dep; extra == "more"`}, Extras: []string{"more"},
			Requires: requires, With: in.Rule.With,
		}, err
	}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := lock.Decode(l.Encode(), l.Path)
	if err != nil {
		t.Fatalf("%v\n%s", err, l.Encode())
	}
	var got []string
	for _, p := range again.Packages {
		what := p.URL
		if b := p.Build; b != nil {
			what = fmt.Sprintf("build %s%s%s/%s with %s%v", b.File, b.Directory, b.Git, b.Subdirectory, b.Requires[0].Name, b.With)
		}
		got = append(got, strings.TrimSpace(p.Name+" "+p.Version+" "+what))
	}
	want := []string{
		"app 1.0", "dep 1.0", "extra-dep 1.0", "forked 0.5 build https://host.example/forked.git/py with tool[]",
		"local 1.0 ./wheels/local-1.0-py3-none-any.whl", "mine 0.5 build ./ with tool[]", "old 1.0 build old-1.0.tar.gz/ with tool[dep]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("locked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestResolve(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl", "native>=1", `only-linux; sys_platform == "linux"`)
	x.add(t, "native-1.0-cp310-cp310-manylinux_2_17_x86_64.whl")
	x.add(t, "native-1.0-cp310-cp310-manylinux_2_28_x86_64.whl")
	x.add(t, "native-1.0-cp310-cp310-macosx_11_0_arm64.whl")
	x.add(t, "native-1.1-cp310-cp310-manylinux_2_28_x86_64.whl")
	x.add(t, "only_linux-2.0-py3-none-any.whl")
	req := x.request(t, "app==1.0")
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := lock.Decode(l.Encode(), l.Path); err != nil || !bytes.Equal(again.Encode(), l.Encode()) {
		t.Fatalf("Decode(Encode()) is different: %v", err)
	}
	if bytes.Contains(l.Encode(), []byte("127.0.0.1")) {
		t.Error("the URL of the index is in the lock")
	}
	linux, mac := text(t, l, "linux-x86_64"), text(t, l, "macos-arm64")
	if want := "app-1.0-py3-none-any.whl native-1.1-cp310-cp310-manylinux_2_28_x86_64.whl only_linux-2.0-py3-none-any.whl"; linux != want {
		t.Errorf("linux installs %s", linux)
	}
	if want := "app-1.0-py3-none-any.whl native-1.0-cp310-cp310-macosx_11_0_arm64.whl"; mac != want {
		t.Errorf("macOS installs %s", mac)
	}
	for _, p := range l.Packages {
		for _, w := range p.Wheels {
			if w.Unpacked < 2000 || w.Size != int64(len(x.files[w.File])) {
				t.Errorf("%s: size %d, unpacked %d", w.File, w.Size, w.Unpacked)
			}
		}
	}

	// The locked version is kept although there is a newer one.
	x.add(t, "native-1.2-cp310-cp310-manylinux_2_28_x86_64.whl")
	req.Previous, req.Dir, req.Cache = l, t.TempDir(), t.TempDir()
	kept, err := lock.Resolve(t.Context(), req)
	if err != nil || !bytes.Equal(kept.Encode(), l.Encode()) {
		t.Errorf("the second lock is different: %v\n%s", err, kept.Encode())
	}
	req.Upgrade, req.Dir = true, t.TempDir()
	upgraded, err := lock.Resolve(t.Context(), req)
	if err != nil || !strings.Contains(text(t, upgraded, "linux-x86_64"), "native-1.2") {
		t.Errorf("Upgrade does not lock the newer version: %v", err)
	}
}

// text returns the wheels of a platform.
func text(t *testing.T, l *lock.Lock, platform string) string {
	t.Helper()
	dists, err := l.For(platform)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, d := range dists {
		for _, w := range d.Wheels {
			files = append(files, w.File)
		}
	}
	return strings.Join(files, " ")
}

func TestResolveProblems(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl", "dep<2")
	x.add(t, "dep-1.0-py3-none-any.whl")
	x.add(t, "dep-2.0-py3-none-any.whl")
	x.add(t, "mac-1.0-cp310-cp310-macosx_11_0_arm64.whl")
	x.files["old-1.0.tar.gz"] = []byte("source")
	x.files["older-1.0.tar.gz"] = []byte("source")
	x.add(t, "stopped-0.1-py3-none-any.whl")
	x.files["stopped-0.3.tar.gz"] = []byte("source")
	x.files["stopped-0.4.tar.gz"] = []byte("source")
	x.add(t, "needsnew-1.0-py3-none-any.whl", "stopped>=0.4")
	x.files["needsnew-1.1.tar.gz"] = []byte("source")
	x.add(t, "needsnew-1.2-py3-none-any.whl", "stopped>=0.4")
	x.add(t, "pre-1.0.dev3-py3-none-any.whl")
	x.files["pre-1.0.tar.gz"] = []byte("source")
	x.add(t, "late-1.0-cp39-cp39-manylinux_2_17_x86_64.whl")
	x.files["late-1.0.tar.gz"] = []byte("source")
	x.add(t, "ancient-1.0-py2-none-any.whl")
	x.files["ancient-1.0.tar.gz"] = []byte("source")
	x.add(t, "modern-1.0-cp310-cp310-manylinux_2_31_x86_64.whl")
	x.add(t, "modern-1.0-cp310-cp310-macosx_11_0_arm64.whl")
	x.add(t, "apple-1.0-cp310-cp310-manylinux_2_17_x86_64.whl")
	x.add(t, "apple-1.0-cp310-cp310-macosx_15_0_arm64.whl")
	for _, c := range []struct {
		name            string
		pins            []string
		code, pos, want string
	}{
		{"no such version", []string{"app==1.0", "dep==1.5"}, "lock.pin", "manifest.yaml:11:3", "dep 2.0 is the newest version"},
		{"no such package", []string{"nowhere==1.0"}, "lock.pin", "manifest.yaml:10:3", "no version of nowhere"},
		{"no wheel", []string{"mac==1.0"}, "lock.pin", "manifest.yaml:10:3", "it has no wheel for linux-x86_64"},
		{"conflict", []string{"app==1.0", "dep==2.0"}, "lock.conflict", "manifest.yaml:1", "depend on dep<2"},
		{"conflict of the requests of two lines", []string{"dep==1.0", "dep>=2"}, "lock.conflict", "manifest.yaml:10:3", "manifest.yaml:11:3: dep>=2"},
		{"no specifier", []string{"app==1 or 2"}, "lock.pin", "manifest.yaml:10:3", "not a version specifier"},
		{"option", []string{"--index-url==1"}, "lock.pin", "manifest.yaml:10:3", "not a valid package name"},
		{"a range with wheels, and a conflict with a package that is source only", []string{"needsnew>=1", "stopped>=0.2,<0.4"}, "lock.conflict", "manifest.yaml:1", "stopped"},
		{"source only, several", []string{"old==1.0", "app==1.0", "older"}, "lock.source", "manifest.yaml:1", "build: [old, older]"},
		{"source only since years", []string{"stopped>=0.1"}, "lock.source", "manifest.yaml:10:3", "stopped 0.4"},
		{"source only, and a pre-release with a wheel", []string{"pre"}, "lock.source", "manifest.yaml:10:3", "pre 1.0"},
		{"a wheel for Python 2 only", []string{"ancient==1.0"}, "lock.source", "manifest.yaml:10:3", "build: [ancient]"},
		{"another Python", []string{"late==1.0"}, "lock.pin", "manifest.yaml:10:3", "are for Python 3.9"},
		{"newer glibc", []string{"modern==1.0"}, "lock.pin", "manifest.yaml:10:3", "need glibc 2.31"},
		{"newer macOS", []string{"apple==1.0"}, "lock.pin", "manifest.yaml:10:3", `add macos: "15"`},
		{"a local version", []string{"dep==2.0+private"}, "lock.pin", "manifest.yaml:10:3", `"dep @ https://HOST/FILE.whl", or request dep==2.0`},
		{"the project itself", []string{"mine==1.0"}, "lock.pin", "manifest.yaml:10:3", "project: editable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := lock.Resolve(t.Context(), x.request(t, c.pins...))
			p := diag.Problems(err)
			if len(p) != 1 || p[0].Code != c.code || !strings.HasPrefix(p[0].Pos.String(), c.pos) || !strings.Contains(p[0].Error(), c.want) || strings.Contains(p[0].Error(), "reconcile-manifest") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestBuildsOfTorchNameTheirIndex requests builds of torch that are not in the public index.
func TestBuildsOfTorchNameTheirIndex(t *testing.T) {
	x := newIndex(t)
	for _, platform := range []string{"manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_11_0_arm64"} {
		x.add(t, "torch-2.9.1-cp310-cp310-"+platform+".whl")
		x.add(t, "torchvision-0.24.1-cp310-cp310-"+platform+".whl")
	}
	linux, both := []string{"linux-x86_64"}, []string{"linux-x86_64", "macos-arm64"}
	for _, c := range []struct {
		name      string
		platforms []string
		pins      []string
		want, not []string
	}{
		{"the CPU", both, []string{"torch==2.9.1+cpu"}, []string{
			"indexes: [public, {name: pytorch-cpu, url: https://HOST/whl/cpu}]\n", "- {name: torch, version: 2.9.1, index: pytorch-cpu}\n", "built for CUDA 12.8",
		}, []string{"request"}},
		{"the CUDA of the public index", linux, []string{"torch==2.9.1+cu128"}, []string{"hint: request torch==2.9.1, for CUDA 12.8"}, []string{"HOST"}},
		{"another CUDA", both, []string{"torch==2.9.1+cu126", "torchvision==0.24.1+cu126"}, []string{
			"request torch==2.9.1, for CUDA 12.8\n", "{name: pytorch-cu126, url: https://HOST/whl/cu126}", "- {name: torch, version: 2.9.1+cu126, index: pytorch-cu126, platforms: [linux-x86_64]}\n", "- {name: torch, version: 2.9.1, platforms: [macos-arm64]}\n", "- {name: torchvision, version: 0.24.1+cu126, index: pytorch-cu126, platforms: [linux-x86_64]}\n",
		}, nil},
		{"a CUDA that never was", linux, []string{"torch==2.9.1+cu124"}, []string{
			"no build for CUDA 12.4 on linux-x86_64, only for 12.6, 12.8, 12.9, 13.0", "- {name: torch, version: 2.9.1+cu126, index: pytorch-cu126}\n",
		}, []string{"2.9.1+cu124,", "whl/cu124"}},
		{"AMD", linux, []string{"torch==2.9.1+rocm6.4"}, []string{"- {name: torch, version: 2.9.1+rocm6.4, index: pytorch-rocm6.4}\n"}, []string{"request"}},
		{"another package", linux, []string{"torchvision==0.24.1+cu128"}, []string{"- {name: torchvision, version: 0.24.1+cu128, index: pytorch-cu128}\n"}, []string{"torch,"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := x.request(t, c.pins...)
			req.Platforms = c.platforms
			_, err := lock.Resolve(t.Context(), req)
			p := diag.Problems(err)
			if len(p) != 1 || p[0].Code != "lock.pin" || !strings.HasSuffix(p[0].Summary, " is not in the index") {
				t.Fatalf("got %v", err)
			}
			text := "found: " + p[0].Found + "\nhint: " + p[0].Hint + "\n"
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%q is in\n%s", not, text)
				}
			}
		})
	}
}

// TestRangesWithoutWheels explains ranges whose releases all lack wheels for the locked systems or
// Python.
func TestRangesWithoutWheels(t *testing.T) {
	x := newIndex(t)
	x.add(t, "torch-2.11.0-cp310-cp310-macosx_11_0_arm64.whl")
	x.add(t, "torch-2.12.0-cp310-cp310-macosx_14_0_arm64.whl")
	x.add(t, "numpy-2.2-cp310-cp310-macosx_11_0_arm64.whl")
	x.add(t, "numpy-2.4-cp311-cp311-macosx_11_0_arm64.whl")
	x.add(t, "vllm-0.12-cp310-cp310-manylinux_2_31_x86_64.whl")
	x.files["vllm-0.12.tar.gz"] = []byte("source")
	for pin, want := range map[string]struct {
		code, found, hint string
		key               string
	}{
		"torch>=2.12": {"lock.pin", "torch 2.12.0: its wheels need macOS 14", `add macos: "14" to the environment`, "macos"},
		"numpy>=2.4":  {"lock.pin", "numpy 2.4: its wheels for macos-arm64 are for Python 3.11", `write python: "3.11" in the environment`, ""},
		"vllm>=0.12":  {"lock.source", "vllm 0.12 for linux-x86_64: its wheels need glibc 2.31", "if all machines have it, add glibc: \"2.31\" to the environment\nor request an earlier version of vllm\n", "glibc"},
	} {
		req := x.request(t, pin)
		req.Systems.MacOS, req.Platforms = "13", []string{"macos-arm64"}
		if strings.HasPrefix(pin, "vllm") {
			req.Platforms = []string{"linux-x86_64"}
		}
		_, err := lock.Resolve(t.Context(), req)
		p := diag.Problems(err)
		if len(p) != 1 || p[0].Code != want.code || !strings.Contains(p[0].Found, want.found) || !strings.Contains(p[0].Hint, want.hint) || want.key != "" && p[0].Keys[want.key] == "" {
			t.Errorf("%s: got %v", pin, err)
		}
	}
}

// TestReleasesForNewerSystems does not choose an old release silently because the newer ones have
// wheels for newer systems only, and no source.
func TestReleasesForNewerSystems(t *testing.T) {
	x := newIndex(t)
	for _, file := range []string{"torch-2.10-cp310-none-macosx_11_0_arm64.whl", "torch-2.11-cp310-none-macosx_11_0_arm64.whl", "torch-2.12-cp310-none-macosx_14_0_arm64.whl", "torch-2.13-cp310-none-macosx_14_0_arm64.whl"} {
		x.add(t, file)
	}
	req := x.request(t, "torch>=2.1")
	req.Systems.MacOS, req.Platforms = "13", []string{"macos-arm64"}
	_, err := lock.Resolve(t.Context(), req)
	p := diag.Problems(err)
	if len(p) != 1 || p[0].Code != "lock.pin" || p[0].Found != "torch 2.13: its wheels need macOS 14" || p[0].Keys["macos"] != "14" || !strings.HasSuffix(p[0].Hint, "\nor request torch==2.11, the newest release for this system") {
		t.Errorf("got %v", err)
	}
}

// TestDependencyForNewerSystems does not choose an old release silently because a dependency of the
// newer ones has wheels for newer systems only. Other reasons for an old release are those of uv.
func TestDependencyForNewerSystems(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl")
	x.add(t, "app-2.0-py3-none-any.whl", "native", "dep<2")
	x.add(t, "app-2.1-py3-none-any.whl", "native", "dep<2")
	x.add(t, "dep-1.0-py3-none-any.whl")
	x.add(t, "dep-2.0-py3-none-any.whl")
	x.add(t, "native-1.0-cp310-cp310-manylinux_2_31_x86_64.whl")
	x.files["native-1.0.tar.gz"] = []byte("source")
	req := x.request(t, "app")
	req.Platforms = []string{"linux-x86_64"}
	_, err := lock.Resolve(t.Context(), req)
	p := diag.Problems(err)
	if len(p) != 1 || p[0].Code != "lock.source" || p[0].Found != "native 1.0, required by app for linux-x86_64: its wheels need glibc 2.31" || p[0].Keys["glibc"] != "2.31" || !strings.Contains(p[0].Hint, "an earlier version of app") || p[0].Pos.Line != 10 {
		t.Errorf("got %v", err)
	}
	for _, pins := range [][]string{{"app<2"}, {"app", "dep>=2"}} {
		req := x.request(t, pins...)
		req.Platforms = []string{"linux-x86_64"}
		if l, err := lock.Resolve(t.Context(), req); err != nil || !strings.Contains(text(t, l, "linux-x86_64"), "app-1.0") {
			t.Errorf("%v: %v", pins, err)
		}
	}
}

// TestDeclaredIndexOfTorch names an index that the manifest has, and the builds that an index has.
func TestDeclaredIndexOfTorch(t *testing.T) {
	public, own := newIndex(t), newIndex(t)
	public.add(t, "torch-2.9.1-cp310-cp310-manylinux_2_28_x86_64.whl")
	own.add(t, "torch-2.9.1+cu126-cp310-cp310-manylinux_2_28_x86_64.whl")
	for bound, want := range map[string]string{
		"":    "- {name: torch, version: 2.9.1+cu130, index: own}",
		"own": "request one of them: torch==2.9.1+cu126",
	} {
		req := public.request(t)
		req.Platforms = []string{"linux-x86_64"}
		req.Packages = []lock.Requirement{{Name: "torch", Specifier: "==2.9.1+cu130", Index: bound, Pos: diag.Pos{File: "manifest.yaml", Line: 10, Col: 3}}}
		req.Indexes = []lock.Index{{Name: "own", URL: own.URL + "/simple/cu130"}}
		if bound != "" {
			req.Indexes[0].URL = own.URL + "/simple"
		}
		req.Offers = func(ctx context.Context, from, name string) ([]lock.Offer, error) {
			return map[string]*index{"": public, "own": own}[from].offers(ctx, from, name)
		}
		_, err := lock.Resolve(t.Context(), req)
		if p := diag.Problems(err); len(p) != 1 || !strings.Contains(p[0].Hint, want) || strings.Contains(p[0].Hint, "HOST") {
			t.Errorf("index %q: got %v", bound, err)
		}
		if req.Packages[0].Specifier = "==2.9.2"; bound == "own" {
			_, err = lock.Resolve(t.Context(), req)
			if p := diag.Problems(err); len(p) != 1 || p[0].Summary != "torch==2.9.2 is not in index own" {
				t.Errorf("got %v", err)
			}
		}
	}
}

// TestBuildOfTorchOfItsIndex locks what the message about a build of torch proposes: the build for
// Linux, and the release of the default index for macOS. The index publishes no sizes.
func TestBuildOfTorchOfItsIndex(t *testing.T) {
	public, own := newIndex(t), newIndex(t)
	own.withoutSizes = true
	for _, platform := range []string{"manylinux_2_28_x86_64", "macosx_11_0_arm64"} {
		public.add(t, "torch-2.9.1-cp310-cp310-"+platform+".whl")
	}
	own.add(t, "torch-2.9.1+cu126-cp310-cp310-manylinux_2_28_x86_64.whl")
	req := public.request(t)
	req.Packages = []lock.Requirement{
		{Name: "torch", Specifier: "==2.9.1+cu126", Index: "pytorch-cu126", Marker: lock.Marker([]string{"linux-x86_64"})},
		{Name: "torch", Specifier: "==2.9.1", Marker: lock.Marker([]string{"macos-arm64"})},
	}
	req.Indexes = []lock.Index{{Name: "pytorch-cu126", URL: own.URL + "/simple"}}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "linux-x86_64") + " " + text(t, l, "macos-arm64"); got != "torch-2.9.1+cu126-cp310-cp310-manylinux_2_28_x86_64.whl torch-2.9.1-cp310-cp310-macosx_11_0_arm64.whl" {
		t.Errorf("locks %s", got)
	}
	for _, p := range l.Packages {
		if w := p.Wheels[0]; w.Size == 0 || w.Unpacked == 0 || (p.Index == "") != (w.Platforms[0] == "macos-arm64") {
			t.Errorf("%s of index %q has the sizes %d and %d", w.File, p.Index, w.Size, w.Unpacked)
		}
	}
}

// TestOtherPython proposes a release only if it is newer than the requested one, or not a year
// older.
func TestOtherPython(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-cp310-cp310-manylinux_2_17_x86_64.whl")
	x.add(t, "app-2.0-cp312-cp312-manylinux_2_17_x86_64.whl")
	x.add(t, "app-2.0-cp313-cp313-manylinux_2_17_x86_64.whl")
	asked := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		offered time.Time
		want    string
	}{
		{asked.AddDate(-2, 0, 0), `write python: "3.12" in the environment`},
		{time.Time{}, `write python: "3.12" in the environment`},
		{asked.AddDate(0, -3, 0), "request app==1.0, the newest version for Python 3.10\nor write python: \"3.12\" in the environment"},
	} {
		req := x.request(t, "app==2.0")
		req.Platforms = []string{"linux-x86_64"}
		req.Offers = func(ctx context.Context, from, name string) ([]lock.Offer, error) {
			offers, err := x.offers(ctx, from, name)
			for i := range offers {
				offers[i].Uploaded = map[string]time.Time{"1.0": c.offered, "2.0": asked}[offers[i].Version]
			}
			return offers, err
		}
		_, err := lock.Resolve(t.Context(), req)
		if p := diag.Problems(err); len(p) != 1 || p[0].Hint != c.want || !strings.HasSuffix(p[0].Found, "are for Python 3.12, 3.13") {
			t.Errorf("a release of %s: %v", c.offered, err)
		}
	}
}

func TestResolveWithoutIndex(t *testing.T) {
	req := newIndex(t).request(t, "app==1.0")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	address := listener.Addr().String()
	listener.Close() // so that the port refuses connections
	req.IndexEnv = []string{"UV_DEFAULT_INDEX=http://ada:hunter2@" + address + "/simple", "UV_HTTP_RETRIES=0"}
	_, err = lock.Resolve(t.Context(), req)
	p := diag.Problems(err)
	if len(p) != 1 || p[0].Code != "lock.index" || p[0].Hint == "" {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error contains the password: %v", err)
	}
}

// TestResolveWheelFolder resolves with a folder of wheels and without an index.
func TestResolveWheelFolder(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl")
	dir := t.TempDir()
	for file, data := range x.files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	req := x.request(t, "app==1.0")
	req.IndexEnv = []string{"UV_OFFLINE=1", "UV_FIND_LINKS=" + dir}
	l, err := lock.Resolve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if w := l.Packages[0].Wheels[0]; w.Unpacked < 2000 || strings.Contains(string(l.Encode()), dir) {
		t.Errorf("unpacked is %d, or the folder is in the lock", w.Unpacked)
	}
}

// TestResolvePublic resolves one small pin with the index of this machine.
func TestResolvePublic(t *testing.T) {
	if testing.Short() {
		t.Skip("uses the network")
	}
	req := newIndex(t).request(t, "jsonlines==4.0.0")
	req.IndexEnv = []string{"UV_HTTP_RETRIES=0"}
	for _, name := range []string{"SSL_CERT_FILE", "UV_DEFAULT_INDEX", "HTTPS_PROXY"} {
		if value := os.Getenv(name); value != "" {
			req.IndexEnv = append(req.IndexEnv, name+"="+value)
		}
	}
	l, err := lock.Resolve(t.Context(), req)
	if p := diag.Problems(err); len(p) == 1 && p[0].Code == "lock.index" {
		t.Skip("the package index cannot be reached")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "macos-arm64"); !strings.Contains(got, "jsonlines-4.0.0-py3-none-any.whl") || !strings.Contains(got, "attrs-") {
		t.Errorf("installs %s", got)
	}
}

// TestDependencyInANamedIndexOnly requires a package of a named index whose dependency the default
// index lacks. It is not taken from the named index silently.
func TestDependencyInANamedIndexOnly(t *testing.T) {
	public, private := newIndex(t), newIndex(t)
	private.add(t, "app-1.0-py3-none-any.whl", "inner>=1")
	private.add(t, "inner-1.0-py3-none-any.whl")
	req := public.request(t)
	req.Packages = []lock.Requirement{{Name: "app", Index: "private", Pos: diag.Pos{File: "manifest.yaml", Line: 10, Col: 3}}}
	req.Indexes = []lock.Index{{Name: "private", URL: private.URL + "/simple"}}
	req.Offers = func(ctx context.Context, from, name string) ([]lock.Offer, error) {
		return map[string]*index{"": public, "private": private}[from].offers(ctx, from, name)
	}
	_, err := lock.Resolve(t.Context(), req)
	p := diag.Problems(err)
	if len(p) != 1 || p[0].Code != "lock.conflict" || !strings.Contains(p[0].Hint, "{name: inner, index: private}") || p[0].Pos.Line != 10 {
		t.Errorf("got %v", err)
	}
}

// TestIndexThatRefusesIsNoAbsentPackage checks that the reason of the index is reported.
func TestIndexThatRefusesIsNoAbsentPackage(t *testing.T) {
	for code, status := range map[string]int{"index.credentials": http.StatusUnauthorized, "index.not-an-index": http.StatusOK} {
		refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprint(w, "<html><form>sign in</form></html>")
		}))
		defer refusing.Close()
		req := newIndex(t).request(t, "app")
		req.IndexEnv = []string{"UV_DEFAULT_INDEX=" + refusing.URL + "/simple", "UV_HTTP_RETRIES=0"}
		req.Offers = func(context.Context, string, string) ([]lock.Offer, error) {
			return nil, &diag.Problem{Code: code, Summary: "the index refused the request"}
		}
		_, err := lock.Resolve(t.Context(), req)
		if p := diag.Problems(err); len(p) != 1 || p[0].Code != code || p[0].Pos.Line != 10 {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

// TestEveryGlibcOfAManifestIsLocked has versions for which uv has no platform.
func TestEveryGlibcOfAManifestIsLocked(t *testing.T) {
	x := newIndex(t)
	x.add(t, "app-1.0-py3-none-any.whl")
	for _, glibc := range []string{"2.17", "2.27", "2.29", "2.99"} {
		req := x.request(t, "app==1.0")
		req.Systems = lock.Systems{Glibc: glibc}
		if _, err := lock.Resolve(t.Context(), req); err != nil {
			t.Errorf("glibc %s: %v", glibc, err)
		}
	}
}

// lookPath returns the first program of a name on PATH.
func lookPath(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
