package wheels

import (
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// bootID identifies the time since the machine was started, "" if it is unknown. It is the
// same in all containers of a machine.
var bootID = sync.OnceValue(func() string {
	id, _ := rawfile.ReadFile("/proc/sys/kernel/random/boot_id", 64, 0)
	return strings.TrimSpace(string(id))
})

// startWriteback makes the kernel write a file to the disk soon, so that a later sync has
// less to wait for.
func startWriteback(fd int) { _ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }
