package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// safeVariable names the variable with projects of other users that may be used: patterns as
// in safe_directories of the user's config.yaml, separated by colons.
const safeVariable = "RECONCILE_SAFE_DIRECTORY"

// CheckOwner refuses a project that another user controls: the folder root, which is absolute
// with links resolved, or the manifest file in it belongs to somebody who is neither this
// user nor root, or every user may write to one of them. Of a file that is a link its target
// is checked too. file is "" if there is none. Projects that the user declares safe are
// accepted. The error has exit.Blocked.
//
// The rule is that of git for safe.directory, except that root is not trusted with the
// project of the user who started it by sudo: files of root would remain in it.
func (c *Config) CheckOwner(root, file string) error {
	places := []string{root}
	if file != "" {
		places = append(places, file)
		if target, err := filepath.EvalSymlinks(file); err == nil && target != file {
			places = append(places, target)
		}
	}
	p := checkPlaces(places)
	if p == nil || userconfig.Covers(filepath.SplitList(c.Getenv(safeVariable)), root) {
		return nil
	}
	config, err := userconfig.Load(c.Home(), c.Getenv)
	if err == nil && userconfig.Covers(config.SafeDirectories, root) {
		return nil
	}
	var problems diag.List
	problems.AddErr(err)
	problems.Add(c.refuse(p, root, config))
	return exit.With(exit.Blocked, problems.Err())
}

// A foreign is the reason why a project is not used: a place of another user, or places
// that every user may write to.
type foreign struct {
	place    string // absolute
	uid      uint32 // its owner
	writable []string
}

// checkPlaces returns why a project is not used, nil for none. A place that does not exist
// is ignored.
func checkPlaces(places []string) *foreign {
	var found *foreign
	for _, place := range places {
		var st unix.Stat_t
		if unix.Lstat(place, &st) != nil {
			continue
		}
		if st.Uid != 0 && st.Uid != uint32(os.Geteuid()) {
			return &foreign{place: place, uid: st.Uid}
		}
		switch kind := st.Mode & unix.S_IFMT; {
		case kind == unix.S_IFLNK, st.Mode&0o002 == 0:
			continue
		case kind == unix.S_IFDIR && uint32(st.Mode)&unix.S_ISVTX != 0: // as /tmp: only owners remove and rename
			continue
		}
		if found == nil {
			found = &foreign{place: place, uid: st.Uid}
		}
		found.writable = append(found.writable, place)
	}
	return found
}

// refuse returns the problem of f, with the commands by which this user can declare the
// project at root safe. config is nil if it cannot be read.
func (c *Config) refuse(f *foreign, root string, config *userconfig.Config) *diag.Problem {
	owner, me := userconfig.UserName(f.uid), userconfig.UserName(uint32(os.Geteuid()))
	again := resources.ShellJoin(append([]string{"reconcile"}, c.Args...)...)
	sudo := ""
	if os.Geteuid() == 0 && c.Getenv("SUDO_UID") != "" {
		sudo = "sudo " // which removes variables before it
	}
	p := &diag.Problem{Code: "project.owner", Summary: fmt.Sprintf("%s belongs to %s, so this project is not used; nothing was changed", f.place, owner), Found: "this is " + me}
	switch {
	case f.writable != nil:
		p.Code, p.Summary = "project.writable", fmt.Sprintf("every user may write to %s, so this project is not used; nothing was changed", strings.Join(f.writable, " and "))
		p.Found = "it belongs to " + owner
		p.Hint = "check its content, then run `"
		if int(f.uid) != os.Geteuid() {
			p.Hint += "sudo "
		}
		p.Hint += "chmod o-w " + resources.ShellJoin(f.writable...) + "`"
	case sudo != "" && c.Getenv("SUDO_UID") == strconv.FormatUint(uint64(f.uid), 10):
		p.Found += ", by sudo"
		p.Hint = "run it without sudo, as the owner: `" + again + "`"
		return p
	}
	add := func(format string, args ...any) {
		if p.Hint != "" {
			p.Hint += "\n"
		}
		p.Hint += fmt.Sprintf(format, args...)
	}
	if !strings.Contains(root, ":") {
		add("if you trust its content: `%s%s=%s %s`", sudo, safeVariable, resources.ShellQuote(root), again)
	}
	if line := c.safeLine(root, config); line != "" {
		add("to trust it always: %s", line)
	}
	return p
}

// safeLine returns how to declare the project at root safe in the user's config.yaml; "" if
// that cannot be done by one line.
func (c *Config) safeLine(root string, config *userconfig.Config) string {
	file := userconfig.File(c.Home(), c.Getenv)
	if file == "" || config == nil || strings.ContainsFunc(root, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`\"'`, r) }) {
		return ""
	}
	entry := root
	if strings.ContainsFunc(root, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-", r)
	}) {
		entry = `"` + root + `"`
	}
	dir, quoted := resources.ShellQuote(filepath.Dir(file)), resources.ShellQuote(file)
	switch _, err := os.Stat(file); {
	case len(config.SafeDirectories) > 0:
		return fmt.Sprintf("add %s to safe_directories in %s", entry, file)
	case err != nil:
		return fmt.Sprintf("`mkdir -p %s && echo 'safe_directories: [%s]' > %s && chmod go-w %s %s`", dir, entry, quoted, dir, quoted)
	}
	return fmt.Sprintf("`echo 'safe_directories: [%s]' >> %s`", entry, quoted)
}
