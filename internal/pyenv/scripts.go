package pyenv

import (
	"os"
	"path/filepath"
	"strings"
)

// Scripts lists the programs in the bin of an environment by name: python and
// its other names, and every console script. The activate scripts are not
// programs; they are sourced.
func Scripts(genDir string) ([]string, error) {
	bin := filepath.Join(genDir, "bin")
	entries, err := os.ReadDir(bin)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if activates(e.Name()) {
			continue
		}
		info, err := os.Stat(filepath.Join(bin, e.Name())) // python is a link
		if gone(err) {
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

// activates reports whether a file of bin is one of those that venv and uv write
// for shells.
func activates(name string) bool {
	lower := strings.ToLower(name)
	return lower == "activate" || strings.HasPrefix(lower, "activate.") || lower == "activate_this.py" ||
		lower == "deactivate.bat" || lower == "pydoc.bat"
}
