package inuse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Of returns the processes that have an executable, working directory, open file,
// mapping or argument in dir, or whose VIRTUAL_ENV or CONDA_PREFIX is in dir. dir must be
// absolute with links resolved. Arguments count because a program that imports a module
// late has no file of the tree open until then.
//
// unseen is the number of processes that may not be inspected, such as those of other
// users.
func Of(dir string) (found []Process, unseen int, err error) {
	unseen, err = eachProcess(func(pid int, proc string) error {
		return evidence(proc, func(file, how string) bool {
			if !below(file, dir) {
				return true
			}
			found = append(found, Process{PID: pid, Name: name(pid), How: how})
			return false
		})
	})
	return found, unseen, err
}

// OfEach returns for each directory one of the processes that use it, as Of does; none for
// those that are not used. It inspects every process once.
func OfEach(dirs []string) (found map[string]Process, unseen int, err error) {
	trees := newTrees(dirs)
	unseen, err = eachProcess(func(pid int, proc string) error {
		return evidence(proc, func(file, how string) bool {
			if dir := trees.holding(file); dir != "" {
				trees.found[dir] = Process{PID: pid, Name: name(pid), How: how}
			}
			return true
		})
	})
	return trees.found, unseen, err
}

// eachProcess calls do with the number and the /proc directory of every process but this one,
// and returns how many do could not inspect.
func eachProcess(do func(pid int, proc string) error) (unseen int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if errors.Is(do(pid, filepath.Join("/proc", e.Name())), fs.ErrPermission) {
			unseen++
		}
	}
	return unseen, nil
}

// maxArguments is the size in bytes to which the kernel limits the arguments and the
// environment of a process with the usual limit of its stack, 8 MiB. Those of a process with
// more are not searched.
const maxArguments = 6 << 20

// evidence calls yield with every path that the process with the /proc directory proc uses,
// and how it uses it, until yield returns false.
func evidence(proc string, yield func(file, how string) bool) error {
	if line, err := rawfile.ReadFile(filepath.Join(proc, "cmdline"), maxArguments, 0); err == nil {
		for arg := range bytes.SplitSeq(line, []byte{0}) {
			if !yield(string(arg), string(arg)) {
				return nil
			}
		}
	}
	if environ, err := rawfile.ReadFile(filepath.Join(proc, "environ"), maxArguments, 0); err == nil {
		for kv := range bytes.SplitSeq(environ, []byte{0}) {
			for _, variable := range []string{"VIRTUAL_ENV=", "CONDA_PREFIX="} {
				if place, ok := strings.CutPrefix(string(kv), variable); ok && !yield(place, string(kv)) {
					return nil
				}
			}
		}
	}
	for _, link := range []string{"exe", "cwd", "root"} {
		target, err := os.Readlink(filepath.Join(proc, link))
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
		if !yield(target, target) {
			return nil
		}
	}
	if more, err := mapped(filepath.Join(proc, "maps"), yield); !more || err != nil {
		return err
	}
	return opened(filepath.Join(proc, "fd"), yield)
}

// mapped calls yield with the mapped files, and reports whether it wants more.
func mapped(maps string, yield func(file, how string) bool) (more bool, err error) {
	f, err := rawfile.OpenFile(maps, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if i := strings.IndexByte(lines.Text(), '/'); i >= 0 {
			if file := lines.Text()[i:]; !yield(file, file) {
				return false, nil
			}
		}
	}
	return true, nil
}

func opened(fd string, yield func(file, how string) bool) error {
	entries, err := os.ReadDir(fd)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(fd, e.Name())); err == nil && !yield(target, target) {
			return nil
		}
	}
	return nil
}

func name(pid int) string {
	comm, err := rawfile.ReadFile(fmt.Sprintf("/proc/%d/comm", pid), 64, 0)
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(comm))
}
