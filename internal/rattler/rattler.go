// Package rattler is the interface to py-rattler, a solver and installer of conda
// packages: an embedded script, its request and its answer. The caller runs the script
// with a Python of this machine, 3.10 or later.
package rattler

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Script is the script, to be run as python -I -B SCRIPT REQUEST.json.
//
//go:embed rattler.py
var Script string

// A Request is the input of the script, which solves Specs or installs Packages. Paths
// are absolute. The script unpacks the wheel in the folder of the request and removes it
// at the end. Channels without a URL are below RECONCILE_CONDA_ALIAS, if it is set.
type Request struct {
	Wheel       string   `json:"wheel"`        // of py-rattler
	WheelSHA256 string   `json:"wheel_sha256"` // checked before the import
	Cache       string   `json:"cache"`
	Channels    []string `json:"channels"` // in order of priority, as in a manifest
	Subdir      string   `json:"subdir"`   // "linux-64"

	Specs   []string    `json:"specs,omitempty"`   // solve: "python 3.10.*"
	Virtual [][3]string `json:"virtual,omitempty"` // solve: name, version and build of the virtual packages
	Locked  []Package   `json:"locked,omitempty"`  // solve: preferred packages

	Prefix    string    `json:"prefix,omitempty"`   // install
	Packages  []Package `json:"packages,omitempty"` // install
	Requested []string  `json:"requested,omitempty"`
}

// A Package is a conda package as in the repodata of a channel, with everything for its
// record in conda-meta.
type Package struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Build        string   `json:"build"`
	BuildNumber  int64    `json:"build_number" toml:"build-number"`
	Channel      string   `json:"channel"` // as in the request
	Subdir       string   `json:"subdir"`  // "linux-64", "noarch"
	Noarch       string   `json:"noarch,omitempty"`
	File         string   `json:"file"`
	Size         int64    `json:"size"` // bytes of the archive; 0 if unknown
	SHA256       string   `json:"sha256"`
	MD5          string   `json:"md5,omitempty"`
	Depends      []string `json:"depends"`
	Constrains   []string `json:"constrains"`
	License      string   `json:"license,omitempty"`
	SitePackages string   `json:"site_packages,omitempty" toml:"site-packages"` // of a python package: the folder of distributions
}

// mark is the prefix of the answer.
const mark = "\x1ereconcile-rattler "

// Solved parses the answer to a request with Specs.
func Solved(stdout []byte) ([]Package, error) {
	_, text, ok := strings.Cut(string(stdout), mark)
	if !ok {
		return nil, errors.New("py-rattler ended without an answer")
	}
	var list []Package
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read the answer of py-rattler: %w", err)
	}
	return list, nil
}

// Subdir returns the folder of a channel with the packages of a platform, "" for an
// unknown one.
func Subdir(platform string) string {
	switch platform {
	case "linux-x86_64":
		return "linux-64"
	case "linux-aarch64":
		return "linux-aarch64"
	case "macos-arm64":
		return "osx-arm64"
	case "macos-x86_64":
		return "osx-64"
	}
	return ""
}

// Virtual returns the virtual packages of a platform. glibc and macOS are versions of the oldest
// system that wheels are selected for, so that both parts of a lock run on the same machines. cuda
// is the minimum CUDA version of the driver, "" for none: then no GPU builds are selected.
func Virtual(platform, glibc, macOS, cuda string) [][3]string {
	if strings.HasPrefix(platform, "macos") {
		return [][3]string{{"__unix", "0", "0"}, {"__osx", macOS, "0"}}
	}
	list := [][3]string{{"__unix", "0", "0"}, {"__linux", "5.10", "0"}, {"__glibc", glibc, "0"}}
	if cuda != "" {
		list = append(list, [3]string{"__cuda", cuda, "0"})
	}
	return list
}
