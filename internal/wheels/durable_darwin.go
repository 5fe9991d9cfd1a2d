package wheels

import (
	"sync"

	"golang.org/x/sys/unix"
)

// bootID identifies the time since the machine was started, "" if it is unknown.
var bootID = sync.OnceValue(func() string {
	id, _ := unix.Sysctl("kern.bootsessionuuid")
	return id
})

// startWriteback does nothing: macOS has no call that starts writing a file.
func startWriteback(int) {}
