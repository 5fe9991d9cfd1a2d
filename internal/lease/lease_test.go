package lease

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// put writes a lease as another process would.
func put(t *testing.T, dir string, l Lease) string {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, l.name())
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWriteRecordsThisProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "leases")
	now := time.Now()
	if err := Write(dir, "/gen", false, now); err != nil {
		t.Fatal(err)
	}
	leases, err := Read(dir)
	if err != nil || len(leases) != 1 || leases[0].PID != os.Getpid() || leases[0].Status(true) != Running {
		t.Fatalf("%+v, %v", leases, err)
	}
	if l, ok := Holder(leases, "/gen", false, now.Add(100*Kept)); !ok || l.PID != os.Getpid() {
		t.Error("a running process keeps no generation")
	}
	if _, ok := Holder(leases, "/other", false, now); ok {
		t.Error("it keeps another generation")
	}
	if err := Write(dir, "/gen2", false, now); err != nil {
		t.Fatal(err)
	}
	if leases, _ = Read(dir); len(leases) != 1 || leases[0].Generation != "/gen2" {
		t.Errorf("a process has %+v", leases)
	}
}

func TestLeasesOfEndedProcessesAreRemoved(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep program")
	}
	dir := t.TempDir()
	c := exec.Command(sleep, "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	l, err := of(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	l.Generation, l.Time = "/gen", time.Now()
	file := put(t, dir, l)
	if l.Status(false) != Running {
		t.Error("it does not run")
	}
	reused := l
	reused.Start = "1"
	if reused.Status(false) != Ended {
		t.Error("another process with its number counts")
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if l.Status(false) != Ended {
		t.Error("it still runs")
	}
	if err := Write(dir, "/gen", false, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("its lease remains")
	}
}

func TestLeasesOfOtherHostsAreKeptByAge(t *testing.T) {
	now := time.Now()
	here, err := of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	here.Generation, here.Time = "/gen", now.Add(-time.Hour)
	host, container, boot := here, here, here
	host.Host, host.Boot = "node2", "another"
	container.Namespace, container.PID = "pid:[1]", 1
	boot.Boot = "another"
	for name, x := range map[string]struct {
		lease   Lease
		network bool
		want    Status
	}{
		"another host":                          {host, true, Unknown},
		"another container on this kernel":      {container, false, Unknown},
		"this host's name, network":             {boot, true, Unknown},
		"this host before it was started again": {boot, false, Ended},
	} {
		if got := x.lease.Status(x.network); got != x.want {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
		_, held := Holder([]Lease{x.lease}, "/gen", x.network, now)
		_, late := Holder([]Lease{x.lease}, "/gen", x.network, now.Add(Kept))
		if held != (x.want == Unknown) || late {
			t.Errorf("%s: held %v, after %s %v", name, held, Kept, late)
		}
	}
}

func TestFilesThatAreNoLeasesAreIgnored(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"cut": `{"host":"a","pid":`, "empty": "", "other": "[]"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if leases, err := Read(dir); err != nil || len(leases) != 0 {
		t.Errorf("%+v, %v", leases, err)
	}
}

func BenchmarkWrite(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if err := Write(dir, "/gen", false, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
