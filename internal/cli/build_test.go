package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

def build_editable(out, settings=None, metadata=None):
    return wheel(out, "NAME.pth", os.path.join(os.getcwd(), "src") + "\n")
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

// TestSourcesAreLockedAndBuilt locks and installs a package of an archive in the project, and the
// project itself: a changed pyproject.toml is planned as a change, a changed module is not.
func TestSourcesAreLockedAndBuilt(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	s := newSite(t, x.indexURL())
	for name, text := range backendSource("own", "1.0") {
		s.write(name, text)
	}
	s.write("src/own.py", "version = '1.0'\n")
	writeArchive(t, s.path("libs/gamma-1.0.tar.gz"), "gamma-1.0", backendSource("gamma", "1.0"))
	manifest := environmentManifest("alpha==1.0") + "    project: editable\n"
	s.write("manifest.yaml", strings.Replace(manifest, "    packages:\n", "    packages:\n      - \"gamma @ ./libs/gamma-1.0.tar.gz\"\n", 1))
	s.want(0, "lock", "--env", "local")
	if e := s.want(0, "plan"); !e.contains("gamma 1.0, built from ./libs/gamma-1.0.tar.gz", "own 1.0, built from this project (editable)") {
		t.Error(e)
	}
	s.checkConverges()
	s.wantImports("1.0", "alpha", "gamma", "own")
	if e := s.want(0, "status", "-v"); !e.contains("own 1.0 (editable)", "gamma 1.0 (built from source)") {
		t.Error(e)
	}
	s.write("src/own.py", "version = '2.0'\n")
	s.wantImports("2.0", "own")
	s.want(0, "verify", "--deep")
	if e := s.want(0, "plan"); !e.contains("Nothing to do") {
		t.Error(e)
	}
	editInPlace(t, s.installed("gamma/__init__.py"), "1.0", "6.6", true)
	if e := s.want(2, "verify", "--deep"); !e.contains("gamma/__init__.py (gamma): changed") {
		t.Error(e)
	}
	s.want(0, "heal", "-y") // builds it again
	s.want(0, "verify", "--deep")
	s.wantImports("1.0", "gamma")
	s.write("pyproject.toml", backendSource("own", "1.0")["pyproject.toml"]+"# changed\n")
	if e := s.want(0, "plan"); !e.contains("packages.own.build") {
		t.Error(e)
	}
	s.checkConverges()
	s.wantImports("2.0", "own")
}

// writeArchive writes a source distribution.
func writeArchive(t *testing.T, name, top string, files map[string]string) {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		check(t, w.WriteHeader(&tar.Header{Name: top + "/" + file, Mode: 0o644, Size: int64(len(files[file])), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(files[file]))
		check(t, err)
	}
	check(t, errors.Join(w.Close(), g.Close()))
	writeFile(t, name, b.String())
}
