package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// marker is the content of layout.StoreMarker.
const marker = "{\"program\":\"reconcile\",\"format\":1}\n"

// maxMarker is the largest content of layout.StoreMarker in bytes.
const maxMarker = 4 << 10

// isMarked reports whether a directory has the marker of a store.
func isMarked(dir string) (bool, error) {
	text, err := rawfile.ReadFile(layout.StoreMarker(dir), maxMarker, rawfile.NoFollow)
	if errors.Is(err, fs.ErrPermission) {
		return false, unreadable(dir, err)
	}
	if err != nil {
		return false, nil // another kind of file is no marker
	}
	var m struct {
		Program string
		Format  int
	}
	if json.Unmarshal(text, &m) != nil || m.Program != "reconcile" {
		return false, nil
	}
	if m.Format != 1 {
		return false, &diag.Problem{
			Code: "store.foreign", Summary: fmt.Sprintf("%s is a store of another version of reconcile, so it is not used", dir),
			Found: fmt.Sprintf("format %d, and this version has format 1", m.Format),
			Hint:  "name another one: export RECONCILE_STORE=/path/to/store",
		}
	}
	return true, nil
}

// inspect reports whether a directory is a store, and returns a problem if it cannot become
// one: it has other files.
func inspect(dir string) (marked bool, err error) {
	if marked, err := isMarked(dir); marked || err != nil {
		return marked, err
	}
	other, err := firstOther(dir)
	if err != nil {
		return false, unreadable(dir, err)
	}
	if other == "" {
		return false, nil
	}
	// Another process may have made the store since.
	if marked, err := isMarked(dir); marked || err != nil {
		return marked, err
	}
	return false, &diag.Problem{
		Code: "store.foreign", Summary: fmt.Sprintf("%s has other files, so it is not used as the store", dir),
		Found: filepath.Join(dir, other), Hint: hint(dir),
	}
}

// firstOther returns the name of a file for which a directory cannot become a store, "" if it
// can. Temporary files are of a process that is making it, and lost+found is in the root of a
// new file system.
func firstOther(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if name := e.Name(); !atomicfile.IsTemp(name) && name != "lost+found" {
			return name, nil
		}
	}
	return "", nil
}

// hint returns the command that names a directory in dir as the store.
func hint(dir string) string {
	below := filepath.Join(dir, "reconcile")
	for _, name := range []string{"reconcile", "reconcile-store"} {
		candidate := filepath.Join(dir, name)
		marked, _ := isMarked(candidate)
		other, err := firstOther(candidate)
		if marked || err == nil && other == "" {
			below = candidate
			break
		}
	}
	return "name a directory of its own: export RECONCILE_STORE=" + resources.ShellQuote(below)
}

// IsMade reports whether a path relative to a store has the form of one that reconcile makes
// and may remove: one with another name is a file of somebody else.
func IsMade(rel string) bool {
	part, rest, _ := strings.Cut(filepath.ToSlash(rel), "/")
	name := path.Base(rest)
	switch depth := strings.Count(rest, "/"); part {
	case "trash":
		return depth == 0 && atomicfile.IsTemp(name)
	case "dists":
		return depth == 0 && (atomicfile.IsTemp(name) || isHex(name, 64))
	case "tmp":
		return depth == 0 && isTemporary(name)
	case "cache":
		return depth == 0 && (name == "uv" || atomicfile.IsTemp(name))
	case "conda":
		dir := path.Dir(rest)
		return depth == 1 && (dir == "repodata" || dir == "checked" || dir == "pkgs" && strings.Count(name, "-") >= 2)
	case "tools":
		return depth == 1 && isTool(name)
	case "projects":
		i := strings.LastIndexByte(name, '-')
		return depth == 0 && i > 0 && isHex(name[i+1:], 12)
	}
	return false
}

// isTemporary reports whether a name has the form of a temporary file: the archive of a wheel
// with its download and its lock, or a directory of a program.
func isTemporary(name string) bool {
	if atomicfile.IsTemp(name) {
		return true
	}
	for _, prefix := range []string{"lock-", "smoketest-"} { // with the digits of os.MkdirTemp
		if digits, ok := strings.CutPrefix(name, prefix); ok {
			return digits != "" && strings.Trim(digits, "0123456789") == ""
		}
	}
	digest, suffix, _ := strings.Cut(name, ".")
	return isHex(digest, 64) && (suffix == "whl" || strings.HasPrefix(suffix, "whl."))
}

// isTool reports whether a name has the form of a fetched interpreter, or of a wheel with its
// download and its lock.
func isTool(name string) bool {
	if atomicfile.IsTemp(name) || strings.HasPrefix(name, "cpython-") {
		return true
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".lock"), ".partial")
	return strings.HasPrefix(name, "py_rattler-") && strings.HasSuffix(name, ".whl")
}

// isHex reports whether text is a number of lower-case hexadecimal digits.
func isHex(text string, digits int) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == digits && strings.ToLower(text) == text
}
