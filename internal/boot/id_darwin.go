package boot

import "golang.org/x/sys/unix"

// id returns the sysctl kern.bootsessionuuid.
func id() string {
	text, _ := unix.Sysctl("kern.bootsessionuuid")
	return text
}
