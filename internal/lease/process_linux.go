package lease

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// namespace returns the namespace of process numbers. See namespaces(7).
var namespace = sync.OnceValue(func() string {
	target, _ := os.Readlink("/proc/self/ns/pid")
	return target
})

// start returns when a process started, in clock ticks after the boot; "" if there is none.
// See proc_pid_stat(5): field 22, where field 2 is a name in parentheses.
func start(pid int) string {
	text, err := rawfile.ReadFile(fmt.Sprintf("/proc/%d/stat", pid), 4<<10, 0)
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}
