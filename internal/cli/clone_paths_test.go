package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/store"
)

// hostName returns the name of this machine as in a manifest.
func hostName() string {
	name, _, _ := strings.Cut(must(os.Hostname()), ".")
	return name
}

// TestPathsInTheStore checks that no section of a manifest can name a path in the store or in
// the settings of the user, or around them, directly or through a link.
func TestPathsInTheStore(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	top := filepath.Dir(s.root)
	settings := filepath.Join(top, "home/.config/reconcile")
	check(t, store.Make(s.store("")))
	check(t, os.MkdirAll(s.store("projects"), 0o700))
	check(t, os.MkdirAll(settings, 0o700))
	check(t, os.MkdirAll(filepath.Join(top, "free"), 0o755))
	check(t, os.Symlink(s.store(""), filepath.Join(top, "alias")))
	for _, c := range []struct {
		section, path string
		refused       bool
	}{
		{"directories:\n  x: {path: %s}\n", s.store("projects/x"), true},
		{"directories:\n  x: {path: %s}\n", s.store(""), true},
		{"directories:\n  x: {path: %s, mode: \"0777\"}\n", top, true},
		{"directories:\n  x: {path: %s}\n", filepath.Join(top, "alias/projects"), true},
		{"directories:\n  x: {path: %s}\n", settings, true},
		{"directories:\n  x: {path: %s}\n", filepath.Join(top, "home"), true},
		{"directories:\n  x: {path: %s}\n", "/proc/self/root" + s.store("x"), runtime.GOOS == "linux"},
		{"directories:\n  models: {path: %s}\nmodels:\n  - {repo: o/n, revision: 0123456789abcdef0123456789abcdef01234567}\n", s.store("cache"), true},
		{"storage: {path: %s}\n", s.store("tmp"), true},
		{"directories:\n  x: {path: x}\nhosts:\n  " + hostName() + ": {allow_paths: [" + top + "], directories: {x: {path: %s}}}\n", s.store("x"), true},
		{"directories:\n  x: {path: x}\nhosts:\n  another: {allow_paths: [" + top + "], directories: {x: {path: %s}}}\n", s.store("x"), false},
		{"directories:\n  x: {path: %s}\n", filepath.Join(top, "free/x"), false},
		{"directories:\n  x: {path: %s}\n", filepath.Join(top, "store-of-data"), false},
		{"storage: {path: %s}\n", top, false},
	} {
		text := "version: 1\nproject: site\n" + fmt.Sprintf(c.section, c.path)
		if !strings.Contains(text, "hosts:") {
			text += "hosts:\n  " + hostName() + ": {allow_paths: [" + top + ", /proc/self]}\n"
		}
		s.write("manifest.yaml", text)
		for _, words := range [][]string{{"plan"}, {"apply", "-y"}} {
			if words[0] == "apply" && !c.refused {
				continue
			}
			e := s.run(words...)
			if got := e.contains("(path.in-store)"); got != c.refused || c.refused && (e.code != exit.Error || !e.contains(c.path, "hint: ", "export RECONCILE_STORE=")) {
				t.Errorf("reconcile %v with\n%s: %s", words, text, e)
			}
		}
	}
	if left := must(os.ReadDir(s.store("projects"))); len(left) > 0 {
		t.Errorf("the store has %v", left)
	}
}

