package lock

import (
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// builtLock has flash-attn, which is built with torch, and a package beside them.
func builtLock() *Lock {
	all := []string{"linux-x86_64"}
	wheel := func(name string, sum byte) []Wheel {
		return []Wheel{{File: name + "-1.0-py3-none-any.whl", SHA256: facts.SHA256{sum}, Size: 10, Platforms: all}}
	}
	return &Lock{
		Path: "locks/x", RequiresPython: ">=3.10,<3.11", Platforms: all,
		Packages: []Package{
			{Name: "beside", Version: "1.0", Wheels: wheel("beside", 1)},
			{Name: "filelock", Version: "1.0", Wheels: wheel("filelock", 2)},
			{Name: "flash-attn", Version: "1.0", Dependencies: []string{"torch"}, Build: &Build{
				Source: Source{File: "flash_attn-1.0.tar.gz", Size: 100, SHA256: facts.SHA256{3}}, With: []string{"torch"},
				Requires: []Package{{Name: "setuptools", Version: "1.0", Wheels: wheel("setuptools", 4)}},
			}},
			{Name: "torch", Version: "1.0", Dependencies: []string{"filelock", "torch"}, Wheels: wheel("torch", 5)},
		},
	}
}

func key(t *testing.T, l *Lock, python string) facts.SHA256 {
	t.Helper()
	closure, err := l.For("linux-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(closure, func(d Dist) bool { return d.Build != nil })
	return closure[i].Key(python, "linux-x86_64", closure)
}

func TestBuildWithAPackageNeedsItsDependencies(t *testing.T) {
	l := builtLock()
	closure, err := l.For("linux-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	d := closure[2]
	if with := strings.Join(d.Build.With, " "); with != "filelock torch" {
		t.Errorf("%q", with)
	}
	if d.Download() != 110 || d.Disk() != 4*100+5*10 {
		t.Errorf("%d bytes, %d bytes", d.Download(), d.Disk())
	}
	for i := range l.Packages {
		l.Packages[i].Dependencies = nil
	}
	if closure, err = l.For("linux-x86_64"); err != nil {
		t.Fatal(err)
	}
	if with := strings.Join(closure[2].Build.With, " "); with != "beside filelock torch" {
		t.Errorf("without dependencies in the lock: %q", with)
	}
	if l.Packages[2].Build.With[0] != "torch" || len(l.Packages[2].Build.With) != 1 {
		t.Errorf("the lock was changed: %q", l.Packages[2].Build.With)
	}
}

func TestKeyChangesWithEachInputOfABuild(t *testing.T) {
	first := key(t, builtLock(), "3.10")
	if first != key(t, builtLock(), "3.10") {
		t.Error("equal inputs have different keys")
	}
	if first == key(t, builtLock(), "3.11") {
		t.Error("another Python has the same key")
	}
	for name, change := range map[string]func(p []Package){
		"source":      func(p []Package) { p[2].Build.SHA256 = facts.SHA256{9} },
		"requirement": func(p []Package) { p[2].Build.Requires[0].Wheels[0].SHA256 = facts.SHA256{9} },
		"with":        func(p []Package) { p[3].Wheels[0].SHA256 = facts.SHA256{9} },
		"dependency":  func(p []Package) { p[1].Wheels[0].SHA256 = facts.SHA256{9} },
	} {
		l := builtLock()
		change(l.Packages)
		if first == key(t, l, "3.10") {
			t.Errorf("another %s has the same key", name)
		}
	}
	l := builtLock()
	l.Packages[0].Wheels[0].SHA256 = facts.SHA256{9}
	if first != key(t, l, "3.10") {
		t.Error("a package that the build does not need changes the key")
	}
}

func TestBuildWithAPackageThatIsNotLocked(t *testing.T) {
	l := builtLock()
	if err := l.checkWith(); err != nil {
		t.Error(err)
	}
	l.Packages = l.Packages[:3]
	if err := l.checkWith(); err == nil || !strings.Contains(err.Error(), "flash-attn imports torch") {
		t.Errorf("%v", err)
	}
}
