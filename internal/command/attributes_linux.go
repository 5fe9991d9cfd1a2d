package command

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// attributes puts a child into its own process group, and kills it when we end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// isolation returns the namespaces in which an isolated child starts: a network namespace
// without any address, and, except for root, a user namespace, which the kernel demands
// from all others. It is 0 if the kernel refuses them, as in most containers, or with
// kernel.apparmor_restrict_unprivileged_userns.
var isolation = sync.OnceValue(func() uintptr {
	const network, user = syscall.CLONE_NEWNET, syscall.CLONE_NEWUSER
	candidates := []uintptr{network | user}
	if os.Geteuid() == 0 {
		candidates = []uintptr{network, network | user}
	}
	for _, flags := range candidates {
		attr := &syscall.SysProcAttr{}
		setNamespaces(attr, flags)
		// No program has this path. The child ends with ENOTDIR once it has its namespaces.
		_, err := os.StartProcess("/dev/null/none", nil, &os.ProcAttr{Env: []string{}, Sys: attr})
		if errors.Is(err, syscall.ENOTDIR) {
			return flags
		}
	}
	return 0
})

func setNamespaces(attr *syscall.SysProcAttr, flags uintptr) {
	attr.Cloneflags = flags
	if flags&syscall.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
}

func canIsolate() bool { return isolation() != 0 }

func isolate(attr *syscall.SysProcAttr, contained bool) {
	flags := isolation()
	if contained && flags != 0 { // the kernel grants both to the same users
		flags |= syscall.CLONE_NEWPID
	}
	setNamespaces(attr, flags)
}
