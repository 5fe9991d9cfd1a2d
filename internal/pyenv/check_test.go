package pyenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func TestIntactGeneration(t *testing.T) {
	dir, seal := newGeneration(t, twoDists())
	for _, stamped := range []bool{true, false} {
		damage, err := CheckFast(dir, seal)
		if err != nil || len(damage) != 0 {
			t.Errorf("stamped %v: damage %v, error %v", stamped, damage, err)
		}
		remove(t, filepath.Join(dir, "reconcile/stamps"))
	}
	if damage := verify(t, dir, seal, true); len(damage) != 0 {
		t.Errorf("deep: %v", damage)
	}
	if damage := verify(t, dir, Seal{Packages: seal.Packages}, true); len(damage) != 0 {
		t.Errorf("before sealing: %v", damage)
	}
}

// TestDamage damages an intact generation in every way that must be detected.
func TestDamage(t *testing.T) {
	const clean = "lxml-html-clean"
	all := []string{"fast", "unstamped", "verify", "deep"}
	tests := []struct {
		name    string
		do      func(t *testing.T, dir string)
		want    facts.Damage
		foundBy []string
	}{
		{
			"a file is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "six.py")) },
			facts.Damage{What: "missing", Path: site + "/six.py", Dist: "six"},
			all,
		},
		{
			"a directory is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "lxml_html_clean")) },
			facts.Damage{What: "missing", Path: site + "/lxml_html_clean", Dist: clean},
			all,
		},
		{
			"a nested file is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "lxml_html_clean/deep/x.py")) },
			facts.Damage{What: "missing", Path: site + "/lxml_html_clean/deep/x.py", Dist: clean},
			all,
		},
		{
			"a script is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "bin/clean")) },
			facts.Damage{What: "missing", Path: "bin/clean", Dist: clean},
			all,
		},
		{"a file was replaced by a longer one", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, site, "six.py"))
			put(t, filepath.Join(dir, site, "six.py"), "import sys, os\n", 0o644)
		}, facts.Damage{What: "changed", Path: site + "/six.py", Dist: "six"}, all},
		{"a file became a link", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, site, "six.py"))
			link(t, "/etc/hostname", filepath.Join(dir, site, "six.py"))
		}, facts.Damage{What: "changed", Path: site + "/six.py", Dist: "six"}, all},
		{
			"a file grew in place", func(t *testing.T, dir string) {
				put(t, filepath.Join(dir, site, "six.py"), "longer than before\n", 0o644)
			},
			facts.Damage{What: "changed", Path: site + "/six.py", Dist: "six"},
			[]string{"unstamped", "verify", "deep"},
		},
		{
			"a file was modified in place, same size", func(t *testing.T, dir string) { put(t, filepath.Join(dir, site, "six.py"), "import os_\n", 0o644) },
			facts.Damage{What: "changed", Path: site + "/six.py", Dist: "six"},
			[]string{"deep"},
		},
		{"a file was modified in place, same size and time", func(t *testing.T, dir string) {
			name := filepath.Join(dir, site, "six.py")
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			put(t, name, "import os_\n", 0o644)
			if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, facts.Damage{What: "changed", Path: site + "/six.py", Dist: "six"}, []string{"deep"}},
		{"RECORD has another digest", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, site, "Six-1.16.0.dist-info/RECORD"), "six.py,sha256="+strings.Repeat("A", 43)+",11\n", 0o644)
		}, facts.Damage{What: "changed", Path: site + "/six.py", Dist: "six"}, []string{"deep"}},
		{
			"a foreign file", func(t *testing.T, dir string) { put(t, filepath.Join(dir, site, "evil.pth"), "import x\n", 0o644) },
			facts.Damage{What: "foreign", Path: site + "/evil.pth"},
			all,
		},
		{
			"a foreign file in a package", func(t *testing.T, dir string) {
				put(t, filepath.Join(dir, site, "lxml_html_clean/deep/y.py"), "", 0o644)
			},
			facts.Damage{What: "foreign", Path: site + "/lxml_html_clean/deep/y.py"},
			all,
		},
		{
			"a foreign directory", func(t *testing.T, dir string) { put(t, filepath.Join(dir, site, "yours/a/b.py"), "", 0o644) },
			facts.Damage{What: "foreign", Path: site + "/yours"},
			all,
		},
		{
			"a foreign file in an empty directory of a wheel", func(t *testing.T, dir string) { put(t, filepath.Join(dir, site, "empty./b.py"), "", 0o644) },
			facts.Damage{What: "foreign", Path: site + "/empty./b.py"},
			[]string{"fast"},
		},
		{
			"bytecode without a source", func(t *testing.T, dir string) { put(t, filepath.Join(dir, site, "evil.pyc"), "", 0o644) },
			facts.Damage{What: "foreign", Path: site + "/evil.pyc"},
			all,
		},
		{
			"a program beside python", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "bin/pip"), "", 0o755) },
			facts.Damage{What: "foreign", Path: "bin/pip"},
			all,
		},
		{
			"a foreign activate script", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "bin/activate.fish"), "", 0o644) },
			facts.Damage{What: "foreign", Path: "bin/activate.fish"},
			all,
		},
		{
			"an activate script modified in place", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "bin/activate"), "rm", 0o644) },
			facts.Damage{What: "changed", Path: "bin/activate"},
			[]string{"unstamped", "verify", "deep"},
		},
		{
			"a launcher is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "reconcile/bin/python")) },
			facts.Damage{What: "missing", Path: "reconcile/bin/python"},
			all,
		},
		{"python is another link", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "bin/python"))
			link(t, "/bin/sh", filepath.Join(dir, "bin/python"))
		}, facts.Damage{What: "changed", Path: "bin/python"}, all},
		{
			"the interpreter was removed", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "../base/bin/python3.10")) },
			facts.Damage{What: "interpreter", Path: "bin/python"},
			all,
		},
		{
			"the home was removed", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "../base")) },
			facts.Damage{What: "interpreter", Path: "pyvenv.cfg"},
			all,
		},
		{
			"pyvenv.cfg is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "pyvenv.cfg")) },
			facts.Damage{What: "interpreter", Path: "pyvenv.cfg"},
			all,
		},
		{
			"metadata is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "Six-1.16.0.dist-info")) },
			facts.Damage{What: "missing", Path: site + "/six-1.16.0.dist-info", Dist: "six"},
			all,
		},
		{
			"RECORD is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "Six-1.16.0.dist-info/RECORD")) },
			facts.Damage{What: "missing", Path: site + "/Six-1.16.0.dist-info/RECORD", Dist: "six"},
			all,
		},
		{"RECORD leads out of the environment", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, site, "Six-1.16.0.dist-info/RECORD"))
			put(t, filepath.Join(dir, site, "Six-1.16.0.dist-info/RECORD"), "../../../../../etc/passwd,,\n", 0o644)
		}, facts.Damage{What: "changed", Path: site + "/Six-1.16.0.dist-info/RECORD", Dist: "six"}, all},
		{"another version", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, site, "Six-1.16.0.dist-info"))
			install(t, dir, fakeDist{"six", "1.17.0", nil})
		}, facts.Damage{What: "package", Path: site + "/six-1.17.0.dist-info", Dist: "six", Version: "1.17.0", Sealed: "1.16.0"}, all},
		{
			"another distribution", func(t *testing.T, dir string) { install(t, dir, fakeDist{"nltk", "3.9.4", nil}) },
			facts.Damage{What: "foreign", Path: site + "/nltk-3.9.4.dist-info", Dist: "nltk"},
			all,
		},
		{
			"metadata twice", func(t *testing.T, dir string) { install(t, dir, fakeDist{"six", "1.15.0", nil}) },
			facts.Damage{What: "package", Path: site + "/six-1.15.0.dist-info", Dist: "six", Version: "1.15.0", Sealed: "1.16.0"},
			all,
		},
		{
			"remains of an interrupted pip", func(t *testing.T, dir string) {
				put(t, filepath.Join(dir, site, "~ix-1.15.0.dist-info/METADATA"), "", 0o644)
			},
			facts.Damage{What: "foreign", Path: site + "/~ix-1.15.0.dist-info"},
			all,
		},
		{"two distributions list a file", func(t *testing.T, dir string) {
			old, _ := os.ReadFile(filepath.Join(dir, site, "Six-1.16.0.dist-info/RECORD"))
			put(t, filepath.Join(dir, site, "Six-1.16.0.dist-info/RECORD"), string(old)+"lxml_html_clean/__init__.py,sha256="+strings.Repeat("A", 43)+",12\n", 0o644)
		}, facts.Damage{What: "doubled", Path: site + "/lxml_html_clean/__init__.py", Dist: "lxml-html-clean"}, []string{"unstamped", "verify", "deep"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, seal := newGeneration(t, twoDists())
			verified := verifyAll(t, dir, seal)
			tt.do(t, dir)
			again, err := Recheck(context.Background(), dir, seal, verified, nil)
			if deep := check(t, "deep", dir, seal); err != nil || !slices.Equal(again, deep) {
				t.Errorf("after an earlier verification: %v, error %v; deep %v", again, err, deep)
			}
			for _, mode := range all {
				damage := check(t, mode, dir, seal)
				found := slices.Contains(damage, tt.want)
				if want := slices.Contains(tt.foundBy, mode); found != want && mode != "unstamped" || want && !found {
					t.Errorf("%s: want found %v, got %v", mode, want, damage)
				}
			}
		})
	}
}

