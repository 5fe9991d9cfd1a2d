package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
)

// backendSource is a package with its own build backend, which needs no other package.
func backendSource(name, version string) map[string]string {
	return map[string]string{
		"pyproject.toml": fmt.Sprintf("[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = %q\nversion = %q\n", name, version),
		"backend.py": strings.NewReplacer("NAME", name, "VERSION", version).Replace(`
import base64, hashlib, os, zipfile

def wheel(out, module, text):
    info = "NAME-VERSION.dist-info"
    texts = {module: text, info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        info + "/METADATA": "Metadata-Version: 2.1\nName: NAME\nVersion: VERSION\n"}
    record = "".join("%s,sha256=%s,%d\n" % (p, base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).decode().rstrip("="), len(t)) for p, t in texts.items())
    texts[info + "/RECORD"] = record + info + "/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(out, "NAME-VERSION-py3-none-any.whl"), "w") as z:
        for p, t in texts.items():
            z.writestr(p, t)
    return "NAME-VERSION-py3-none-any.whl"

def build_wheel(out, settings=None, metadata=None):
    return wheel(out, "NAME/__init__.py", "version = 'VERSION'\n")
`),
	}
}

// gitRepository commits files to a new repository, and returns its URL and the commit.
func gitRepository(t *testing.T, files map[string]string) (address, commit string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git: ", err)
	}
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "x"}, {"rev-parse", "HEAD"}} {
		c := exec.Command("git", args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		commit = strings.TrimSpace(string(out))
	}
	return "file://" + dir, commit
}

// TestPackageOfACommit builds a package from a git repository: plan and status name its source, a
// second project builds nothing, and damage is found and healed.
func TestPackageOfACommit(t *testing.T) {
	if python310() == "" {
		t.Skip("no Python 3.10 on this machine")
	}
	address, commit := gitRepository(t, backendSource("alpha", "1.0"))
	one := newSite(t, "")
	manifest := strings.Replace(environmentManifest("alpha==1.0"), `- {name: alpha, version: "1.0"}`, fmt.Sprintf(`- "alpha @ git+%s@%s"`, address, commit), 1)
	one.write("manifest.yaml", manifest)
	l := &lock.Lock{
		Path: "locks/pylock.local.toml", RequiresPython: ">=3.10,<3.11", Platforms: []string{platform()}, Requests: []string{fmt.Sprintf("alpha @ git+%s@%s", address, commit)},
		Packages: []lock.Package{{Name: "alpha", Version: "1.0", Build: &lock.Build{Source: lock.Source{Git: address, Commit: commit}}}},
	}
	one.write("locks/pylock.local.toml", string(l.Encode()))
	if e := one.want(0, "plan"); !e.contains("+ alpha 1.0, built from " + address) {
		t.Error(e)
	}
	if e := one.want(0, "plan", "-v"); !e.contains("build alpha 1.0 from " + address + " at " + commit[:12] + " if the store lacks it") {
		t.Error(e)
	}
	one.checkConverges()
	one.wantImports("1.0", "alpha")
	if e := one.want(0, "verify", "--deep"); !e.contains("is intact") || e.contains("RECORD") {
		t.Error(e)
	}

	two := one.besides()
	check(t, os.RemoveAll(strings.TrimPrefix(address, "file://")))
	check(t, os.RemoveAll(one.store("cache")))
	two.checkConverges()
	two.wantImports("1.0", "alpha")

	editInPlace(t, two.installed("alpha/__init__.py"), "1.0", "6.6", true)
	if e := two.want(2, "verify", "--deep"); !e.contains("alpha/__init__.py (alpha): changed") {
		t.Error(e)
	}
	if e := two.want(4, "heal", "-y"); !e.contains("build.git", address) {
		t.Error(e)
	}
}
