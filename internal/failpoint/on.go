//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// hits counts the hits of each failpoint.
var hits struct {
	sync.Mutex
	times map[string]int
}

// Enabled reports whether this build has failpoints.
const Enabled = true

// Hit marks a failpoint.
func Hit(name string) {
	if !strings.HasPrefix(name, "step.") && !slices.Contains(Names(), name) {
		panic(fmt.Sprintf("failpoint %q is not in Names", name))
	}
	hits.Lock()
	defer hits.Unlock()
	if hits.times == nil {
		hits.times = map[string]int{}
	}
	hits.times[name]++
	list(name)
	place, count, ok := strings.Cut(os.Getenv("RECONCILE_FAILPOINT"), ":")
	if !ok || place != name {
		return
	}
	if n, err := strconv.Atoi(count); err == nil && n == hits.times[name] {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal arrives
	}
}

// Step marks the failpoint before or after a step.
func Step(step, when string) { Hit(stepName(step, when)) }

// list appends name to the file that RECONCILE_FAILPOINT_LIST names.
func list(name string) {
	path := os.Getenv("RECONCILE_FAILPOINT_LIST")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, name); err != nil {
		panic(err)
	}
}