// verifyAll verifies a generation in which no file is too new.
func verifyAll(t *testing.T, dir string, seal Seal) VerifiedFiles {
	t.Helper()
	made := filepath.Join(dir, "../made")
	mkdir(t, made)
	verified, damage, err := VerifyNew(context.Background(), dir, Seal{Packages: seal.Packages}, nil, made, nil)
	if len(damage) > 0 {
		t.Fatal(damage)
	}
	if err != nil || len(verified) != 8 {
		t.Fatalf("%d files are verified, error %v", len(verified), err)
	}
	return verified
}

func TestVerifyNewOmitsNewFiles(t *testing.T) {
	dir, seal := newGeneration(t, twoDists())
	made := filepath.Join(dir, "../made")
	mkdir(t, made)
	put(t, filepath.Join(dir, site, "six.py"), "import sys\n", 0o644)
	verified, _, err := VerifyNew(context.Background(), dir, Seal{Packages: seal.Packages}, nil, made, nil)
	if _, found := verified[site+"/six.py"]; err != nil || found || len(verified) != 7 {
		t.Errorf("six.py verified %v of %d, error %v", found, len(verified), err)
	}
}

// check checks a generation in one of four modes; "unstamped" removes the stamps.
func check(t *testing.T, mode, dir string, seal Seal) []facts.Damage {
	t.Helper()
	switch mode {
	case "verify":
		return verify(t, dir, seal, false)
	case "deep":
		return verify(t, dir, seal, true)
	case "unstamped":
		remove(t, filepath.Join(dir, "reconcile/stamps"))
	}
	damage, err := CheckFast(dir, seal)
	if err != nil {
		t.Fatal(err)
	}
	return damage
}