// TestPathsInAStoreInTheProject checks the same for a store that the user put into the project,
// where relative paths reach it too.
func TestPathsInAStoreInTheProject(t *testing.T) {
	t.Parallel()
	plain := newSite(t, "")
	s := plain.with()
	s.env = append(slices.DeleteFunc(s.env, func(kv string) bool { return strings.HasPrefix(kv, "RECONCILE_STORE=") }), "RECONCILE_STORE="+s.path("own/store"))
	check(t, os.MkdirAll(s.path("own/store"), 0o700))
	check(t, os.Symlink("own", s.path("link")))
	for _, section := range []string{
		"directories:\n  x: {path: own/store/projects}\n",
		"directories:\n  x: {path: own}\n",
		"directories:\n  x: {path: link/store}\n",
		"files:\n  - {path: own/store/tools/x, content: x}\n",
		"sync:\n  x: {pull: own/store/dists}\n",
		strings.Replace(environmentManifest("alpha==1.0"), "path: .venv", "path: own/store/x", 1),
		strings.Replace(environmentManifest("alpha==1.0"), "locks/pylock.local.toml", "own/store/pylock.local.toml", 1),
		strings.Replace(environmentManifest("alpha==1.0"), "    platforms:", "    requirements_file: own/store/requirements.txt\n    platforms:", 1),
	} {
		if !strings.HasPrefix(section, "version:") {
			section = "version: 1\nproject: site\n" + section
		}
		s.write("manifest.yaml", section)
		if e := s.run("plan"); e.code != exit.Error || !e.contains("(path.in-store)", "manifest.yaml:") {
			t.Errorf("plan with\n%s: %s", section, e)
		}
	}
}

// TestStoreFromElsewhere puts hostile files into the state of a project, as in a store that was
// copied from somebody else, and checks that nothing outside is removed or written and that
// nothing of it reaches the terminal.
func TestStoreFromElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	outside := filepath.Join(filepath.Dir(s.root), "outside")
	check(t, os.MkdirAll(filepath.Join(outside, "empty"), 0o755))
	writeFile(t, filepath.Join(outside, "known.txt"), "known\n")
	check(t, os.Symlink("known.txt", filepath.Join(outside, "link")))
	manifest := "version: 1\nproject: site\ndirectories:\n  x: {path: " + outside + "/made}\n  data: {path: data}\n" +
		"files:\n  - {path: data/a.txt, content: \"a\\n\"}\nhosts:\n  " + hostName() + ": {allow_paths: [" + outside + "]}\n"
	s.write("manifest.yaml", manifest)
	s.want(0, "apply", "-y")
	// A path outside that a real apply recorded is not removed without allow_paths.
	s.write("manifest.yaml", "version: 1\nproject: site\n")
	before := snapshotTree(t, outside)
	for _, words := range [][]string{{"plan"}, {"apply", "-y"}, {"undo", "-y"}, {"destroy", "-y"}} {
		e := s.run(words...)
		if words[0] != "undo" && !e.contains("allow_paths") && e.code != 0 {
			t.Errorf("reconcile %v: %s", words, e)
		}
	}
	checkSameTree(t, before, snapshotTree(t, outside))
	// Records whose paths lead outside or into the store.
	s.write("manifest.yaml", manifest)
	s.want(0, "apply", "-y")
	s.write("data/a.txt", "mine\n")
	s.want(0, "apply", "-y") // keeps "mine"
	runs := must(os.ReadDir(layout.Runs(s.stateDir())))
	record := filepath.Join(layout.Runs(s.stateDir()), runs[len(runs)-1].Name())
	text := string(must(os.ReadFile(record)))
	before = snapshotTree(t, filepath.Dir(s.root))
	for _, path := range []string{"../outside/known.txt", filepath.Join(outside, "new.txt"), s.store("new.txt"), "x\\u0000y", ""} {
		changed := regexp.MustCompile(`("kept":\[\{"path":)"[^"]*"`).ReplaceAllString(text, `${1}"`+path+`"`)
		if changed == text {
			t.Fatalf("the record has no kept content: %s", text)
		}
		check(t, os.WriteFile(record, []byte(changed), 0o600))
		if e := s.run("undo", "-y"); e.code == 0 {
			t.Errorf("undo of %q: %s", path, e)
		}
		for name, is := range snapshotTree(t, outside) {
			if before[name] != is {
				t.Errorf("undo of %q changed %s", path, name)
			}
		}
		if _, err := os.Lstat(s.store("new.txt")); err == nil {
			t.Errorf("undo wrote %s", s.store("new.txt"))
		}
	}
	check(t, os.WriteFile(record, []byte(text), 0o600))
	// The path of the project in the state is data of a file, too.
	root, err := json.Marshal(map[string]string{"root": "/x" + attack})
	check(t, err)
	check(t, os.WriteFile(layout.ProjectFile(s.stateDir()), root, 0o600))
	for _, words := range [][]string{{"plan"}, {"status"}, {"gc", "--dry-run"}, {"doctor", "--offline"}, {"facts", "--all"}} {
		checkNoControl(t, fmt.Sprint(words), s.run(words...))
	}
}

