// Package rattler holds what reconcile asks of py-rattler, the solver and installer
// of conda packages that is embedded: a small script, its requests and its answers.
// The caller runs the script with a Python of this machine, 3.10 or later; nothing
// is started here.
package rattler

import (
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Script is the text of the script: python -I -B SCRIPT REQUEST.json.
//
//go:embed rattler.py
var Script string

// A Request is what the script is asked: to solve Specs, or to install Packages.
// Paths are absolute. The script unpacks the wheel beside the file of the request
// and removes that again. Channels without an address lie below
// RECONCILE_CONDA_ALIAS, if that variable is set.
type Request struct {
	Wheel       string   `json:"wheel"`        // of py-rattler
	WheelSHA256 string   `json:"wheel_sha256"` // compared before anything of it is imported
	Cache       string   `json:"cache"`
	Channels    []string `json:"channels"` // in order of priority, as a manifest names them
	Subdir      string   `json:"subdir"`   // "linux-64"

	Specs   []string    `json:"specs,omitempty"`   // solve: "python 3.10.*"
	Virtual [][3]string `json:"virtual,omitempty"` // solve: name, version and build of what the machine has
	Locked  []Package   `json:"locked,omitempty"`  // solve: what is kept where the specs allow it

	Prefix    string    `json:"prefix,omitempty"`   // install
	Packages  []Package `json:"packages,omitempty"` // install
	Requested []string  `json:"requested,omitempty"`
}

// A Package is one package of conda as a channel describes it, with everything that
// its record in conda-meta will say.
type Package struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Build        string   `json:"build"`
	BuildNumber  int64    `json:"build_number" toml:"build-number"`
	Channel      string   `json:"channel"` // as the request named it
	Subdir       string   `json:"subdir"`  // "linux-64", "noarch"
	Noarch       string   `json:"noarch,omitempty"`
	File         string   `json:"file"`
	Size         int64    `json:"size"` // bytes of the archive; 0 if not known
	SHA256       string   `json:"sha256"`
	MD5          string   `json:"md5,omitempty"`
	Depends      []string `json:"depends"`
	Constrains   []string `json:"constrains"`
	License      string   `json:"license,omitempty"`
	SitePackages string   `json:"site_packages,omitempty" toml:"site-packages"` // of a package python: where its distributions lie
}

// mark begins the line of the answer.
const mark = "\x1ereconcile-rattler "

// errNoAnswer is what a script gives that ended before its answer.
var errNoAnswer = errors.New("py-rattler ended without an answer")

// Solved reads the answer to a request with Specs.
func Solved(stdout []byte) ([]Package, error) {
	_, text, ok := strings.Cut(string(stdout), mark)
	if !ok {
		return nil, errNoAnswer
	}
	var list []Package
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read the answer of py-rattler: %w", err)
	}
	return list, nil
}

// Subdir is the folder of a channel that holds the packages of a platform.
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

// Virtual is what a machine of a platform has at least: the same that wheels are
// chosen for, so that both parts of a lock run on the same machines, and the CUDA that
// the environment asks of a driver, "" for none. Without it no build for GPUs is chosen.
func Virtual(platform, cuda string) [][3]string {
	if strings.HasPrefix(platform, "macos") {
		return [][3]string{{"__unix", "0", "0"}, {"__osx", "13.0", "0"}}
	}
	list := [][3]string{{"__unix", "0", "0"}, {"__linux", "5.10", "0"}, {"__glibc", "2.28", "0"}}
	if cuda != "" {
		list = append(list, [3]string{"__cuda", cuda, "0"})
	}
	return list
}
