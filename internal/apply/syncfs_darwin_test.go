package apply

import (
	"testing"

	"golang.org/x/sys/unix"
)

func syncfs(t testing.TB, _ string) {
	t.Helper()
	check(t, unix.Sync())
}
