// Package pyenv reads an installed Python environment from its files. It never starts
// Python, writes no files and uses no network.
//
//   - Installed, CondaDists and Scripts list what is installed.
//   - Seal, RECORD and conda-meta describe what should be installed. A Seal is written
//     when an environment is built.
//   - CheckFast compares an environment with them by directory times, and Verify by every
//     file.
//   - Uncompiled lists missing bytecode, Measure the size, and ReadTorch the CUDA version
//     of torch.
//
// A generation is an environment in the layout of package layout; its paths are relative
// to it and slash-separated. The values of facts.Damage.What are:
//
//	missing      a file of a RECORD, or a whole distribution, does not exist
//	foreign      a file, directory or distribution that is not recorded
//	changed      another size, digest or file type than recorded; an invalid RECORD or conda record
//	doubled      two RECORDs list one path with different contents
//	interpreter  bin/python or the home in pyvenv.cfg does not exist
//	package      another version of a distribution than sealed, or two versions
//	moved        the environment was built for another path
//	seal         the seal is invalid or incomplete
//	twice        a distribution of the lock that a conda package contains too (DuplicateDists only)
package pyenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// errLibrary means that an environment does not have exactly one Python library.
var errLibrary = errors.New("not one library of Python 3")

// SitePackages returns the site-packages folder of a generation, relative to it, and the
// Python minor version ("3.10"). A generation without exactly one minor version is an
// error.
func SitePackages(genDir string) (rel, minor string, err error) {
	names, err := os.ReadDir(filepath.Join(genDir, "lib"))
	if err != nil {
		return "", "", err
	}
	for _, e := range names {
		v, ok := strings.CutPrefix(e.Name(), "python")
		if !ok || !strings.HasPrefix(v, "3.") || !e.IsDir() { // conda adds a link python3.1
			continue
		}
		if minor != "" {
			return "", "", fmt.Errorf("%w: %s has Python %s and %s", errLibrary, path.Join(genDir, "lib"), minor, v)
		}
		minor = v
	}
	if minor == "" {
		return "", "", fmt.Errorf("%w: %s has none", errLibrary, path.Join(genDir, "lib"))
	}
	return layout.SitePackages("", minor), minor, nil
}

// Scripts lists the programs in the bin directory of an environment by name, such as
// python and console scripts, without the activate scripts, which are sourced.
func Scripts(genDir string) ([]string, error) {
	bin := filepath.Join(genDir, "bin")
	entries, err := os.ReadDir(bin)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if isActivate(e.Name()) {
			continue
		}
		info, err := os.Stat(filepath.Join(bin, e.Name())) // python is a link
		if rawfile.IsAbsent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isActivate reports whether a file of bin is an activate script of venv or uv.
func isActivate(name string) bool {
	lower := strings.ToLower(name)
	return lower == "activate" || strings.HasPrefix(lower, "activate.") || lower == "activate_this.py" ||
		lower == "deactivate.bat" || lower == "pydoc.bat"
}

// A Config is the content of a pyvenv.cfg.
type Config struct {
	Home    string // absolute: the folder of the base interpreter
	Version string // "3.10.13", or "3.10" in some environments of uv
	Creator string // "uv" with its version, or "" for the venv module
}

var errConfig = errors.New("has no absolute home")

// ReadConfig reads the pyvenv.cfg of an environment.
func ReadConfig(dir string) (Config, error) {
	name := filepath.Join(dir, "pyvenv.cfg")
	b, err := readFile(name, nil, maxMetadata)
	if err != nil {
		return Config{}, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// parseConfig reads lines of the form "key = value" with keys in any case, as the site
// module of Python does.
func parseConfig(b []byte) (c Config, err error) {
	for line := range bytes.Lines(b) {
		key, value, ok := strings.Cut(string(line), "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "home":
			c.Home = value
		case "version":
			c.Version = value
		case "version_info":
			if c.Version == "" {
				c.Version = value
			}
		case "uv":
			c.Creator = "uv " + value
		}
	}
	if !filepath.IsAbs(c.Home) || strings.IndexByte(c.Home, 0) >= 0 {
		return c, errConfig
	}
	return c, nil
}
