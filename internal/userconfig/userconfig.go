// Package userconfig reads the configuration of this user for all projects on this machine:
// $XDG_CONFIG_HOME/reconcile/config.yaml, by default ~/.config/reconcile/config.yaml, on macOS
// too.
//
//	store: ~/big/reconcile                 # the place of the store
//	safe_directories: [/data/shared/lora]  # projects of other users that may be used
//	index_url: https://mirror.example/simple
//	cert: ca.pem                           # relative to the folder of this file
//	find_links: [~/wheels]
//	proxy: http://proxy.example:3128
//	conda_alias: https://mirror.example/conda
//	osv_url: https://mirror.example/osv
//	indexes: {pytorch-cu128: https://user:password@mirror.example/pytorch/cu128}
//
// No file of a project can set these.
package userconfig

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxSize is the maximum size of the file in bytes.
const maxSize = 64 << 10

// A Config is the content of the file.
type Config struct {
	Store           string    // absolute; "" if not set
	SafeDirectories []string  // patterns for Covers: absolute paths, DIR/* and *
	Index           []Setting // of the package index, in the order of the file
}

// A Setting is a setting of the package index.
type Setting struct {
	Name   string   // "cert", "conda_alias", "find_links", "index_url", "osv_url", "proxy", or IndexPrefix and the name of an index
	Values []string // one; of find_links any number. Paths are absolute.
	Pos    diag.Pos // of the value
}

// IndexPrefix begins the names of settings of named indexes.
const IndexPrefix = "index_url:"

// File returns the absolute path of the file, whether it exists or not; "" if home is "" and
// XDG_CONFIG_HOME is not set to an absolute path.
func File(home string, getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		if !filepath.IsAbs(home) {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "reconcile", "config.yaml")
}

// Load reads the file; the Config is empty if there is none. home is the home directory of
// the user, "" for none. Errors are *diag.Problem values, which contain no values of
// index settings. A file that others may change is refused.
func Load(home string, getenv func(string) string) (*Config, error) {
	name := File(home, getenv)
	if name == "" {
		return &Config{}, nil
	}
	text, err := read(name)
	if rawfile.IsAbsent(err) {
		link, is := danglingLink(name)
		if !is {
			return &Config{}, nil
		}
		err = fmt.Errorf("%s is a link to a path that does not exist", link)
	}
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		return nil, p
	}
	if err != nil {
		return nil, &diag.Problem{
			Code: "config.unreadable", Pos: diag.Pos{File: name}, Summary: "the configuration of this user cannot be read",
			Found: reason(err), Hint: "see `ls -ld " + resources.ShellJoin(filepath.Dir(name), name) + "`",
		}
	}
	return parse(name, home, text)
}

// danglingLink returns the first element of the path of an absent file that is a link.
func danglingLink(name string) (link string, is bool) {
	for dir := name; ; dir = filepath.Dir(dir) {
		switch info, err := os.Lstat(dir); {
		case err == nil:
			return dir, info.Mode()&os.ModeSymlink != 0
		case dir == filepath.Dir(dir):
			return "", false
		}
	}
}

// reason returns the innermost cause of an error, without the name of the file.
func reason(err error) string {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return errno.Error()
	}
	return err.Error()
}

// read returns the content of the file, which must be a regular file, at most maxSize
// bytes long, that only this user and root can change or replace.
func read(name string) ([]byte, error) {
	fd, err := rawfile.Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var file, dir unix.Stat_t
	if err := unix.Fstat(fd, &file); err != nil {
		return nil, err
	}
	if file.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New("it is not a regular file")
	}
	if err := unix.Stat(filepath.Dir(name), &dir); err != nil {
		return nil, err
	}
	if err := checkOwner(name, &file, &dir); err != nil {
		return nil, err
	}
	buf := make([]byte, maxSize+1)
	n, err := rawfile.Read(fd, name, buf, len(buf))
	if err == nil && n > maxSize {
		return nil, fmt.Errorf("it has more than %d bytes", maxSize)
	}
	return buf[:n], err
}

// checkOwner returns the problem that somebody else can change the file, or replace it in
// its folder.
func checkOwner(name string, file, dir *unix.Stat_t) error {
	p := &diag.Problem{Code: "config.owner", Pos: diag.Pos{File: name}}
	var writable []string
	for _, one := range []struct {
		name string
		st   *unix.Stat_t
	}{{filepath.Dir(name), dir}, {name, file}} {
		if uid := one.st.Uid; uid != 0 && uid != uint32(os.Geteuid()) {
			p.Summary = fmt.Sprintf("%s belongs to another user, so it is not used", one.name)
			p.Found = fmt.Sprintf("it belongs to %s, and this is %s", UserName(uid), UserName(uint32(os.Geteuid())))
			p.Hint = "set HOME to the home directory of this user, or XDG_CONFIG_HOME to a folder of this user"
			return p
		}
		if one.st.Mode&0o022 != 0 {
			writable = append(writable, one.name)
		}
	}
	if writable == nil {
		return nil
	}
	p.Summary = "other users may write to " + strings.Join(writable, " and ") + ", so the configuration is not used"
	p.Found = fmt.Sprintf("mode %04o of the folder, %04o of the file", dir.Mode&0o7777, file.Mode&0o7777)
	p.Hint = "check its content, then `chmod go-w " + resources.ShellJoin(writable...) + "`"
	return p
}

// UserName returns "user NAME", or "user NUMBER" if this machine has no name for it.
func UserName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
