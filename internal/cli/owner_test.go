package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

// A person is an ordinary user with an own folder, below a folder that all users may read.
type person struct {
	uid       uint32
	home, dir string // of this user, absolute; dir is for the project
}

// newPeople returns users without accounts, and skips the test if this process cannot become
// them. reconcile is the program, which they may execute.
func newPeople(t *testing.T, uids ...uint32) (people []person, reconcile string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	top := must(filepath.EvalSymlinks(must(os.MkdirTemp("", "reconcile-people-"))))
	t.Cleanup(func() { check(t, os.RemoveAll(top)) })
	check(t, os.Chmod(top, 0o755))
	reconcile = filepath.Join(top, "reconcile")
	// By cp: a file that this process wrote may be busy while another test starts a program.
	if out, err := exec.Command("cp", "-L", must(exec.LookPath("reconcile")), reconcile).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	check(t, os.Chmod(reconcile, 0o755))
	for _, uid := range uids {
		p := person{uid, filepath.Join(top, "home"+strconv.Itoa(int(uid))), filepath.Join(top, "project"+strconv.Itoa(int(uid)))}
		for _, dir := range []string{p.home, p.dir} {
			check(t, os.Mkdir(dir, 0o755))
			check(t, os.Chown(dir, int(uid), int(uid)))
		}
		people = append(people, p)
	}
	return people, reconcile
}

// run runs a program as p in dir, and returns its output and exit code.
func (p person) run(t *testing.T, dir string, words ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + p.home, "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.uid, Gid: p.uid, NoSetGroups: true}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

const oneFolder = "version: 1\nproject: story\ndirectories:\n  data: {path: out/data}\n"

// TestProjectsOfOtherUsers checks with real user ids that an ordinary user cannot use the
// project of another one, and can use their own and that of root.
func TestProjectsOfOtherUsers(t *testing.T) {
	t.Parallel()
	people, reconcile := newPeople(t, 12345, 54321)
	me, other := people[0], people[1]
	manifest := filepath.Join(me.dir, "manifest.yaml")
	check(t, os.WriteFile(manifest, []byte(oneFolder), 0o644)) // root's, which is trusted
	if out, code := me.run(t, me.dir, reconcile, "plan"); code != exit.Done || !strings.Contains(out, "directory.data") {
		t.Errorf("own project: exit code %d\n%s", code, out)
	}
	for _, args := range [][]string{{"plan"}, {"apply", "-y"}, {"status"}, {"facts"}, {"doctor", "--offline"}} {
		out, code := other.run(t, me.dir, append([]string{reconcile}, args...)...)
		if code != exit.Blocked || !strings.Contains(out, me.dir+" belongs to user 12345, so this project is not used") || !strings.Contains(out, "this is user 54321") {
			t.Errorf("%v in another user's project: exit code %d\n%s", args, code, out)
		}
	}
	if out, code := other.run(t, me.dir, "env", "RECONCILE_SAFE_DIRECTORY="+me.dir, reconcile, "plan"); code != exit.Done {
		t.Errorf("another user's project declared safe: exit code %d\n%s", code, out)
	}
	// The config.yaml of a user applies to that user alone.
	config := filepath.Join(other.home, ".config", "reconcile", "config.yaml")
	if out, code := other.run(t, other.dir, "sh", "-c", `mkdir -p "$(dirname "$0")" && echo "safe_directories: ['*']" > "$0" && chmod go-w "$0"`, config); code != 0 {
		t.Fatal(out)
	}
	if out, code := other.run(t, me.dir, reconcile, "plan"); code != exit.Done {
		t.Errorf("safe_directories: exit code %d\n%s", code, out)
	}
	if out, _ := me.run(t, me.dir, "env", "XDG_CONFIG_HOME="+filepath.Join(other.home, ".config"), reconcile, "doctor", "--offline"); !strings.Contains(out, ".config/reconcile belongs to another user, so it is not used") {
		t.Errorf("the config.yaml of another user is used:\n%s", out)
	}
}

// TestFilesOfRootInAUsersProject checks that the hint gives back what an earlier run as root
// left in the project, and that the printed command works.
func TestFilesOfRootInAUsersProject(t *testing.T) {
	t.Parallel()
	people, reconcile := newPeople(t, 12345)
	me := people[0]
	check(t, os.WriteFile(filepath.Join(me.dir, "manifest.yaml"), []byte(oneFolder), 0o644))
	check(t, os.MkdirAll(filepath.Join(me.dir, "out"), 0o755)) // root's
	out, code := me.run(t, me.dir, reconcile, "apply", "-y")
	command := "chown -R 12345:12345 " + me.dir + "/out"
	if code != exit.Partly || !strings.Contains(out, "it belongs to user root, perhaps by an earlier run as root: `sudo "+command+"`") {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, code := me.run(t, me.dir, reconcile, "apply", "-y"); code != exit.Done {
		t.Errorf("after the printed command: exit code %d\n%s", code, out)
	}
}
