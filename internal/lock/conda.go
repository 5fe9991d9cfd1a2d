package lock

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// Conda is the part of a lock that conda installs: an interpreter and what the
// manifest asks of conda beside it, with everything that these need.
type Conda struct {
	Channels []string // as the manifest names them, without nodefaults
	Requests []string // what was solved, sorted: "python 3.10.*"
	// Packages are sorted by platform and name.
	Packages []CondaPackage
}

// A CondaPackage is one package of conda for one platform.
type CondaPackage struct {
	Platform string `json:"platform"`
	rattler.Package
}

// For returns what one platform installs, by name.
func (c *Conda) For(platform string) []rattler.Package {
	var list []rattler.Package
	for i := range c.Packages {
		if c.Packages[i].Platform == platform {
			list = append(list, c.Packages[i].Package)
		}
	}
	return list
}

// Version returns the version of a package on the first platform that has it, "" if
// none has.
func (c *Conda) Version(name string) string {
	for i := range c.Packages {
		if c.Packages[i].Name == name {
			return c.Packages[i].Version
		}
	}
	return ""
}

// CondaFacts returns packages as facts and seals name them, by name.
func CondaFacts(list []rattler.Package) []facts.CondaPackage {
	out := make([]facts.CondaPackage, len(list))
	for i := range list {
		p := &list[i]
		out[i] = facts.CondaPackage{Name: p.Name, Version: p.Version, Build: p.Build, Channel: p.Channel, Subdir: p.Subdir}
		_ = out[i].SHA256.UnmarshalText([]byte(p.SHA256)) // Decode and Resolve have checked it
	}
	slices.SortFunc(out, func(a, b facts.CondaPackage) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// distNames are packages of conda whose distribution has another name.
var distNames = map[string]string{
	"brotli-python": "brotli", "dask-core": "dask", "faiss": "faiss-cpu", "matplotlib-base": "matplotlib", "msgpack-python": "msgpack",
	"py-opencv": "opencv-python", "py-xgboost": "xgboost", "pyarrow-core": "pyarrow", "pyqt": "pyqt5", "pytables": "tables",
	"python-flatbuffers": "flatbuffers", "python-graphviz": "graphviz", "python-lmdb": "lmdb", "python-xxhash": "xxhash",
	"pytorch": "torch", "sentencepiece-python": "sentencepiece", "tensorflow-base": "tensorflow", "torchtriton": "triton",
}

// provided returns the distributions of Python that packages of conda bring, as
// names and versions: a package that depends on python is one, by its own name.
func provided(list []rattler.Package) map[string]string {
	dists := map[string]string{}
	for i := range list {
		p := &list[i]
		python := p.Noarch == "python" || slices.ContainsFunc(p.Depends, func(d string) bool {
			rest, ok := strings.CutPrefix(d, "python")
			return ok && (rest == "" || strings.ContainsRune(" <>=!~[", rune(rest[0]))) // "python>=3.6" too
		})
		if !python || !pep.ValidVersion(p.Version) {
			continue
		}
		name := p.Name
		if other, ok := distNames[name]; ok {
			name = other
		}
		dists[pep.Normalize(name)] = p.Version
	}
	return dists
}

// A CondaPin is one package that a manifest asks of conda.
type CondaPin struct {
	Name    string
	Version string
	Build   string // "" for any
	Why     string
}

// CondaSpecs returns what is solved for an environment: the line of Python, unless
// a pin names a release of it, and the pins. Sorted.
func CondaSpecs(line string, pins []CondaPin) []string {
	specs := make([]string, 0, len(pins)+1)
	python := "python " + line + ".*"
	for _, p := range pins {
		spec := p.Name + " ==" + p.Version
		if p.Build != "" {
			spec += " " + p.Build
		}
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

// ValidCondaName reports whether a text is the name of a package of conda.
func ValidCondaName(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '-' || s[0] == '.' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// ValidCondaWord reports whether a text can be a version or a build: it reaches command
// lines and file names.
func ValidCondaWord(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && len(s) <= 128 && strings.Trim(s[:1], letters) == "" && strings.Trim(s, letters+"._+!") == ""
}

// mostSize is more than any archive has, in bytes: sums of sizes must not overflow.
const mostSize = 1 << 40

// checkConda says what is wrong with a locked package, "" for nothing.
func checkConda(p *CondaPackage) string {
	archive, ok := strings.CutSuffix(p.File, ".conda")
	if !ok {
		archive, ok = strings.CutSuffix(p.File, ".tar.bz2")
	}
	var sum facts.SHA256
	_, notHex := hex.DecodeString(p.MD5)
	switch {
	case !ValidCondaName(p.Name):
		return fmt.Sprintf("package %q has no proper name", p.Name)
	case !ValidCondaWord(p.Version) || !ValidCondaWord(p.Build):
		return fmt.Sprintf("package %s has no proper version or build", p.Name)
	case !ok || archive != p.Name+"-"+p.Version+"-"+p.Build:
		return fmt.Sprintf("file %q is not that of %s %s %s", p.File, p.Name, p.Version, p.Build)
	case p.Subdir != "noarch" && p.Subdir != rattler.Subdir(p.Platform):
		return fmt.Sprintf("package %s is of %q, which %s does not install", p.Name, p.Subdir, p.Platform)
	case p.Noarch != "" && p.Noarch != "python" && p.Noarch != "generic":
		return fmt.Sprintf("package %s is noarch of a sort that is not known: %q", p.Name, p.Noarch)
	case len(p.SHA256) != 64 || sum.UnmarshalText([]byte(p.SHA256)) != nil || sum.IsZero():
		return fmt.Sprintf("package %s has no proper sha256", p.Name)
	case p.MD5 != "" && (len(p.MD5) != 32 || notHex != nil):
		return fmt.Sprintf("package %s has no proper md5", p.Name)
	case p.Size < 0 || p.Size > mostSize || p.BuildNumber < 0:
		return fmt.Sprintf("size or build number of package %s cannot be", p.Name)
	case p.SitePackages != "" && !validSitePackages(p.SitePackages):
		return fmt.Sprintf("site-packages of package %s, %q, is not that of a Python", p.Name, p.SitePackages)
	}
	return ""
}

// validSitePackages reports whether a folder is where a Python has its distributions.
// A client puts those of noarch packages there, wherever that is.
func validSitePackages(folder string) bool {
	line, ok := strings.CutPrefix(folder, "lib/python3.")
	line, below := strings.CutSuffix(line, "/site-packages")
	return ok && below && line != "" && strings.Trim(strings.TrimSuffix(line, "t"), "0123456789") == "" // t: without a GIL
}