// TestPlanOpensOnlyKnownPlaces traces the files and connections of plan in a clone: all are in
// the project, the store, the user's settings, the interpreter or the system, and nothing is
// written.
func TestPlanOpensOnlyKnownPlaces(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("strace is not installed")
	}
	c := newClone(t, "")
	c.plantEntry(".venv", "venv", c.otherGeneration())
	c.clone()
	trace := filepath.Join(c.top, "trace")
	e := c.runCommand(strace, "-f", "-qq", "-s", "4096", "-e", "trace=%file,%network,execve", "-o", trace, must(exec.LookPath("reconcile")), "--env", "local", "plan")
	if !e.contains("venv.local") {
		if e.contains("ptrace") {
			t.Skipf("this machine does not allow tracing: %s", e.err)
		}
		t.Fatal(e)
	}
	home := filepath.Join(c.top, "home")
	own := map[string]string{c.root: "project", c.store(""): "store", filepath.Join(home, ".config"): "settings", filepath.Join(home, ".pip"): "settings", filepath.Join(home, ".condarc"): "settings"}
	if root := pyenvRoot(); root != "" {
		own[root] = "interpreters"
	}
	for _, name := range []string{".pyenv", ".asdf", ".local", ".conda", "miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".netrc", ".cache/huggingface", ".mambarc", "mambaforge3", "opt"} {
		own[filepath.Join(home, name)] = "interpreters and tools"
	}
	for _, dir := range []string{"/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/bin", "/opt", "/home/linuxbrew", "/var/lib", "/run", "/.dockerenv"} {
		own[dir] = dir
	}
	own[filepath.Dir(firstOfPath(c))] = "PATH"
	quoted := regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	count := map[string]int{}
	f := must(os.Open(trace))
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.Contains(line, "connect(") && !strings.Contains(line, "AF_UNIX"):
			t.Errorf("plan connects: %s", line)
		case strings.Contains(line, "execve(") && !strings.Contains(line, "reconcile"):
			t.Logf("plan starts: %s", line)
		case strings.Contains(line, "O_CREAT"), strings.Contains(line, "O_RDWR") && !strings.Contains(line, "/dev/"), strings.Contains(line, "unlink"), strings.Contains(line, "rename"), strings.Contains(line, "mkdir"):
			t.Errorf("plan writes: %s", line)
		}
		match := quoted.FindStringSubmatch(line)
		if match == nil || !filepath.IsAbs(match[1]) {
			continue
		}
		name := filepath.Clean(match[1])
		place := ""
		for dir, what := range own {
			if name == dir || strings.HasPrefix(name, dir+"/") || strings.HasPrefix(dir, strings.TrimSuffix(name, "/")+"/") && !strings.Contains(line, "O_WRONLY") {
				place = what // or a folder above, which is resolved
			}
		}
		if name == must(exec.LookPath("reconcile")) {
			place = "program"
		}
		if place == "" {
			t.Errorf("plan uses %s: %s", name, line)
		}
		count[place]++
	}
	t.Logf("uses by place: %v", count)
}

// firstOfPath returns the first directory of PATH.
func firstOfPath(c *clone) string {
	for _, kv := range c.env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			first, _, _ := strings.Cut(path, ":")
			return first
		}
	}
	return "/usr/bin"
}

