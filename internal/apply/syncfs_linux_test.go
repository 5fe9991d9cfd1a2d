package apply

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func syncfs(t testing.TB, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	check(t, err)
	defer f.Close()
	check(t, unix.Syncfs(int(f.Fd())))
}