// TestIgnoredChanges makes the changes that Python and operating systems make.
func TestIgnoredChanges(t *testing.T) {
	dir, seal := newGeneration(t, twoDists())
	put(t, filepath.Join(dir, site, "__pycache__/six.cpython-310.opt-1.pyc"), "x", 0o644)
	put(t, filepath.Join(dir, site, "lxml_html_clean/__pycache__/__init__.cpython-310.pyc"), "x", 0o644)
	put(t, filepath.Join(dir, site, ".DS_Store"), "x", 0o644)
	put(t, filepath.Join(dir, ".lock"), "", 0o644)
	remove(t, filepath.Join(dir, site, "__pycache__"))
	for _, mode := range []string{"fast", "verify", "deep", "unstamped"} {
		if damage := check(t, mode, dir, seal); len(damage) != 0 {
			t.Errorf("%s: %v", mode, damage)
		}
	}
}

func TestSharedFileWithEqualContent(t *testing.T) {
	dists := twoDists()
	dists[0].files["tests/__init__.py"] = ""
	dists[1].files["tests/__init__.py"] = ""
	dir, seal := newGeneration(t, dists)
	if damage := verify(t, dir, seal, true); len(damage) != 0 {
		t.Error(damage)
	}
}

func TestMoved(t *testing.T) {
	dir, seal := newGeneration(t, twoDists())
	moved := filepath.Join(filepath.Dir(dir), "moved")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	damage, err := CheckFast(moved, seal)
	if err != nil || !slices.Contains(damage, facts.Damage{What: "moved", Path: "reconcile/seal.json"}) {
		t.Errorf("by the seal: %v, %v", damage, err)
	}
	seal.Prefix = ""
	damage, err = CheckFast(moved, seal)
	if err != nil || !slices.Contains(damage, facts.Damage{What: "moved", Path: "reconcile/bin/python"}) {
		t.Errorf("by the launcher: %v, %v", damage, err)
	}
}

func TestUnreadableIsAnError(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every directory")
	}
	dir, seal := newGeneration(t, twoDists())
	locked := filepath.Join(dir, site, "lxml_html_clean")
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(locked, 0o755) })
	if damage, err := CheckFast(dir, seal); err == nil {
		t.Errorf("an unreadable directory gave %v", damage)
	}
}

func TestVerifyCanceled(t *testing.T) {
	dir, seal := newGeneration(t, twoDists())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Verify(ctx, dir, seal, nil, true, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestVerifyReportsProgress(t *testing.T) {
	dir, seal := newGeneration(t, twoDists())
	var last, total int64
	_, _, err := Verify(context.Background(), dir, seal, nil, true, func(d, n int64) {
		if d < last || d > n {
			t.Errorf("%d of %d after %d", d, n, last)
		}
		last, total = d, n
	})
	if err != nil || last == 0 || last > total {
		t.Errorf("%d of %d, error %v", last, total, err)
	}
}
