package lock

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// Conda is the part of a lock that conda installs: Python, the conda packages of the
// manifest, and their dependencies.
type Conda struct {
	Channels []string       `toml:"channels"` // as in the manifest, without nodefaults
	Requests []string       `toml:"requests"` // the solved specs, sorted: "python 3.10.*"
	Packages []CondaPackage `toml:"packages"` // sorted by platform and name
}

// A CondaPackage is a conda package for one platform.
type CondaPackage struct {
	Platform string `json:"platform"`
	rattler.Package
}

// compareConda orders by platform, then by name.
func compareConda(a, b CondaPackage) int {
	return cmp.Or(strings.Compare(a.Platform, b.Platform), strings.Compare(a.Name, b.Name))
}

// For returns the packages of a platform, by name.
func (c *Conda) For(platform string) []rattler.Package {
	var list []rattler.Package
	for i := range c.Packages {
		if c.Packages[i].Platform == platform {
			list = append(list, c.Packages[i].Package)
		}
	}
	return list
}

// Version returns the version of a package on the first platform that has it, or "". It
// may be called on nil.
func (c *Conda) Version(name string) string {
	if c != nil {
		for i := range c.Packages {
			if c.Packages[i].Name == name {
				return c.Packages[i].Version
			}
		}
	}
	return ""
}

// CondaFacts returns packages in the form of facts and seals, by name.
func CondaFacts(list []rattler.Package) []facts.CondaPackage {
	out := make([]facts.CondaPackage, len(list))
	for i := range list {
		p := &list[i]
		out[i] = facts.CondaPackage{Name: p.Name, Version: p.Version, Build: p.Build, Channel: p.Channel, Subdir: p.Subdir}
		_ = out[i].SHA256.UnmarshalText([]byte(p.SHA256)) // CheckConda has checked it
	}
	slices.SortFunc(out, func(a, b facts.CondaPackage) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// distNames returns the names of Python packages that differ from those of their conda
// packages.
func distNames() map[string]string {
	return map[string]string{
		"brotli-python": "brotli", "dask-core": "dask", "faiss": "faiss-cpu", "matplotlib-base": "matplotlib", "msgpack-python": "msgpack",
		"py-opencv": "opencv-python", "py-xgboost": "xgboost", "pyarrow-core": "pyarrow", "pyqt": "pyqt5", "pytables": "tables",
		"python-flatbuffers": "flatbuffers", "python-graphviz": "graphviz", "python-lmdb": "lmdb", "python-xxhash": "xxhash",
		"pytorch": "torch", "sentencepiece-python": "sentencepiece", "tensorflow-base": "tensorflow", "torchtriton": "triton",
	}
}

// provided returns the versions of the Python packages that conda packages contain, by
// name.
func provided(list []rattler.Package) map[string]string {
	dists := map[string]string{}
	for i := range list {
		if name := distName(&list[i]); name != "" {
			dists[name] = list[i].Version
		}
	}
	return dists
}

// distName returns the normalised name of the Python package that a conda package contains, ""
// for none. A conda package that depends on python contains one of its own name.
func distName(p *rattler.Package) string {
	python := p.Noarch == "python" || slices.ContainsFunc(p.Depends, func(d string) bool {
		rest, ok := strings.CutPrefix(d, "python")
		return ok && (rest == "" || strings.ContainsRune(" <>=!~[", rune(rest[0]))) // "python>=3.6" too
	})
	if !python || !pep.ValidVersion(p.Version) {
		return ""
	}
	return pep.Normalize(cmp.Or(distNames()[p.Name], p.Name))
}

// CondaName returns the name of the conda package that contains a Python package, by its
// normalised name; "" for none.
func CondaName(list []rattler.Package, dist string) string {
	for i := range list {
		if distName(&list[i]) == dist {
			return list[i].Name
		}
	}
	return ""
}

// A CondaPin is a conda package of a manifest.
type CondaPin struct {
	Name    string
	Version string
	Build   string // "" for any
	Why     string
	Pos     diag.Pos
}

// CondaSpecs returns the specs to solve for an environment, sorted: the pins, and the
// Python minor version unless a pin names a release.
func CondaSpecs(minor string, pins []CondaPin) []string {
	specs := make([]string, 0, len(pins)+1)
	python := "python " + minor + ".*"
	for _, p := range pins {
		spec := strings.TrimSuffix(p.Name+" =="+p.Version+" "+p.Build, " ")
		if p.Name == "python" {
			python = spec
			continue
		}
		specs = append(specs, spec)
	}
	specs = append(specs, python)
	slices.Sort(specs)
	return specs
}

const (
	lowerDigits  = "abcdefghijklmnopqrstuvwxyz0123456789"
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + lowerDigits
)

// ValidCondaName reports whether s is the name of a conda package.
func ValidCondaName(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '-' && s[0] != '.' && strings.Trim(s, lowerDigits+"_.-") == ""
}

// ValidCondaWord reports whether s is a version or a build of a conda package. It can be
// used in command lines and file names.
func ValidCondaWord(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s[:1], alphanumeric) == "" && strings.Trim(s, alphanumeric+"._+!") == ""
}

// maxArchive is the maximum size of an archive in bytes, so that sums do not overflow.
const maxArchive = 1 << 40

// CheckConda returns the problem of a locked package, or "".
func CheckConda(p *CondaPackage) string {
	archive, ok := strings.CutSuffix(p.File, ".conda")
	if !ok {
		archive, ok = strings.CutSuffix(p.File, ".tar.bz2")
	}
	var sum facts.SHA256
	_, notHex := hex.DecodeString(p.MD5)
	switch {
	case !ValidCondaName(p.Name):
		return fmt.Sprintf("package %q has an invalid name", p.Name)
	case !ValidCondaWord(p.Version) || !ValidCondaWord(p.Build):
		return fmt.Sprintf("package %s has an invalid version or build", p.Name)
	case !ok || archive != p.Name+"-"+p.Version+"-"+p.Build:
		return fmt.Sprintf("file %q does not belong to %s %s %s", p.File, p.Name, p.Version, p.Build)
	case p.Subdir != "noarch" && p.Subdir != rattler.Subdir(p.Platform):
		return fmt.Sprintf("package %s is for %q, which %s does not install", p.Name, p.Subdir, p.Platform)
	case p.Noarch != "" && p.Noarch != "python" && p.Noarch != "generic":
		return fmt.Sprintf("package %s has an unknown noarch type: %q", p.Name, p.Noarch)
	case len(p.SHA256) != 64 || sum.UnmarshalText([]byte(p.SHA256)) != nil || sum.IsZero():
		return fmt.Sprintf("package %s has no valid sha256", p.Name)
	case p.MD5 != "" && (len(p.MD5) != 32 || notHex != nil):
		return fmt.Sprintf("package %s has no valid md5", p.Name)
	case p.Size < 0 || p.Size > maxArchive || p.BuildNumber < 0:
		return fmt.Sprintf("package %s has an invalid size or build number", p.Name)
	case p.SitePackages != "" && !validSitePackages(p.SitePackages):
		return fmt.Sprintf("package %s has an invalid site-packages folder: %q", p.Name, p.SitePackages)
	}
	return ""
}

// validSitePackages reports whether a folder is the site-packages of a Python, to which
// clients install noarch packages.
func validSitePackages(folder string) bool {
	minor, ok := strings.CutPrefix(folder, "lib/python3.")
	minor, below := strings.CutSuffix(minor, "/site-packages")
	return ok && below && minor != "" && strings.Trim(strings.TrimSuffix(minor, "t"), "0123456789") == "" // t: free-threaded
}
