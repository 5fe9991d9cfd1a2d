// Package store finds the store of a user: the directory outside every project that holds
// everything that reconcile keeps. Package layout names the places in it.
//
// A project may have come with a clone, so nothing in it is trusted. The store belongs to
// the user, and no other user may write to it.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/realpath"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Variable names the store.
const Variable = "RECONCILE_STORE"

// A Location is where a store is or will be.
type Location struct {
	Path   string // absolute, links resolved
	Source string // "RECONCILE_STORE", the file that configures it, or "default"
}

// Locate returns the store of a user: that of the variable RECONCILE_STORE, else
// configured, the setting `store` of the file source, else reconcile in XDG_DATA_HOME or in
// ~/.local/share. It need not exist.
func Locate(getenv func(string) string, home, configured, source string) (Location, error) {
	l := Location{Path: getenv(Variable), Source: Variable}
	switch {
	case l.Path != "":
	case configured != "":
		l.Path, l.Source = configured, source
	case filepath.IsAbs(getenv("XDG_DATA_HOME")):
		l.Path, l.Source = filepath.Join(getenv("XDG_DATA_HOME"), "reconcile"), "default"
	case home != "":
		l.Path, l.Source = filepath.Join(home, ".local/share/reconcile"), "default"
	default:
		return l, &diag.Problem{
			Code: "store.none", Summary: "this user has no home directory for the store",
			Hint: "name a directory of this user: export RECONCILE_STORE=/path/to/store",
		}
	}
	if rest, ok := strings.CutPrefix(l.Path, "~/"); ok && home != "" {
		l.Path = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(l.Path) {
		p := &diag.Problem{
			Code: "store.path", Summary: fmt.Sprintf("the store %q of %s is not an absolute path", l.Path, l.Source),
			Hint: `name an absolute path: export RECONCILE_STORE="$PWD"/` + resources.ShellQuote(l.Path),
		}
		switch {
		case strings.HasPrefix(l.Path, "~") && home != "":
			p.Hint = `name an absolute path: export RECONCILE_STORE="$HOME"/reconcile`
		case strings.HasPrefix(l.Path, "~"):
			p.Hint = "name an absolute path: export RECONCILE_STORE=/path/to/store"
		}
		return l, p
	}
	if why := badPath(l.Path); why != "" {
		return l, &diag.Problem{
			Code: "store.path", Summary: fmt.Sprintf("the path of the store, %q, has %s", l.Path, why),
			Hint: "name another one: export RECONCILE_STORE=/path/to/store",
		}
	}
	real, err := realpath.Resolve(filepath.Clean(l.Path))
	if dangling, ok := errors.AsType[*realpath.DanglingError](err); ok {
		return l, &diag.Problem{
			Code: "store.path", Summary: fmt.Sprintf("%s is a link to a directory that does not exist", dangling.Path),
			Hint: "make that directory, or name another store: export RECONCILE_STORE=/path/to/store",
		}
	}
	if err != nil {
		return l, unreadable(l.Path, err)
	}
	l.Path = real
	return l, nil
}

// badPath returns why launchers and activation scripts, which contain the path of the
// store, cannot contain this one; "" if they can.
func badPath(p string) string {
	switch {
	case strings.ContainsAny(p, "\"'`$\\!;&|<>\n\r\t\x00"):
		return "characters that activation scripts do not quote"
	case strings.Contains(p, ":"):
		return "a colon, which separates entries of PATH"
	}
	return ""
}

// Check returns why a store cannot be used for the project at root, absolute with links
// resolved, or "" for no project; nil if it can.
func (l Location) Check(root string) error {
	if root != "" && l.Source == "default" && realpath.Within(root, l.Path) {
		return &diag.Problem{
			Code: "store.in-project", Summary: fmt.Sprintf("the store %s is in the project, where a clone could have put it", l.Path),
			Hint: "name another directory, or the same one on purpose: export RECONCILE_STORE=" + resources.ShellQuote(l.Path),
		}
	}
	var st unix.Stat_t
	switch err := unix.Stat(l.Path, &st); {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return unreadable(l.Path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return &diag.Problem{
			Code: "store.path", Summary: fmt.Sprintf("the store %s is not a directory", l.Path),
			Hint: "name another one: export RECONCILE_STORE=/path/to/store",
		}
	case int(st.Uid) != os.Geteuid():
		return l.otherOwner("it belongs to " + userconfig.UserName(st.Uid))
	case st.Mode&0o022 != 0:
		return &diag.Problem{
			Code: "store.writable", Summary: fmt.Sprintf("other users can write to the store %s", l.Path),
			Found: fmt.Sprintf("mode %04o", st.Mode&0o7777), Hint: "chmod go-w " + resources.ShellQuote(l.Path),
		}
	}
	_, err := inspect(l.Path)
	return err
}

func unreadable(p string, err error) error {
	return &diag.Problem{
		Code: "store.unreadable", Summary: fmt.Sprintf("the store %s cannot be opened", p), Found: err.Error(),
		Hint: "name a directory of this user: export RECONCILE_STORE=/path/to/store",
	}
}

func (l Location) otherOwner(found string) error {
	return &diag.Problem{
		Code: "store.owner", Summary: fmt.Sprintf("the store %s belongs to another user", l.Path), Found: found,
		Hint: "run reconcile as that user, or name a store of this one: export RECONCILE_STORE=/path/to/store",
	}
}

// projectFile is the content of layout.ProjectFile.
type projectFile struct {
	Root string `json:"root"`
}

// maxProjectFile is the largest content of layout.ProjectFile in bytes.
const maxProjectFile = 64 << 10

// ProjectRoot returns the path of the project that a state directory belongs to, "" if its
// project.json is missing, damaged, or of another state directory.
func ProjectRoot(store, state string) string {
	text, err := rawfile.ReadFile(layout.ProjectFile(state), maxProjectFile, rawfile.NoFollow)
	if err != nil {
		return ""
	}
	var file projectFile
	if json.Unmarshal(text, &file) != nil || !filepath.IsAbs(file.Root) || layout.State(store, file.Root) != state {
		return ""
	}
	return file.Root
}

// Prepare makes the store and the state directory of the project at root.
func Prepare(store, state, root string) error {
	if err := Make(store); err != nil {
		return err
	}
	dir, err := os.OpenRoot(store)
	if err != nil {
		return err
	}
	defer dir.Close()
	rel, err := filepath.Rel(store, state)
	if err != nil {
		return err
	}
	if _, err := atomicfile.MakeAll(dir, rel, 0o700); err != nil {
		return err
	}
	if _, err := atomicfile.MakeAll(dir, filepath.Base(layout.Temp(store)), 0o700); err != nil {
		return err
	}
	name := layout.ProjectFile(rel)
	if _, err := dir.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := json.Marshal(projectFile{root})
	if err != nil {
		return err
	}
	return atomicfile.Write(dir, name, 0o600, append(text, '\n'))
}

// Make makes a store: a directory with layout.StoreMarker. It makes an empty directory a
// store, and refuses one with other files. Several processes may make the same store.
func Make(store string) error {
	if err := os.MkdirAll(store, 0o700); err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) { // as below /proc
			return &diag.Problem{
				Code: "store.unwritable", Summary: fmt.Sprintf("the store %s cannot be made; nothing was changed", store), Found: err.Error(),
				Hint: "name a directory of this user: export RECONCILE_STORE=/path/to/store",
			}
		}
		return err
	}
	if marked, err := inspect(store); marked || err != nil {
		return err
	}
	dir, err := os.OpenRoot(store)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = atomicfile.Write(dir, filepath.Base(layout.StoreMarker(store)), 0o600, []byte(marker))
	if marked, _ := inspect(store); marked {
		return nil // by another process, which removed the temporary file of this one
	}
	return err
}
