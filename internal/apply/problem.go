package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/mounts"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// problem returns an error of item i as a problem with its address and position.
func (e *engine) problem(i int, err error) *diag.Problem {
	p, ok := errors.AsType[*diag.Problem](err)
	switch {
	case e.storeIsGone(err):
		p = storeGone(e.o.Store, err)
	case ok:
		own := *p // the problem may belong to the plan
		p = &own
	default:
		p = explain(err, e.o.Root, e.items[i].Change.Need.Disk, e.o.Store)
	}
	if p.Addr == "" {
		p.Addr = e.items[i].Resource.Addr.String()
	}
	if !p.Pos.IsValid() {
		p.Pos = e.items[i].Resource.Pos
	}
	return p
}

// storeIsGone reports whether an error follows from the removal of the state directory of the
// project, which exists while an apply runs.
func (e *engine) storeIsGone(err error) bool {
	if e.o.State == "" || !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err = os.Lstat(e.o.State)
	return errors.Is(err, fs.ErrNotExist)
}

// storeGone returns the problem that the store was removed while it was being used.
func storeGone(store string, err error) *diag.Problem {
	return &diag.Problem{
		Code: "apply.store", Summary: fmt.Sprintf("the store %s was removed while it was being used", store), Found: err.Error(),
		Hint: "run `reconcile apply` again, which recreates it",
	}
}

// Explain returns a system error in the directory root, that of the project or in the store, as
// a problem. A *diag.Problem is returned unchanged.
func Explain(err error, root string) error {
	var p *diag.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	return explain(err, root, 0)
}

// explain returns a system error as a problem. need is the disk space that the change
// needs, in bytes; 0 if unknown. Programs write to root and to the other directories.
func explain(err error, root string, need int64, others ...string) *diag.Problem {
	if ran, ok := errors.AsType[*command.Error](err); ok {
		return explainProgram(ran, append(others, root), need)
	}
	if changed, ok := errors.AsType[*command.ChangedError](err); ok {
		return ChangedProgram(changed)
	}
	if errors.Is(err, atomicfile.ErrChanged) {
		return changedProblem(err.Error())
	}
	where := pathOf(err, append([]string{root}, others...))
	p := &diag.Problem{Found: err.Error()}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		p.Code, p.Summary = "apply.disk-full", "the file system of "+mountPoint(where)+" is full"
		p.Hint = needHint(need) + "free some space there and run `reconcile apply` again; existing files were not changed"
		var st unix.Statfs_t
		if unix.Statfs(existing(where), &st) == nil {
			free := int64(st.Bavail) * int64(st.Bsize)
			p.Found += fmt.Sprintf("\n%s free", bytesize.Format(free))
			// A failed program may have removed some of its files by now.
			if st.Files > 0 && (st.Ffree == 0 || st.Ffree < 100 && free > 1<<20) {
				p.Summary = "the file system of " + mountPoint(where) + " has no inodes left"
			}
		}
	case errors.Is(err, syscall.EDQUOT):
		p.Code, p.Summary = "apply.quota", "your quota on the file system of "+mountPoint(where)+" is used up"
		p.Hint = needHint(need) + "remove files that you no longer need there, or ask for a larger quota: quota -s"
	case errors.Is(err, syscall.EROFS):
		p.Code, p.Summary = "apply.read-only", "the file system of "+mountPoint(where)+" is read-only"
		p.Hint = "mount it for writing: `" + resources.ShellJoin("sudo", "mount", "-o", "remount,rw", mountPoint(where)) + "`; Linux remounts a file system read-only after a disk error: dmesg"
	case errors.Is(err, fs.ErrPermission):
		p.Code, p.Summary = "apply.denied", "permission denied"
		p.Hint = "check the owner: ls -ld " + resources.ShellQuote(filepath.Dir(where))
		if hint := giveBack(where); hint != "" {
			p.Hint = hint
		}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		p.Code, p.Summary, p.Hint = "apply.descriptors", "too many open files", "raise the limit: ulimit -n 1024"
	case errors.Is(err, syscall.EIO):
		p.Code, p.Summary, p.Hint = "apply.device", "the device reports an error", "check dmesg first; the disk may be failing"
	default:
		return &diag.Problem{Code: "apply.error", Summary: err.Error()}
	}
	return p
}

