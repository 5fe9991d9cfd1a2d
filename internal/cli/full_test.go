package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A smallSite is a site whose project and store are on their own file system, whose size can be
// changed.
type smallSite struct {
	*site
	mirror *mirror
	disk   string // its mount point
}

// ballast is the size of a data file in each version of alpha, so large that an install runs
// out of space before its end.
const ballast = 1 << 20

func alphaWithBallast(version string) wheel {
	return wheel{name: "alpha", version: version, files: map[string]string{
		"alpha/ballast.bin": strings.Repeat(version+" ", ballast/(len(version)+1)), "alpha/late.py": fmt.Sprintf("version = %q\n", version),
	}}
}

func newSmallSite(t *testing.T) *smallSite {
	t.Helper()
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	x := newMirror(t, wheel{name: "beta", version: "1.0"})
	mountTmpfs(t, dir, "size=64m,mode=755")
	return &smallSite{siteAt(t, dir, x.indexURL()), x, dir}
}

// pinVersion pins a version of alpha and a file of 64 KiB that contains it, and locks.
func (s *smallSite) pinVersion(version string) {
	s.t.Helper()
	w := alphaWithBallast(version)
	s.mirror.setFile(w.file(), w.bytes())
	text := environmentManifest("alpha=="+version, "beta==1.0")
	s.write("manifest.yaml", strings.Replace(text, `"read me\n"`, fmt.Sprintf("%q", s.readme(version)), 1))
	s.want(0, "lock", "--env", "local")
}

func (s *smallSite) readme(version string) string {
	return strings.Repeat(version+"\n", (64<<10)/len(version+"\n"))
}

// leaveFree shrinks the file system so that only the given number of bytes is free.
func (s *smallSite) leaveFree(free int64) {
	s.t.Helper()
	var st unix.Statfs_t
	check(s.t, unix.Statfs(s.root, &st))
	used := int64(st.Blocks-st.Bfree) * int64(st.Bsize)
	s.remount(fmt.Sprintf("size=%d", used+free))
}

func (s *smallSite) remount(option string) {
	s.t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+option, s.disk).CombinedOutput(); err != nil {
		s.t.Fatalf("%v %s", err, out)
	}
}

// checkVersions checks that the environment and the file each have one of the versions.
func (s *smallSite) checkVersions(versions ...string) {
	s.t.Helper()
	got, err := s.imports("alpha", "alpha.late", "beta")
	if err != nil || !slices.ContainsFunc(versions, func(v string) bool { return strings.HasPrefix(got, v+" "+v+" 1.0 ") }) {
		s.t.Errorf("the environment has none of the versions %v: %q, %v", versions, got, err)
	}
	text, err := os.ReadFile(s.path("data/readme.txt"))
	if err != nil || !slices.ContainsFunc(versions, func(v string) bool { return string(text) == s.readme(v) }) {
		s.t.Errorf("the file has none of the versions %v: %d bytes, %v, %q…", versions, len(text), err, bytes.TrimSpace(text[:min(20, len(text))]))
	}
}

// TestFullDisk fills the file system of the project and the store at different points of an
// apply. Each time the environment and the files have their old or their new version, the message
// names the file system, rollback needs no space, and with more space the next apply reaches the
// manifest.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newSmallSite(t)
	s.pinVersion("1.0")
	s.checkConverges()
	s.pinVersion("2.0")
	s.checkConverges()
	last, failures := "2.0", 0
	sizes := []int64{
		0, 16 << 10, 160 << 10, 1 << 20, // the wheels alone are too large
		10 << 17, 11 << 17, 3 << 19, 13 << 17, 7 << 18, 15 << 17, 2 << 20, 17 << 17,
		9 << 18, 10 << 18, 3 << 20, 4 << 20,
	}
	if raceEnabled {
		sizes = []int64{0, 160 << 10, 11 << 17, 3 << 19, 7 << 18, 2 << 20, 4 << 20}
	}
	for n, free := range sizes {
		next := fmt.Sprintf("%d.0", n+3)
		s.pinVersion(next)
		s.leaveFree(free)
		e := s.run("apply", "-y", "--env", "local")
		blocked := e.code == 3 && e.contains("on the file system of "+s.disk, "plan.disk") // the wheels and the file are too large
		switch {
		case e.code == 0:
			last = next
		case blocked:
		case e.code != 4 || !e.contains("the file system of "+s.disk+" is full", "apply.disk-full", "free some space there"):
			t.Errorf("with %d bytes free: %s", free, e)
		default:
			failures++
		}
		s.checkVersions(last, next)
		if e := s.run("plan", "--env", "local"); e.code != 0 && (e.code != 3 || !e.contains("plan.disk")) {
			t.Errorf("a plan with %d bytes free: %s", free, e)
		}
		s.leaveFree(0)
		if e := s.run("rollback", "--env", "local"); e.code != 0 {
			t.Errorf("rollback on a full disk, after %d bytes: %s", free, e)
		}
		if got, err := s.imports("alpha", "alpha.late", "beta"); err != nil || strings.HasPrefix(got, last+" ") {
			t.Errorf("after the rollback the environment is %q, %v", got, err)
		}
		s.remount("size=64m")
		s.checkConverges()
		s.checkVersions(next)
		s.want(0, "gc", "-y", "--keep", "1", "--env", "local")
		last = next
	}
	if failures < 4 {
		t.Errorf("only %d applies ran out of space: the sizes are too far apart", failures)
	}
}

// TestNoInodes does the same with a file system that runs out of inodes.
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
		case e.code < 0 || !e.contains("the file system of "+s.disk+" has no inodes left"):
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
		t.Errorf("only %d applies ran out of inodes: the numbers are too far apart", failures)
	}
}

// TestRollbackOnFullExt4 rolls back on a file system in which a link with a long target needs a
// block, and none is free. The link in the project and the journal in the store are both on it.
func TestRollbackOnFullExt4(t *testing.T) {
	t.Parallel()
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	x := newMirror(t, wheel{name: "beta", version: "1.0"}, wheel{name: "beta", version: "2.0"})
	mountExt4(t, dir)
	s := siteAt(t, dir, x.indexURL())
	for _, version := range []string{"1.0", "2.0"} {
		s.write("manifest.yaml", environmentManifest("beta=="+version))
		s.want(0, "lock", "--env", "local")
		s.checkConverges()
	}
	fillDisk(t, filepath.Join(dir, "ballast"))
	for _, version := range []string{"1.0", "2.0"} {
		s.want(0, "rollback", "--env", "local")
		s.wantImports(version, "beta")
		if text, err := os.ReadFile(s.path(".venv/.gitignore")); err != nil || string(text) != layout.IgnoreAll {
			t.Errorf("the .gitignore is %q, %v", text, err)
		}
	}
	check(t, os.Remove(filepath.Join(dir, "ballast")))
	s.want(0, "rollback", "--env", "local")
	s.checkConverges()
	s.wantImports("2.0", "beta")
}

// fillDisk writes a file until no block of the file system is free.
func fillDisk(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	check(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	check(t, f.Sync())
}
