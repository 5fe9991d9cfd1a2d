package apply

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// TestFullDisk fills the disk in the middle of a group, and again in a single item. With
// free space the same apply succeeds.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	if err := unix.Mount("tmpfs", w.root, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(w.root, unix.MNT_DETACH)
	w.mustApply(wantFile("a0", "old"))
	big := strings.Repeat("x", 100<<10)
	list := []resources.Resource{wantFile("a0", "new"+big)}
	for i := range 4 {
		list = append(list, wantFile(fmt.Sprintf("d%d/a", i), big))
	}
	list = append(list, wantMade("m/b", resources.Remove{Path: "none"}, resources.WriteFile{Path: "m/b", Mode: 0o644, Content: strings.Repeat(big, 5)}))
	p := w.plan(list...)
	for i := range p.Items {
		p.Items[i].Change.Need.Disk = 500 << 10
	}
	r := w.apply(t.Context(), p)
	if r.Failed() == 0 {
		t.Fatal("nothing failed")
	}
	for _, it := range r.Items {
		if it.Outcome != Failed {
			continue
		}
		if it.Cause.Code != "apply.disk-full" || !strings.Contains(it.Cause.Summary, w.root+" is full") || !strings.Contains(it.Cause.Hint, "needs 512 kB") {
			t.Errorf("%s: %v", it.Addr, it.Cause)
		}
	}
	if got := w.read("a0"); got != "old" && got != "new"+big {
		t.Errorf("the old file contains %.10q", got)
	}
	w.checkClean()
	if err := unix.Mount("", w.root, "", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	w.mustApply(list...)
}

// TestFullStore fills the file system of the store while a wheel is fetched, and while it is
// unpacked. With free space the next apply continues with the archive that is there.
func TestFullStore(t *testing.T) {
	python := findPython(t)
	for _, pin := range []string{"dense=1", "large=1"} {
		t.Run(pin, func(t *testing.T) {
			w := newWorld(t)
			if err := unix.Mount("tmpfs", w.store(), "tmpfs", 0, "size=1m"); err != nil {
				t.Skipf("this user cannot mount a small file system: %v", err)
			}
			defer unix.Unmount(w.store(), unix.MNT_DETACH)
			check(t, os.MkdirAll(w.stateDir(), 0o700))
			env := wantEnvironment(w, python, "one", []string{pin})
			p := w.apply(t.Context(), w.plan(env)).want(t, "venv.local", Failed, "apply.disk-full")
			if !strings.Contains(p.Summary, w.store()+" is full") {
				t.Errorf("%+v", p)
			}
			if left, err := os.ReadDir(layout.Dists(w.store())); err != nil || len(left) > 0 {
				t.Errorf("the store has %v, %v", left, err)
			}
			if err := unix.Mount("", w.store(), "", unix.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
			if pin == "large=1" {
				w.removeWheels()
			}
			w.mustApply(env)
		})
	}
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	if err := unix.Mount("tmpfs", w.root, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(w.root, unix.MNT_DETACH)
	w.write("d/there", "x")
	if err := unix.Mount("", w.root, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	r := Run(t.Context(), w.plan(wantFile("d/a", "x"), wantMade("b", resources.Remove{Path: "d/there"})), w.options())
	r.want(t, "file.d/a", Failed, "apply.read-only")
	r.want(t, "made.b", Failed, "apply.read-only")
}

// TestRemoveStaysOnItsFileSystem mounts another file system in the tree to remove.
func TestRemoveStaysOnItsFileSystem(t *testing.T) {
	w := newWorld(t)
	w.write("tree/mnt/below", "x")
	w.write("other/precious", "x")
	if err := unix.Mount(w.path("other"), w.path("tree/mnt"), "", unix.MS_BIND, ""); err != nil {
		t.Skipf("this user cannot mount: %v", err)
	}
	defer unix.Unmount(w.path("tree/mnt"), unix.MNT_DETACH)
	r := w.apply(t.Context(), w.plan(wantGone("tree")))
	r.want(t, "gone.tree", Failed, "apply.remove-refused")
	if w.read("other/precious") != "x" {
		t.Error("removed through the mount")
	}
}
