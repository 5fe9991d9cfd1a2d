//go:build crashpoints

package crashpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// passed counts the passages of each place. It is the one variable of this
// package, and exists only in builds for the kill test.
var passed = struct {
	sync.Mutex
	times map[string]int
}{times: map[string]int{}}

// Enabled reports whether this build can crash on demand.
const Enabled = true

// Here marks a place.
func Here(name string) {
	if !slices.Contains(places, name) && !strings.HasPrefix(name, "step.") {
		panic(fmt.Sprintf("crash point %q is not listed", name))
	}
	passed.Lock()
	defer passed.Unlock()
	passed.times[name]++
	list(name)
	place, count, ok := strings.Cut(os.Getenv("RECONCILE_CRASH"), ":")
	if !ok || place != name {
		return
	}
	if n, err := strconv.Atoi(count); err == nil && n == passed.times[name] {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing more may happen
	}
}

// Step marks the place before or after a step.
func Step(step, when string) { Here(stepName(step, when)) }

func list(name string) {
	path := os.Getenv("RECONCILE_CRASH_LIST")
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
