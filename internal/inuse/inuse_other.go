//go:build !linux

package inuse

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// Of returns the processes that have an argument in dir, which must be absolute with
// links resolved. unseen is the number of processes that may not be inspected.
func Of(dir string) (found []Process, unseen int, err error) {
	unseen, err = eachProcess(func(p *process.Process, line []string) {
		for _, arg := range line {
			if below(arg, dir) {
				found = append(found, newProcess(p, line, arg))
				break
			}
		}
	})
	return found, unseen, err
}

// OfEach returns for each directory one of the processes that use it, as Of does; none for
// those that are not used.
func OfEach(dirs []string) (found map[string]Process, unseen int, err error) {
	trees := newTrees(dirs)
	unseen, err = eachProcess(func(p *process.Process, line []string) {
		for _, arg := range line {
			if dir := trees.holding(arg); dir != "" {
				trees.found[dir] = newProcess(p, line, arg)
			}
		}
	})
	return trees.found, unseen, err
}

func newProcess(p *process.Process, line []string, how string) Process {
	return Process{PID: int(p.Pid), Name: filepath.Base(strings.TrimSpace(line[0])), How: how}
}

// eachProcess calls do with every process but this one and its arguments, and returns how
// many may not be inspected.
func eachProcess(do func(p *process.Process, line []string)) (unseen int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	list, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, p := range list {
		line, err := p.CmdlineSliceWithContext(ctx)
		if err != nil {
			unseen++
			continue
		}
		if int(p.Pid) != os.Getpid() {
			do(p, line)
		}
	}
	return unseen, nil
}
