package main

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A wheel is a file of an index, as in its JSON pages (PEP 691).
type wheel struct {
	Filename string            `json:"filename"`
	URL      string            `json:"url"`
	Size     int64             `json:"size"`
	Hashes   map[string]string `json:"hashes"`
	Yanked   any               `json:"yanked"` // false, or true or a reason
}

// A release is the wheels of a version for one platform.
type release struct {
	version, platform string
	pythons           []string // minor versions of CPython
	system            string   // the oldest glibc or macOS
	wheel             wheel    // the one for the oldest Python
}

// source names the wheel that is read.
func (r release) source() string {
	return fmt.Sprintf("%s, sha256 %s", r.wheel.Filename, r.wheel.Hashes["sha256"])
}

// list returns the releases of a project that are described, by platform and ascending version.
func list(ctx context.Context, index, project string) ([]release, error) {
	page, err := url.JoinPath(index, project, "/")
	if err != nil {
		return nil, err
	}
	read, err := client.Page(ctx, page, "application/vnd.pypi.simple.v1+json", maxPage)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	var doc struct {
		Files []wheel `json:"files"`
	}
	if err := json.Unmarshal(read.Body, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	base, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	var releases []release
	for _, w := range doc.Files {
		r, ok := parse(w)
		if !ok || pep.CompareVersions(r.version, oldest[project]) < 0 {
			continue
		}
		if at, err := base.Parse(w.URL); err == nil {
			r.wheel.URL = at.String()
		}
		releases = add(releases, r)
	}
	slices.SortFunc(releases, func(a, b release) int {
		return cmp.Or(cmp.Compare(a.platform, b.platform), pep.CompareVersions(a.version, b.version))
	})
	if len(releases) == 0 {
		return nil, fmt.Errorf("%s has no releases", page)
	}
	return releases, nil
}

// parse returns the release of a wheel for Linux or macOS that is neither yanked nor a
// pre-release.
func parse(w wheel) (release, bool) {
	parts := strings.Split(strings.TrimSuffix(w.Filename, ".whl"), "-")
	if w.Yanked != false || len(parts) < 5 || !strings.HasSuffix(w.Filename, ".whl") {
		return release{}, false
	}
	version, tags := parts[1], parts[len(parts)-3:]
	if v, ok := pep.ParseVersion(version); !ok || v.IsPreRelease() || strings.HasSuffix(tags[1], "t") {
		return release{}, false // a Python without a global lock is another Python
	}
	r := release{version: version, wheel: w}
	for tag := range strings.SplitSeq(tags[2], ".") {
		platform, system := parsePlatform(tag)
		if platform != "" {
			r.platform, r.system = platform, cmp.Or(r.system, system)
		}
	}
	if minor, ok := strings.CutPrefix(tags[0], "cp3"); ok {
		r.pythons = []string{"3." + minor}
	}
	return r, r.platform != ""
}

// parsePlatform reads a platform tag: "manylinux_2_28_x86_64", "manylinux1_x86_64",
// "macosx_11_0_arm64".
func parsePlatform(tag string) (platform, system string) {
	legacy := map[string]string{"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
	if tag == "any" {
		return "linux-x86_64", "" // the only platform of the libraries in such a wheel of bitsandbytes
	}
	for _, arch := range []string{"x86_64", "aarch64"} {
		if before, ok := strings.CutSuffix(tag, "_"+arch); ok {
			if version, ok := strings.CutPrefix(before, "manylinux_"); ok {
				return "linux-" + arch, strings.ReplaceAll(version, "_", ".")
			}
			if version, ok := legacy[before]; ok {
				return "linux-" + arch, version
			}
		}
	}
	if before, ok := strings.CutSuffix(tag, "_arm64"); ok {
		if version, ok := strings.CutPrefix(before, "macosx_"); ok {
			return "macos-arm64", strings.ReplaceAll(version, "_", ".")
		}
	}
	return "", ""
}

// add adds a wheel to the release that it belongs to.
func add(releases []release, r release) []release {
	for i := range releases {
		at := &releases[i]
		if at.version != r.version || at.platform != r.platform {
			continue
		}
		at.pythons = append(at.pythons, r.pythons...)
		slices.SortFunc(at.pythons, pep.CompareVersions)
		if len(r.pythons) > 0 && at.pythons[0] == r.pythons[0] {
			at.wheel = r.wheel
		}
		if pep.CompareVersions(r.system, at.system) < 0 {
			at.system = r.system
		}
		return releases
	}
	return append(releases, r)
}

// client reads pages and parts of wheels.
var client download.Client

const (
	// chunk is the number of bytes of one request: the end of a wheel with its list of files, or a
	// part of a file.
	chunk = 1 << 20
	// maxPage is the maximum size of a page of the index in bytes.
	maxPage = 64 << 20
)

// open returns the archive of a wheel, whose parts are requested when they are read.
func open(ctx context.Context, w wheel) (*zip.Reader, error) {
	if w.Size == 0 {
		return nil, errors.New("the index does not report its size")
	}
	parts := &download.Ranges{Size: w.Size, Part: chunk, Get: func(from, to int64) ([]byte, error) {
		return client.Range(ctx, w.URL, from, to)
	}}
	return zip.NewReader(parts, w.Size)
}
