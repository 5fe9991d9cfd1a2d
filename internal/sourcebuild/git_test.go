package sourcebuild

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository returns the URL of a repository with files, and its commit.
func repository(t testing.TB, files map[string]string) (address, commit, dir string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git: ", err)
	}
	dir = tree(t, files)
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "first")
	return (&url.URL{Scheme: "file", Path: dir}).String(), git(t, dir, "rev-parse", "HEAD"), dir
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	c := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, args...)...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestCommitIsCheckedOut(t *testing.T) {
	address, commit, dir := repository(t, map[string]string{"setup.py": "one", "sub/setup.py": "sub"})
	check(t, os.WriteFile(filepath.Join(dir, "setup.py"), []byte("two"), 0o644))
	git(t, dir, "commit", "-q", "-am", "second")
	g := &Git{Cache: filepath.Join(t.TempDir(), "git")}
	for _, again := range []bool{false, true} {
		if again { // from the cache
			check(t, os.RemoveAll(dir))
		}
		out := filepath.Join(t.TempDir(), "out")
		check(t, g.Checkout(t.Context(), address, commit, "", out))
		if b, err := os.ReadFile(filepath.Join(out, "setup.py")); err != nil || string(b) != "one" {
			t.Errorf("%q, %v", b, err)
		}
	}
}

func TestCommitThatIsGone(t *testing.T) {
	address, commit, dir := repository(t, map[string]string{"setup.py": "one"})
	gone := strings.Repeat("0", 39) + "1"
	g := &Git{Cache: filepath.Join(t.TempDir(), "git")}
	err := g.Checkout(t.Context(), address, gone, "", filepath.Join(t.TempDir(), "out"))
	hasProblem(t, err, "build.git", address)
	if err == nil || !strings.Contains(err.Error(), gone) {
		t.Errorf("the commit is not named: %v", err)
	}
	check(t, os.RemoveAll(dir))
	err = g.Checkout(t.Context(), address, commit, "", filepath.Join(t.TempDir(), "out"))
	hasProblem(t, err, "build.git", address)
	if left, err := os.ReadDir(g.Cache); err != nil || len(left) > 2 { // the lock of each commit
		t.Errorf("%v, %v", left, err)
	}
}

func TestOnlyFullCommitsOfKnownProtocols(t *testing.T) {
	g := &Git{Cache: filepath.Join(t.TempDir(), "git")}
	commit := strings.Repeat("a", 40)
	for address, commit := range map[string]string{
		"ext::sh -c touch% /tmp/x": commit, "--upload-pack=touch": commit, "git://example.org/x": commit, "http://example.org/x": commit, "https://example.org/x.git": "main",
	} {
		hasProblem(t, g.Checkout(t.Context(), address, commit, "", filepath.Join(t.TempDir(), "out")), "build.git", "")
	}
}

func TestCheckoutRunsNothingOfTheRepository(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	home := t.TempDir()
	address, commit, _ := repository(t, map[string]string{"setup.py": "one", ".gitattributes": "* filter=evil\n"})
	t.Setenv("HOME", home)
	check(t, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[filter \"evil\"]\n\tsmudge = touch "+mark+"\n\trequired = true\n[core]\n\thooksPath = "+home+"/hooks\n"), 0o644))
	check(t, os.MkdirAll(filepath.Join(home, "hooks"), 0o755))
	check(t, os.WriteFile(filepath.Join(home, "hooks", "post-checkout"), []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o755))
	_ = os.Remove(mark)
	g := &Git{Cache: filepath.Join(t.TempDir(), "git")}
	check(t, g.Checkout(t.Context(), address, commit, "", filepath.Join(t.TempDir(), "out")))
	if _, err := os.Lstat(mark); err == nil {
		t.Error("a hook or filter ran")
	}
}

func TestHistoryIsFetchedForVersionsFromTags(t *testing.T) {
	address, _, dir := repository(t, map[string]string{"pyproject.toml": "[build-system]\nrequires = [\"setuptools_scm>=8\"]\nbuild-backend = \"setuptools.build_meta\"\n"})
	git(t, dir, "tag", "v1.5")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "second")
	out := filepath.Join(t.TempDir(), "out")
	g := &Git{Cache: filepath.Join(t.TempDir(), "git")}
	check(t, g.Checkout(t.Context(), address, git(t, dir, "rev-parse", "HEAD"), "", out))
	if described := git(t, out, "describe", "--tags"); !strings.HasPrefix(described, "v1.5-1-g") {
		t.Errorf("%q", described)
	}
}
