//go:build !linux

package inuse

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// Of returns the processes that have an argument in dir, which must be absolute with
// links resolved. unseen is the number of processes that may not be inspected.
func Of(dir string) (found []Process, unseen int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	list, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("list processes: %w", err)
	}
	for _, p := range list {
		line, err := p.CmdlineSliceWithContext(ctx)
		if err != nil {
			unseen++
			continue
		}
		for _, arg := range line {
			if below(arg, dir) {
				found = append(found, Process{PID: int(p.Pid), Name: filepath.Base(strings.TrimSpace(line[0])), How: arg})
				break
			}
		}
	}
	return found, unseen, nil
}
