package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// small is a site on a file system of its own, whose size can be changed.
type smallSite struct {
	*site
	mirror *mirror
}

// ballast is what a version of "alpha" brings beside its code: as much that an
// install runs out of space in the middle.
const ballast = 1 << 20

func alphaWithBallast(version string) wheel {
	return wheel{name: "alpha", version: version, files: map[string]string{
		"alpha/ballast.bin": strings.Repeat(version+" ", ballast/(len(version)+1)), "alpha/late.py": fmt.Sprintf("version = %q\n", version),
	}}
}

func newSmallSite(t *testing.T) *smallSite {
	t.Helper()
	if os.Geteuid() != 0 || platform()[:5] != "linux" {
		t.Skip("only root can mount a small file system, and only linux has tmpfs")
	}
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	x := newMirror(t, wheel{name: "beta", version: "1.0"})
	s := &smallSite{siteAt(t, dir, x.indexURL()), x}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", s.root).CombinedOutput(); err != nil {
		t.Skipf("this root may not mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", s.root).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	return s
}

// ask wants a version of alpha, and a file of 64 KiB that names it.
func (s *smallSite) pinVersion(version string) {
	s.t.Helper()
	w := alphaWithBallast(version)
	s.mirror.setFile(w.file(), w.bytes())
	text := environmentManifest("uv", "alpha=="+version, "beta==1.0")
	s.write("manifest.yaml", strings.Replace(text, `"read me\n"`, fmt.Sprintf("%q", s.readme(version)), 1))
	s.want(0, "lock", "--env", "local")
}

func (s *smallSite) readme(version string) string {
	return strings.Repeat(version+"\n", (64<<10)/len(version+"\n"))
}

// leave makes the file system so small that so many bytes are free.
func (s *smallSite) leaveFree(free int64) {
	s.t.Helper()
	var st unix.Statfs_t
	check(s.t, unix.Statfs(s.root, &st))
	used := int64(st.Blocks-st.Bfree) * int64(st.Bsize)
	s.remount(fmt.Sprintf("size=%d", used+free))
}

func (s *smallSite) remount(option string) {
	s.t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+option, s.root).CombinedOutput(); err != nil {
		s.t.Fatalf("%v %s", err, out)
	}
}

// holds fails the test unless everything is of one of the versions.
func (s *smallSite) checkVersions(versions ...string) {
	s.t.Helper()
	got, err := s.imports("alpha", "alpha.late", "beta")
	sound := false
	for _, v := range versions {
		sound = sound || strings.HasPrefix(got, v+" "+v+" 1.0 ")
	}
	if err != nil || !sound {
		s.t.Errorf("the environment is of none of %v: %q, %v", versions, got, err)
	}
	text, err := os.ReadFile(s.path("data/readme.txt"))
	sound = false
	for _, v := range versions {
		sound = sound || string(text) == s.readme(v)
	}
	if err != nil || !sound {
		s.t.Errorf("the file is of none of %v: %d bytes, %v, %q…", versions, len(text), err, bytes.TrimSpace(text[:min(20, len(text))]))
	}
}

// The file system of the project fills up, earlier and later in an apply. Each
// time the environment and the files stay as they were or are as they should be,
// and the message names the file system. Going back to an earlier generation needs
// no room, and with more room the next apply reaches the manifest.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newSmallSite(t)
	s.pinVersion("1.0")
	s.checkConverges()
	s.pinVersion("2.0")
	s.checkConverges()
	last, failures := "2.0", 0
	sizes := []int64{
		0, 4 << 10, 16 << 10, 48 << 10, 96 << 10, 160 << 10, 256 << 10, 512 << 10,
		1 << 20, 3 << 19, 2 << 20, 9 << 18, 10 << 18, 3 << 20, 4 << 20,
	}
	if raceEnabled {
		sizes = []int64{0, 48 << 10, 160 << 10, 3 << 19, 9 << 18, 4 << 20}
	}
	for n, free := range sizes {
		next := fmt.Sprintf("%d.0", n+3)
		s.pinVersion(next)
		s.leaveFree(free)
		e := s.run("apply", "-y", "--env", "local")
		switch {
		case e.code == 0:
			last = next
		case e.code != 4 || !e.contains("the file system of "+s.root+" is full", "apply.disk-full", "free some space there"):
			t.Errorf("with %d bytes free: %s", free, e)
		default:
			failures++
		}
		s.checkVersions(last, next)
		if e := s.run("plan", "--env", "local"); e.code != 0 {
			t.Errorf("a plan with %d bytes free: %s", free, e)
		}
		s.leaveFree(0)
		if e := s.run("rollback", "--env", "local"); e.code != 0 {
			t.Errorf("going back on a full disk, after %d bytes: %s", free, e)
		}
		if got, err := s.imports("alpha", "alpha.late", "beta"); err != nil || strings.HasPrefix(got, last+" ") {
			t.Errorf("after going back the environment is %q, %v", got, err)
		}
		s.remount("size=64m")
		s.checkConverges()
		s.checkVersions(next)
		s.want(0, "gc", "-y", "--keep", "1", "--env", "local")
		last = next
	}
	if failures < 4 {
		t.Errorf("only %d applies met a full disk: the sweep is too coarse", failures)
	}
}

// The same with the names that a file system can hold: the inodes run out.
func TestNoInodes(t *testing.T) {
	t.Parallel()
	s := newSmallSite(t)
	s.pinVersion("1.0")
	s.checkConverges()
	failures := 0
	counts := []uint64{0, 3, 10, 25, 40, 60, 100, 150}
	if raceEnabled {
		counts = []uint64{0, 10, 40, 100}
	}
	for n, free := range counts {
		next := fmt.Sprintf("%d.0", n+2)
		s.pinVersion(next)
		var st unix.Statfs_t
		check(t, unix.Statfs(s.root, &st))
		s.remount(fmt.Sprintf("nr_inodes=%d", st.Files-st.Ffree+free))
		e := s.run("apply", "-y", "--env", "local")
		switch {
		case e.code == 0:
		case e.code < 0 || !e.contains("the file system of "+s.root+" has no inodes left"):
			t.Errorf("with %d inodes free: %s", free, e)
		default:
			failures++
		}
		s.checkVersions(fmt.Sprintf("%d.0", n+1), next)
		s.remount("nr_inodes=100000")
		s.checkConverges()
		s.checkVersions(next)
		s.want(0, "gc", "-y", "--keep", "0", "--env", "local")
	}
	if failures < 3 {
		t.Errorf("only %d applies ran out of inodes: the sweep is too coarse", failures)
	}
}
