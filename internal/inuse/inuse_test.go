package inuse

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestOf(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep program")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	used, unused := filepath.Join(dir, "used"), filepath.Join(dir, "use")
	for _, d := range []string{used, unused} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(used, "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	for how, start := range map[string]func(*exec.Cmd){
		"argument":          func(c *exec.Cmd) { c.Args[0] = filepath.Join(used, "bin/python") },
		"working directory": func(c *exec.Cmd) { c.Dir = used },
		"environment":       func(c *exec.Cmd) { c.Env = []string{"VIRTUAL_ENV=" + used} },
		"open file":         func(c *exec.Cmd) { c.ExtraFiles = []*os.File{file} },
	} {
		if runtime.GOOS != "linux" && how != "argument" {
			continue
		}
		t.Run(how, func(t *testing.T) {
			c := exec.Command(sleep, "60")
			start(c)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = c.Process.Kill()
				_ = c.Wait()
			}()
			found, _, err := Of(used)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || found[0].PID != c.Process.Pid {
				t.Errorf("found %v, want process %d", found, c.Process.Pid)
			}
			if each, _, err := OfEach([]string{used, unused}); err != nil || len(each) != 1 || each[used].PID != c.Process.Pid {
				t.Errorf("of each %v, %v, want process %d in %s", each, err, c.Process.Pid, used)
			}
			if others, _, _ := Of(unused); len(others) != 0 {
				t.Errorf("%v use a tree that only shares a prefix", others)
			}
		})
	}
}
