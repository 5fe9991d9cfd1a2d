package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// problem returns what a user can do about an error of item i.
func (e *engine) problem(i int, err error) *diag.Problem {
	var p *diag.Problem
	if errors.As(err, &p) {
		own := *p // the plan's problem stays as it is
		p = &own
	} else {
		p = e.explain(err, e.items[i].Change.Need.Disk)
	}
	if p.Addr == "" {
		p.Addr = e.items[i].Resource.Addr.String()
	}
	if !p.Pos.IsValid() {
		p.Pos = e.items[i].Resource.Pos
	}
	return p
}

// explain turns an error of the system into words. need is what the change takes
// on disk, in bytes; 0 if that is not known.
func (e *engine) explain(err error, need int64) *diag.Problem {
	var ran *command.Error
	switch {
	case errors.As(err, &ran):
		return e.explainProgram(ran, need)
	case errors.Is(err, atomicfile.ErrChanged):
		return changedProblem(err.Error())
	}
	where := e.pathOf(err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return e.fullProblem(err, where, need)
	case errors.Is(err, syscall.EDQUOT):
		return &diag.Problem{
			Code: "apply.quota", Summary: "your quota on the file system of " + mountPoint(where) + " is used up", Found: err.Error(),
			Hint: needHint(need) + "remove what you no longer need there, or ask for more: quota -s",
		}
	case errors.Is(err, syscall.EROFS):
		return &diag.Problem{
			Code: "apply.read-only", Summary: "the file system of " + mountPoint(where) + " is read-only", Found: err.Error(),
			Hint: "mount it for writing, or put the project elsewhere; after a disk error linux remounts a file system so: dmesg",
		}
	case errors.Is(err, fs.ErrPermission):
		return &diag.Problem{
			Code: "apply.denied", Summary: "this user may not do that", Found: err.Error(),
			Hint: "look at who owns it: ls -ld " + filepath.Dir(where),
		}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &diag.Problem{Code: "apply.descriptors", Summary: "there are too many open files", Found: err.Error(), Hint: "allow more: ulimit -n 1024"}
	case errors.Is(err, syscall.EIO):
		return &diag.Problem{Code: "apply.device", Summary: "the device reports an error", Found: err.Error(), Hint: "look at dmesg before anything else; the disk may be failing"}
	}
	return &diag.Problem{Code: "apply.error", Summary: err.Error()}
}

func (e *engine) fullProblem(err error, where string, need int64) *diag.Problem {
	p := &diag.Problem{Code: "apply.disk-full", Summary: "the file system of " + mountPoint(where) + " is full", Found: err.Error()}
	var st unix.Statfs_t
	if unix.Statfs(existing(where), &st) == nil {
		free := int64(st.Bavail) * int64(st.Bsize)
		p.Found += fmt.Sprintf("\n%s free", bytesize.Format(free))
		// A program that failed has removed some of what it made when we look.
		if st.Files > 0 && (st.Ffree == 0 || st.Ffree < 100 && free > 1<<20) {
			p.Summary = "the file system of " + mountPoint(where) + " has no inodes left"
		}
	}
	p.Hint = needHint(need) + "make room there and run `reconcile apply` again; what stood there before is untouched"
	return p
}

func needHint(need int64) string {
	if need <= 0 {
		return ""
	}
	return "this change needs " + bytesize.Format(need) + "; "
}

// refusals are what a program may be told by the system and repeat in its words.
var systemErrors = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS}

// explainProgram explains how a program ended. What it was refused by the system
// can only be told by its last words: they are the system's own, in English, since
// a program is told so by its environment.
func (e *engine) explainProgram(ran *command.Error, need int64) *diag.Problem {
	p := &diag.Problem{Code: "apply.program", Summary: ran.Error(), Found: strings.Join(ran.Tail, "\n")}
	if errors.Is(ran.Cause, context.Canceled) {
		p.Code = "apply.interrupted"
		return p
	}
	for _, refused := range systemErrors {
		if strings.Contains(strings.ToLower(p.Found), refused.Error()) {
			why := e.explain(&fs.PathError{Op: "write", Path: e.o.Root, Err: refused}, need)
			_, free, _ := strings.Cut(why.Found, "\n")
			why.Found = strings.TrimSpace(p.Summary + "\n" + p.Found + "\n" + free)
			return why
		}
	}
	return p
}

// Explain says what a user can do about an error of the system that was met in
// the project at root before a plan was begun. A Problem stays as it is.
func Explain(err error, root string) error {
	var p *diag.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	e := &engine{o: Options{Root: root}}
	return e.explain(err, 0)
}

// pathOf returns the path that an error names, or the project.
func (e *engine) pathOf(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	name := ""
	switch {
	case errors.As(err, &path):
		name = path.Path
	case errors.As(err, &link):
		name = link.New
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(e.o.Root, name)
	}
	return name
}

// existing returns path or the nearest of its parents that exists.
func existing(path string) string {
	for {
		if _, err := os.Lstat(path); err == nil || path == "/" || path == "." {
			return path
		}
		path = filepath.Dir(path)
	}
}

// mountPoint returns the highest directory above path on the same file system.
func mountPoint(path string) string {
	path = existing(path)
	var here, above unix.Stat_t
	if unix.Stat(path, &here) != nil {
		return path
	}
	for path != "/" {
		dir := filepath.Dir(path)
		if unix.Stat(dir, &above) != nil || above.Dev != here.Dev {
			return path
		}
		path = dir
	}
	return path
}

// otherFileSystem says that a thing cannot be renamed to where it is to be.
func otherFileSystemProblem(s resources.Move) *diag.Problem {
	return &diag.Problem{
		Code: "apply.other-file-system", Summary: fmt.Sprintf("%s cannot become %s: that is another file system", s.From, s.To),
		Hint: "move it yourself, which copies it: mv " + resources.ShellJoin(s.From, s.To),
	}
}
