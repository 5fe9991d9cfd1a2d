package pyenv

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

const site = "lib/python3.10/site-packages"

// A fakeDist is a distribution: files by path relative to site-packages.
type fakeDist struct {
	name, version string
	files         map[string]string
}

// twoDists returns a small environment with a script and a name with underscores.
func twoDists() []fakeDist {
	return []fakeDist{
		{"lxml_html_clean", "0.4.4", map[string]string{
			"lxml_html_clean/__init__.py": "VERSION = 1\n",
			"lxml_html_clean/deep/x.py":   "x = 1\n",
			"../../../bin/clean":          "#!/bin/sh\n",
		}},
		{"Six", "1.16.0", map[string]string{"six.py": "import sys\n"}},
	}
}

// newGeneration creates an intact, sealed generation with old times, so that its stamps
// are reliable.
func newGeneration(t testing.TB, dists []fakeDist) (string, Seal) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "gen")
	base := filepath.Join(root, "base", "bin")
	put(t, filepath.Join(base, "python3.10"), "elf", 0o755)
	put(t, filepath.Join(dir, "pyvenv.cfg"), "home = "+base+"\nversion = 3.10.13\n", 0o644)
	put(t, filepath.Join(dir, "bin/activate"), "", 0o644)
	link(t, filepath.Join(base, "python3.10"), filepath.Join(dir, "bin/python"))
	link(t, "python", filepath.Join(dir, "bin/python3"))
	link(t, "lib", filepath.Join(dir, "lib64"))
	put(t, filepath.Join(dir, "reconcile/bin/python"), "#!/bin/sh\nexec '"+dir+"/bin/python'"+` "$@"`+"\n", 0o755)
	seal := Seal{Digest: "d1", Python: "3.10.13", Prefix: dir}
	for _, d := range dists {
		install(t, dir, d)
		seal.Packages = append(seal.Packages, facts.Package{Name: pep.Normalize(d.name), Version: d.version})
	}
	mkdir(t, filepath.Join(dir, site, "empty."))
	mkdir(t, filepath.Join(dir, site, "__pycache__"))
	return dir, reseal(t, dir, seal)
}

// reseal writes the skeleton, stamps and seal of a generation.
func reseal(t testing.TB, dir string, seal Seal) Seal {
	t.Helper()
	var err error
	seal.Skeleton = nil
	if seal.Skeleton, err = Skeleton(dir); err != nil {
		t.Fatal(err)
	}
	makeOld(t, dir)
	stamps, err := TakeStamps(dir)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond) // ctime cannot be set, and new stamps are unreliable
	put(t, filepath.Join(dir, "reconcile/stamps"), string(stamps), 0o600)
	b, err := EncodeSeal(seal)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "reconcile/seal.json"), string(b), 0o600)
	if seal, err = ReadSeal(dir); err != nil {
		t.Fatal(err)
	}
	return seal
}

func makeOld(t testing.TB, dir string) {
	t.Helper()
	old := time.Unix(1_700_000_000, 123_456_789)
	dirs, err := stampedDirs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if err := os.Chtimes(filepath.Join(dir, d), old, old); err != nil {
			t.Fatal(err)
		}
	}
}

// install installs one distribution with a RECORD as installers write it.
func install(t testing.TB, dir string, d fakeDist) {
	t.Helper()
	info := fmt.Sprintf("%s-%s.dist-info", d.name, d.version)
	files := map[string]string{
		info + "/METADATA":  fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\nRequires-Dist: lxml\n\nName: not me\n", d.name, d.version),
		info + "/INSTALLER": "uv\n",
	}
	for name, content := range d.files {
		files[name] = content
	}
	var record strings.Builder
	for name, content := range files {
		put(t, filepath.Join(dir, site, name), content, 0o644)
		sum := sha256.Sum256([]byte(content))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
	}
	fmt.Fprintf(&record, "%s/RECORD,,\n", info)
	put(t, filepath.Join(dir, site, info, "RECORD"), record.String(), 0o644)
}

func put(t testing.TB, name, content string, mode os.FileMode) {
	t.Helper()
	mkdir(t, filepath.Dir(name))
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

func verify(t testing.TB, dir string, seal Seal, deep bool) []facts.Damage {
	t.Helper()
	_, damage, err := Verify(context.Background(), dir, seal, nil, deep, nil)
	if err != nil {
		t.Fatal(err)
	}
	return damage
}