// isAny reports whether err is one of the system errors.
func isAny(err error, errnos ...syscall.Errno) bool {
	return slices.ContainsFunc(errnos, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

func needHint(need int64) string {
	if need <= 0 {
		return ""
	}
	return "this change needs " + bytesize.Format(need) + "; "
}

// systemError returns the system error that a program printed, 0 for none. Programs
// run in an English locale.
func systemError(output string) syscall.Errno {
	output = strings.ToLower(output)
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if strings.Contains(output, e.Error()) {
			return e
		}
	}
	return 0
}

// explainProgram returns the error of a program as a problem: that of the system error
// at the end of its output, if any.
func explainProgram(ran *command.Error, written []string, need int64) *diag.Problem {
	p := &diag.Problem{Code: "apply.program", Summary: ran.Error(), Found: strings.Join(ran.Tail, "\n")}
	if errors.Is(ran.Cause, context.Canceled) {
		p.Code = "apply.interrupted"
		return p
	}
	if errno := systemError(p.Found); errno != 0 {
		where := failedPlace(errno, written)
		why := explain(&fs.PathError{Op: "write", Path: where, Err: errno}, where, need)
		_, free, _ := strings.Cut(why.Found, "\n")
		why.Found = strings.TrimSpace(p.Summary + "\n" + p.Found + "\n" + free)
		return why
	}
	return p
}

// failedPlace returns the directory on whose file system a program failed: of a full one the
// one with the least space, else the first that is read-only, else the first.
func failedPlace(errno syscall.Errno, written []string) string {
	least, at := int64(math.MaxInt64), written[0]
	for _, dir := range written {
		var st unix.Statfs_t
		if unix.Statfs(existing(dir), &st) != nil {
			continue
		}
		free := int64(st.Bavail) * int64(st.Bsize)
		if st.Files > 0 && st.Ffree == 0 {
			free = 0
		}
		if errno == syscall.EROFS {
			free = int64(1 - st.Flags&1) // ST_RDONLY
		}
		if free < least {
			least, at = free, dir
		}
	}
	return at
}

// pathOf returns the path in an error, or the first root. A relative path is below the root
// that has most of its directories.
func pathOf(err error, roots []string) string {
	name := ""
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		name = e.Path
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		name = e.New
	}
	if filepath.IsAbs(name) {
		return name
	}
	missing := func(root string) int { // part of the path, in bytes
		full := filepath.Join(root, name)
		return len(full) - len(existing(full))
	}
	return filepath.Join(slices.MinFunc(roots, func(a, b string) int { return cmp.Compare(missing(a), missing(b)) }), name)
}

// giveBack returns the command that makes this user the owner of a path that is below a
// folder of this user and belongs to another one, as an earlier run by root leaves it; "" if
// there is no such folder.
func giveBack(path string) string {
	var st unix.Stat_t
	for other := ""; ; path = filepath.Dir(path) {
		switch err := unix.Lstat(path, &st); {
		case err == nil && st.Uid != uint32(os.Geteuid()):
			other = path
		case err == nil && other == "":
			return ""
		case err == nil:
			_ = unix.Lstat(other, &st)
			return fmt.Sprintf("it belongs to %s, perhaps by an earlier run as root: `sudo chown -R %s %s`, then run `reconcile apply` again",
				userconfig.UserName(st.Uid), thisOwner(), resources.ShellQuote(other))
		}
		if path == filepath.Dir(path) {
			return ""
		}
	}
}

// thisOwner returns the user and group of this process for chown.
func thisOwner() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username + ":" // the group is that of the user
	}
	return id + ":" + strconv.Itoa(os.Getegid())
}

// existing returns path or its nearest existing parent.
func existing(path string) string {
	for {
		if _, err := os.Lstat(path); err == nil || path == "/" || path == "." {
			return path
		}
		path = filepath.Dir(path)
	}
}

// mountPoint returns the topmost parent of path on the same file system.
func mountPoint(path string) string {
	path = existing(path)
	if m, err := mounts.Of(path); err == nil && m.Point != "" {
		return m.Point
	}
	var own, parent unix.Stat_t
	if unix.Stat(path, &own) != nil {
		return path
	}
	for path != "/" {
		dir := filepath.Dir(path)
		if unix.Stat(dir, &parent) != nil || parent.Dev != own.Dev {
			return path
		}
		path = dir
	}
	return path
}
