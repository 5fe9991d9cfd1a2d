package command

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func ignoreTerm() { signal.Ignore(syscall.SIGTERM) }

// family starts a grandchild that ignores SIGTERM, in the same process group.
func family() {
	if _, err := os.NewFile(3, "lock").Stat(); err != nil {
		fmt.Println("the lock was not inherited:", err)
		os.Exit(1)
	}
	c := exec.Command(os.Args[0])
	c.Env = []string{"COMMAND_CHILD=stubborn"}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("grandchild", c.Process.Pid)
	time.Sleep(time.Minute)
}

// ended reports whether a process is gone, or only waits to be reaped.
func ended(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}
