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
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, 0, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		how, err := uses(filepath.Join("/proc", e.Name()), dir)
		switch {
		case errors.Is(err, fs.ErrPermission):
			unseen++
		case how != "":
			found = append(found, Process{PID: pid, Name: name(pid), How: how})
		}
	}
	return found, unseen, nil
}

// maxArguments is the size in bytes to which the kernel limits the arguments and the
// environment of a process with the usual limit of its stack, 8 MiB. Those of a process with
// more are not searched.
const maxArguments = 6 << 20

// uses returns the first evidence that the process with the /proc directory proc uses dir.
func uses(proc, dir string) (how string, err error) {
	if line, err := rawfile.ReadFile(filepath.Join(proc, "cmdline"), maxArguments, 0); err == nil {
		for arg := range bytes.SplitSeq(line, []byte{0}) {
			if below(string(arg), dir) {
				return string(arg), nil
			}
		}
	}
	if environ, err := rawfile.ReadFile(filepath.Join(proc, "environ"), maxArguments, 0); err == nil {
		for kv := range bytes.SplitSeq(environ, []byte{0}) {
			for _, variable := range []string{"VIRTUAL_ENV=", "CONDA_PREFIX="} {
				if place, ok := strings.CutPrefix(string(kv), variable); ok && below(place, dir) {
					return string(kv), nil
				}
			}
		}
	}
	for _, link := range []string{"exe", "cwd", "root"} {
		target, err := os.Readlink(filepath.Join(proc, link))
		if errors.Is(err, fs.ErrPermission) {
			return "", err
		}
		if below(target, dir) {
			return target, nil
		}
	}
	if how, err := mapped(filepath.Join(proc, "maps"), dir); how != "" || err != nil {
		return how, err
	}
	return opened(filepath.Join(proc, "fd"), dir)
}

func mapped(maps, dir string) (string, error) {
	f, err := rawfile.OpenFile(maps, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if i := strings.IndexByte(lines.Text(), '/'); i >= 0 && below(lines.Text()[i:], dir) {
			return lines.Text()[i:], nil
		}
	}
	return "", nil
}

func opened(fd, dir string) (string, error) {
	entries, err := os.ReadDir(fd)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(fd, e.Name())); err == nil && below(target, dir) {
			return target, nil
		}
	}
	return "", nil
}

func name(pid int) string {
	comm, err := rawfile.ReadFile(fmt.Sprintf("/proc/%d/comm", pid), 64, 0)
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(comm))
}
