package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mountCommand returns a command that runs a shell line and then args in a new mount namespace,
// so that its mounts end with it. The test is skipped if this user cannot mount.
func mountCommand(t *testing.T, line string, args ...string) []string {
	t.Helper()
	words := []string{"unshare", "-m", "sh", "-c", line + ` && exec "$@"`, "sh"}
	if os.Geteuid() != 0 {
		words = append([]string{"unshare", "-r"}, words[1:]...)
	}
	if out, err := exec.Command(words[0], append(words[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("this user cannot mount: %v %s", err, out)
	}
	return append(words, args...)
}

// TestReadOnlyProject checks that the reading commands print the same in a read-only project,
// except that changes are blocked with the mount point, and that apply fails without a change.
func TestReadOnlyProject(t *testing.T) {
	t.Parallel()
	s := newInstalledSite(t)
	s.write("manifest.yaml", environmentManifest("alpha==2.0", "beta==1.0"))
	s.want(0, "lock", "--env", "local")
	readOnly := mountCommand(t, "mount --bind "+s.root+" "+s.root+" && mount -o remount,bind,ro "+s.root+" && cd "+s.root)
	before := snapshotTree(t, s.root)
	for _, words := range [][]string{
		{"validate"},
		{"verify", "--env", "local", "--deep"},
		{"generations", "--env", "local"},
	} {
		usual, readOnlyRun := s.run(words...), s.runUnder(readOnly, words...)
		if usual.code != readOnlyRun.code || usual.out != readOnlyRun.out || usual.err != readOnlyRun.err {
			t.Errorf("reconcile %v prints in a read-only project\n%s\nand otherwise\n%s", words, readOnlyRun, usual)
		}
	}
	for _, words := range [][]string{{"plan"}, {"plan", "--json"}, {"plan", "--detailed-exitcode"}, {"status"}} {
		if e := s.runUnder(readOnly, append(words, "--env", "local")...); e.code != 3 || !e.contains("project.read-only", "mounted at "+s.root) {
			t.Errorf("reconcile %v in a read-only project: %s", words, e)
		}
	}
	if e := s.runUnder(readOnly, "facts", "--env", "local"); e.code != 0 {
		t.Errorf("facts: %s", e)
	}
	if e := s.runUnder(readOnly, "run", "--env", "local", "--", "python", "-c", "import alpha; print(alpha.version)"); e.out != "1.0\n" {
		t.Errorf("run: %s", e)
	}
	for _, words := range [][]string{{"apply", "-y", "--env", "local"}, {"heal", "-y", "--env", "local"}, {"rollback", "--env", "local"}, {"lock", "--env", "local", "--upgrade"}} {
		e := s.runUnder(readOnly, words...)
		if e.code == 0 && words[0] != "heal" && words[0] != "lock" || e.code < 0 || strings.Contains(e.err, "panic") || strings.Contains(e.err, "goroutine ") {
			t.Errorf("reconcile %v in a read-only project: %s", words, e)
		}
		if words[0] == "apply" && !e.contains("read-only") {
			t.Errorf("the message does not name the reason: %s", e)
		}
	}
	checkSameTree(t, before, snapshotTree(t, s.root))
	s.checkConverges()
	s.wantImports("2.0 1.0", "alpha", "beta")
}

// newOrdinaryUserSite returns a site that belongs to user 65534, who has no home, and the
// command that starts reconcile as this user. Python has the same path for this user, even if
// it is in the home of root.
func newOrdinaryUserSite(t *testing.T) (s *site, as []string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir := must(os.MkdirTemp("", "reconcile-nobody-"))
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	check(t, os.Chmod(dir, 0o755))
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	s = siteAt(t, dir, x.indexURL())
	check(t, os.Mkdir(s.store(""), 0o700))
	for _, own := range []string{s.root, s.store("")} {
		check(t, os.Chown(own, 65534, 65534))
	}
	tools := filepath.Join(dir, "installs", "uv", filepath.Base(filepath.Dir(uvFolder(t))))
	for from, to := range map[string]string{filepath.Dir(uvFolder(t)): tools, must(exec.LookPath("reconcile")): filepath.Join(dir, "reconcile")} {
		check(t, os.MkdirAll(filepath.Dir(to), 0o755))
		if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	s.env = []string{
		"PATH=" + filepath.Join(tools, "bin") + ":/usr/bin:/bin", "PYENV_ROOT=" + pyenvRoot(),
		"PIP_CONFIG_FILE=/dev/null", "RECONCILE_INDEX_URL=" + x.indexURL(), "RECONCILE_STORE=" + s.store(""),
	}
	line := "true"
	python, home := filepath.Dir(filepath.Dir(python310())), must(os.UserHomeDir())
	if strings.HasPrefix(python, home+"/") {
		keep := filepath.Join(dir, "python")
		check(t, os.Mkdir(keep, 0o755))
		line = fmt.Sprintf("mount --bind %[1]s %[2]s && mount -t tmpfs -o mode=755 tmpfs %[3]s && mkdir -p %[1]s && mount --bind %[2]s %[1]s", python, keep, home)
	}
	as = append(mountCommand(t, line), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
	if out, err := exec.Command(as[0], append(as[1:], python310(), "-c", "pass")...).CombinedOutput(); err != nil {
		t.Skipf("another user cannot run this machine's Python: %v %s", err, out)
	}
	return s, append(as, filepath.Join(dir, "reconcile"))
}

// TestOrdinaryUserWithoutHome checks that a user without a home can use every command in their
// own project, and can plan but not apply in the project of another user.
func TestOrdinaryUserWithoutHome(t *testing.T) {
	t.Parallel()
	s, as := newOrdinaryUserSite(t)
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	run := func(code int, args ...string) runResult {
		t.Helper()
		e := s.runCommand(slices.Concat(as, args)...)
		if e.code != code {
			t.Fatalf("reconcile %v as an ordinary user: want exit code %d\n%s", args, code, e)
		}
		return e
	}
	run(0, "lock", "--env", "local")
	run(0, "apply", "-y", "--env", "local")
	run(0, "plan", "--detailed-exitcode", "--env", "local")
	run(0, "verify", "--deep", "--env", "local")
	if e := run(0, "run", "--env", "local", "--", "python", "-c", "import alpha; print(alpha.version)"); e.out != "1.0\n" {
		t.Errorf("run: %s", e)
	}
	check(t, filepath.WalkDir(filepath.Dir(s.root), func(path string, d os.DirEntry, err error) error {
		if err != nil || path == s.path("manifest.yaml") || !strings.HasPrefix(path, s.root+"/") && !strings.HasPrefix(path, s.store("")) {
			return err
		}
		info, err := d.Info()
		// The lock files of uv are writable for all users; they are empty.
		if err == nil && info.Mode()&0o022 != 0 && info.Mode()&os.ModeSymlink == 0 && info.Size() > 0 {
			t.Errorf("%s can be changed by others: %s", path, info.Mode())
		}
		return err
	}))
	// The same user in a project of another user.
	check(t, os.Lchown(s.root, 0, 0))
	check(t, os.WriteFile(s.path("manifest.yaml"), []byte(strings.Replace(environmentManifest("alpha==1.0"), "{path: data}", "{path: data}\n  other: {path: other}", 1)), 0o644))
	out, err := exec.Command("chown", "-R", "0:0", s.root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	before := snapshotTree(t, s.root)
	e := s.runCommand(slices.Concat(as, []string{"plan", "--env", "local"})...)
	if e.code < 0 || !e.contains("directory.other") {
		t.Errorf("plan in a project of another user: %s", e)
	}
	e = s.runCommand(slices.Concat(as, []string{"apply", "-y", "--env", "local"})...)
	if e.code == 0 || e.code < 0 || !e.contains("denied") {
		t.Errorf("apply in a project of another user: %s", e)
	}
	checkSameTree(t, before, snapshotTree(t, s.root))
}