// TestManifestOfAnotherUserAbove checks that root uses no manifest of another user in a folder
// above, such as /tmp.
func TestManifestOfAnotherUserAbove(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	c := newClone(t, "")
	c.plantGeneration(filepath.Join(c.author, ".reconcile/x/envs/local/x"))
	c.plantEntry(".venv", "venv", "../.reconcile/x/envs/local/x")
	c.clone()
	check(t, os.Chmod(c.root, 0o777|os.ModeSticky))
	check(t, os.Mkdir(c.path("mine"), 0o755))
	for _, owned := range []string{c.path("manifest.yaml"), c.root} {
		check(t, os.Chown(c.root, 0, 0))
		check(t, os.Chown(c.path("manifest.yaml"), 0, 0))
		check(t, os.Chown(owned, 12345, 12345))
		for _, words := range cloneCommands {
			if slices.Contains([]string{"init"}, words[0]) {
				continue // it makes a project in the folder itself
			}
			cmd := c.command(must(exec.LookPath("reconcile")), withEnv(words, "local")...)
			cmd.Dir = c.path("mine")
			e := c.startCommand(cmd).wait()
			if e.code != exit.Blocked || !e.contains("belongs to user 12345", "RECONCILE_SAFE_DIRECTORY=") {
				t.Errorf("reconcile %v below a manifest of another user: %s", words, e)
			}
			c.checkSafe(fmt.Sprint(words))
		}
	}
	if left := hashTree(t, c.path("mine")); len(left) > 0 {
		t.Errorf("mine has %v", left)
	}
}

// TestUnusualHomes checks homes that are missing, the root, unwritable, and relative directories
// of the XDG base directory specification: each run succeeds or names the variable to set.
func TestUnusualHomes(t *testing.T) {
	t.Parallel()
	plain := newSite(t, "")
	plain.write("manifest.yaml", "version: 1\nproject: site\ndirectories:\n  data: {path: data}\n")
	top := filepath.Dir(plain.root)
	for name, c := range map[string]struct {
		env  []string
		code int
		want string
	}{
		"no home, a store":  {[]string{"RECONCILE_STORE=" + plain.store("")}, 0, ""},
		"relative home":     {[]string{"HOME=home", "RECONCILE_STORE=" + plain.store("")}, 0, ""},
		"relative XDG":      {[]string{"HOME=" + top + "/home", "XDG_DATA_HOME=data", "XDG_CONFIG_HOME=config", "XDG_CACHE_HOME=cache"}, 0, ""},
		"unwritable home":   {[]string{"HOME=/proc/nowhere"}, 1, "export RECONCILE_STORE="},
		"a relative store":  {[]string{"HOME=" + top + "/home", "RECONCILE_STORE=store"}, 1, "is not an absolute path"},
		"home is a file":    {[]string{"HOME=" + plain.path("manifest.yaml")}, 1, "export RECONCILE_STORE="},
		"home is /dev/null": {[]string{"HOME=/dev/null"}, 1, "export RECONCILE_STORE="},
	} {
		s := *plain
		s.env = append([]string{"PATH=/usr/bin:/bin"}, c.env...)
		check(t, os.RemoveAll(s.path("data")))
		for _, words := range [][]string{{"plan"}, {"doctor", "--offline"}, {"apply", "-y"}} {
			e := s.run(words...)
			if e.code < 0 || strings.Contains(e.err, "goroutine ") {
				t.Errorf("%s: reconcile %v: %s", name, words, e)
			}
			if words[0] == "apply" && (e.code != c.code || !e.contains(c.want)) {
				t.Errorf("%s: reconcile %v: want exit code %d and %q\n%s", name, words, c.code, c.want, e)
			}
		}
		for _, left := range []string{"data/reconcile", "config", "cache", "home", "store"} {
			if _, err := os.Lstat(s.path(left)); err == nil {
				t.Errorf("%s: the project has %s", name, left)
			}
		}
	}
	// A home that is the root is one whose folders this user may or may not write.
	s := *plain
	s.env = []string{"PATH=/usr/bin:/bin", "HOME=/"}
	if e := s.run("plan"); e.code != 0 && !e.contains("RECONCILE_STORE") {
		t.Errorf("HOME=/: %s", e)
	}
}
