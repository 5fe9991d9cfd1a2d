package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
)

// besides returns a second project with the same store, manifest and lock.
func (s *site) besides() *site {
	s.t.Helper()
	two := *s
	two.root = filepath.Join(filepath.Dir(s.root), "second")
	check(s.t, os.CopyFS(two.root, os.DirFS(s.root)))
	check(s.t, os.RemoveAll(two.path(".venv")))
	return &two
}

// installed returns the path of a file in site-packages of the active generation.
func (s *site) installed(name string) string {
	s.t.Helper()
	generation, err := os.Readlink(s.path(".venv/generation"))
	check(s.t, err)
	return filepath.Join(layout.SitePackages(generation, "3.10"), name)
}

// editInPlace replaces text by one of the same length in a file, and restores its time.
func editInPlace(t *testing.T, name, from, to string, restore bool) (digests [2]string) {
	t.Helper()
	b, err := os.ReadFile(name)
	check(t, err)
	info, err := os.Stat(name)
	check(t, err)
	edited := bytes.Replace(b, []byte(from), []byte(to), 1)
	if bytes.Equal(b, edited) || len(b) != len(edited) {
		t.Fatalf("%s cannot be edited: %q", name, b)
	}
	check(t, os.WriteFile(name, edited, 0o644))
	if restore {
		check(t, os.Chtimes(name, time.Time{}, info.ModTime()))
	}
	for i, text := range [][]byte{b, edited} {
		sum := sha256.Sum256(text)
		digests[i] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return digests
}

// TestEditInPlaceIsFoundInEveryProject edits a hard-linked file together with the line of its
// RECORD, in one of two projects.
func TestEditInPlaceIsFoundInEveryProject(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	one := newSite(t, x.indexURL())
	one.write("manifest.yaml", environmentManifest("alpha==1.0"))
	one.want(0, "lock", "--env", "local")
	one.checkConverges()
	two := one.besides()
	two.checkConverges()
	for _, s := range []*site{one, two} {
		if e := s.want(0, "verify", "--deep"); e.contains("RECORD") {
			t.Error(e)
		}
	}

	sums := editInPlace(t, one.installed("alpha/__init__.py"), "1.0", "6.6", true)
	editInPlace(t, one.installed("alpha-1.0.dist-info/RECORD"), sums[0], sums[1], true)
	one.want(0, "verify") // compares no hashes
	if e := one.want(2, "verify", "--deep"); !e.contains("alpha/__init__.py (alpha): changed", "RECORD (alpha): changed", "The unpacked wheel of alpha 1.0 in the store is damaged (alpha/__init__.py)") {
		t.Error(e)
	}
	if e := two.want(2, "verify", "--deep"); !e.contains("alpha/__init__.py (alpha): changed", "is damaged in 1 place") {
		t.Error(e)
	}
	for _, s := range []*site{one, two} {
		s.want(0, "heal", "-y")
		s.want(0, "verify", "--deep")
		s.wantImports("1.0", "alpha")
	}

	// Without the old time the edit is found without hashes.
	editInPlace(t, two.installed("alpha/__init__.py"), "1.0", "6.6", false)
	if e := two.want(2, "verify"); !e.contains("alpha/__init__.py (alpha): changed", "The unpacked wheel of alpha 1.0") {
		t.Error(e)
	}
	check(t, os.Chtimes(two.installed("alpha/__init__.py"), time.Time{}, time.Now()))
	editInPlace(t, two.installed("alpha/__init__.py"), "6.6", "1.0", false)
	two.want(0, "verify") // another time alone is no damage
}

// TestDamagedBytecode overwrites bytecode in the store, which a project shares: it is found there,
// and no other project gets it.
func TestDamagedBytecode(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	one := newSite(t, x.indexURL())
	one.write("manifest.yaml", environmentManifest("alpha==1.0"))
	one.want(0, "lock", "--env", "local")
	one.checkConverges()
	damage := func(sameTime bool) {
		t.Helper()
		stored, err := filepath.Glob(filepath.Join(one.store("dists"), "*", "bytecode", "*", "alpha", "__init__.*.pyc"))
		if err != nil || len(stored) != 1 {
			t.Fatalf("the store has %v, %v", stored, err)
		}
		info, err := os.Stat(stored[0])
		check(t, err)
		code, err := os.ReadFile(stored[0])
		check(t, err)
		for i := range code[16:] {
			code[16+i] = 0x7f
		}
		check(t, os.WriteFile(stored[0], code, 0o644))
		if sameTime {
			check(t, os.Chtimes(stored[0], time.Time{}, info.ModTime()))
		}
	}
	damage(false)
	two := one.besides()
	two.checkConverges()
	two.wantImports("1.0", "alpha")
	two.want(0, "verify", "--deep")
	if e := one.want(2, "verify", "--deep"); !e.contains("__pycache__/__init__", "changed") {
		t.Error(e)
	}
	one.want(0, "heal", "-y")
	one.want(0, "verify", "--deep")
	one.wantImports("1.0", "alpha")

	damage(true)
	three := one.other("third")
	check(t, errors.Join(os.RemoveAll(three.root), os.CopyFS(three.root, os.DirFS(one.root)), os.RemoveAll(three.path(".venv"))))
	if e := three.want(4, "apply", "-y", "--env", "local"); !e.contains("bytecode in the store was damaged, and was removed", "of alpha 1.0") {
		t.Error(e)
	}
	three.want(0, "apply", "-y", "--env", "local")
	three.wantImports("1.0", "alpha")

	damage(true)
	if e := three.want(2, "verify", "--deep"); !e.contains("changed", "The bytecode of alpha 1.0 in the store is damaged (of alpha/__init__.py)") {
		t.Error(e)
	}
	if e := three.want(0, "heal", "-y"); !e.contains("Removed the bytecode of 1 wheel from the store") {
		t.Error(e)
	}
	three.want(0, "verify", "--deep")
	three.wantImports("1.0", "alpha")
}

// TestVerifyWithoutTheUnpackedWheel removes the wheels from the store.
func TestVerifyWithoutTheUnpackedWheel(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	check(t, os.RemoveAll(s.store("dists")))
	if e := s.want(0, "verify", "--deep"); !e.contains("Compared with RECORD alone, since the store no longer has the unpacked wheel: alpha 1.0.", "is intact") {
		t.Error(e)
	}
	editInPlace(t, s.installed("alpha/__init__.py"), "1.0", "6.6", true)
	s.want(2, "verify", "--deep")
	s.want(0, "heal", "-y")
	if e := s.want(0, "verify", "--deep"); e.contains("RECORD") {
		t.Error(e)
	}
}

// TestDamagedWheelOfAnIntactEnvironment removes a file from an unpacked wheel; the environment
// has another link to it.
func TestDamagedWheelOfAnIntactEnvironment(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	found, err := filepath.Glob(s.store("dists/*/*/alpha/__init__.py"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q %v", found, err)
	}
	check(t, os.Remove(found[0]))
	if e := s.want(2, "verify", "--deep"); !e.contains("`reconcile heal` removes it, and the next build that needs it fetches it again", "Environment local is intact: ", "; 1 unpacked wheel in the store is damaged.") {
		t.Error(e)
	}
	if e := s.want(0, "heal", "-y"); !e.contains("Removed 1 damaged wheel from the store.") {
		t.Error(e)
	}
	s.want(0, "verify", "--deep")
	s.want(0, "apply", "-y", "--replace", "venv.local")
	if e := s.want(0, "verify", "--deep"); e.contains("RECORD") {
		t.Error(e)
	}
}

// TestForgedSealIsDamage removes from a seal what verification would have compared, with a
// right checksum, and replaces the interpreter.
func TestForgedSealIsDamage(t *testing.T) {
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	generation, err := os.Readlink(s.path(".venv/generation"))
	check(t, err)
	name := layout.Seal(generation)
	genuine, err := os.ReadFile(name)
	check(t, err)
	const end = ",\n  \"checksum\": \""
	seal := func(cut func(text string) string) {
		body, _, _ := strings.Cut(string(genuine), end)
		text := cut(body)
		if text == body {
			t.Fatal("the seal was not changed")
		}
		check(t, os.WriteFile(name, fmt.Appendf(nil, "%s%s%x\"\n}\n", text, end, sha256.Sum256([]byte(text))), 0o600))
	}
	for what, forged := range map[string]func(string) string{
		"without its path and files": func(text string) string {
			text, _, _ = strings.Cut(text, ",\n  \"skeleton\"")
			return strings.Replace(text, fmt.Sprintf("%q", generation), `""`, 1)
		},
		"with another wheel": func(text string) string {
			before, after, _ := strings.Cut(text, `"wheel": "`)
			return before + `"wheel": "` + strings.Repeat("1", 64) + after[min(64, len(after)):]
		},
	} {
		seal(forged)
		if e := s.want(2, "verify", "--deep"); !e.contains("seal.json") {
			t.Errorf("%s: %s", what, e)
		}
		check(t, os.WriteFile(name, genuine, 0o600))
		s.want(0, "verify", "--deep")
	}
}
