package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// fakeClientName is the name under which this test binary acts as a conda client.
const fakeClientName = "micromamba"

// runFakeClient acts as a conda client. In the channel directory, the file python names the
// interpreter to install, as a link with a pyvenv.cfg, because copying 30 MB for each test is
// slow; the file behaviour names a fault to simulate.
func runFakeClient() {
	var prefix, channel string
	var packages []string
	args := os.Args[1:]
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "--prefix":
			prefix = args[i+1]
		case "--channel":
			channel = strings.TrimPrefix(args[i+1], "file://")
		case "--":
			packages = args[i+1:]
		}
	}
	behaviour, _ := os.ReadFile(filepath.Join(channel, "behaviour"))
	python, err := os.ReadFile(filepath.Join(channel, "python"))
	switch {
	case err != nil || prefix == "" || !slices.Contains(args, "--no-deps") || !slices.Contains(args, "--override-channels"):
		fmt.Fprintln(os.Stderr, "unexpected arguments:", args)
		os.Exit(64)
	case string(behaviour) == "nothing":
		return
	case string(behaviour) == "fails":
		fmt.Fprintln(os.Stderr, "critical libmamba \x1b[31mout of luck")
		os.Exit(1)
	}
	for i, spec := range packages {
		if string(behaviour) == "half" && i == len(packages)-1 {
			return
		}
		word := strings.Split(spec, "=")
		installFakePackage(prefix, string(python), string(behaviour), word[0], word[1], word[2])
	}
}

// installFakePackage writes the files and the conda-meta record of one package.
func installFakePackage(prefix, python, behaviour, name, version, build string) {
	const site = "lib/python3.10/site-packages/"
	var files map[string]string // "> target" is a link
	switch name {
	case "python":
		files = map[string]string{
			"bin/python": "> " + python, "bin/python3": "> python", "pyvenv.cfg": "home = " + filepath.Dir(python) + "\n",
			"share/notes.txt": "notes\n",
		}
	case "sets":
		files = map[string]string{"etc/conda/activate.d/sets.sh": "function sets() { export SETS=yes; }\nsets\n"} // bash syntax, like the scripts of compiler packages
	default:
		info := site + name + "-" + version + ".dist-info/"
		files = map[string]string{
			site + name + "/__init__.py": fmt.Sprintf("version = %q\n", version), site + name + "/late.py": fmt.Sprintf("version = %q\n", version),
			info + "METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n", info + "RECORD": name + "/late.py,sha256=of-the-builder,1\n",
		}
	}
	record := map[string]any{"name": name, "version": version, "build": build, "sha256": fakeDigest(name, version, build)}
	if behaviour == "other" && name == "sets" {
		record["sha256"] = fakeDigest("another", version, build)
	}
	var paths []map[string]any
	for path, text := range files {
		full := filepath.Join(prefix, path)
		must(0, os.MkdirAll(filepath.Dir(full), 0o755))
		entry := map[string]any{"_path": path, "path_type": "hardlink", "sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(text))), "size_in_bytes": len(text)}
		if target, ok := strings.CutPrefix(text, "> "); ok {
			must(0, os.Symlink(target, full))
			entry = map[string]any{"_path": path, "path_type": "softlink"}
		} else {
			if behaviour == "rots" && path == "share/notes.txt" {
				text = "NOTES\n"
			}
			must(0, os.WriteFile(full, []byte(text), 0o644))
		}
		paths = append(paths, entry)
	}
	record["paths_data"] = map[string]any{"paths": paths, "paths_version": 1}
	must(0, os.MkdirAll(filepath.Join(prefix, "conda-meta"), 0o755))
	must(0, os.WriteFile(filepath.Join(prefix, "conda-meta", name+"-"+version+"-"+build+".json"), must(json.Marshal(record)), 0o644))
	must(0, os.WriteFile(filepath.Join(prefix, "conda-meta/history"), nil, 0o644))
}

func fakeDigest(name, version, build string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(name+" "+version+" "+build)))
}

// A condaSite is a site whose environment is built by the fake client.
type condaSite struct {
	*site
	channel string
}

// newCondaSite creates a project in a directory with the given name.
func newCondaSite(t *testing.T, name string) *condaSite {
	t.Helper()
	if python310() == "" {
		t.Skip("no Python 3.10 on this machine")
	}
	s := newSite(t, "")
	s.root = filepath.Join(filepath.Dir(s.root), name)
	check(t, os.MkdirAll(s.root, 0o755))
	bin := filepath.Join(filepath.Dir(s.root), "bin")
	check(t, os.MkdirAll(bin, 0o755))
	check(t, os.Symlink(must(os.Executable()), filepath.Join(bin, fakeClientName)))
	c := &condaSite{site: s.with("PATH=" + bin + ":/usr/bin:/bin"), channel: filepath.Join(filepath.Dir(s.root), "channel")}
	check(t, os.MkdirAll(c.channel, 0o755))
	check(t, os.WriteFile(filepath.Join(c.channel, "python"), []byte(must(filepath.EvalSymlinks(python310()))), 0o644))
	return c
}

// setBehaviour sets the fault that the client simulates from now on, "" for none.
func (c *condaSite) setBehaviour(how string) {
	c.t.Helper()
	check(c.t, os.WriteFile(filepath.Join(c.channel, "behaviour"), []byte(how), 0o644))
}

// pinVersion writes a manifest and a lock with a version of tiny.
func (c *condaSite) pinVersion(version string) {
	c.t.Helper()
	channel := "file://" + c.channel
	c.write("manifest.yaml", fmt.Sprintf(`version: 1
project: site
environments:
  local:
    match: {gpu: none}
    type: conda
    python: "3.10"
    path: .venv
    lock: pylock.toml
    platforms: [%s]
    engine: micromamba
    channels: [%q]
    conda_packages:
      - {name: tiny, version: %q}
      - {name: sets, version: "1.0"}
    packages: []
    smoke_test: {imports: [tiny]}
`, platform(), channel, version))
	l := lock.Lock{RequiresPython: ">=3.10,<3.11", Platforms: []string{platform()}, Conda: &lock.Conda{
		Channels: []string{channel}, Requests: lock.CondaSpecs("3.10", []lock.CondaPin{{Name: "tiny", Version: version}, {Name: "sets", Version: "1.0"}}),
	}}
	for _, p := range [][3]string{{"python", "3.10.13", "h0"}, {"sets", "1.0", "0"}, {"tiny", version, "py_0"}} {
		l.Conda.Packages = append(l.Conda.Packages, lock.CondaPackage{Platform: platform(), Package: rattler.Package{
			Name: p[0], Version: p[1], Build: p[2], Channel: channel, Subdir: "noarch", File: strings.Join(p[:], "-") + ".conda", SHA256: fakeDigest(p[0], p[1], p[2]),
		}})
	}
	c.write("pylock.toml", string(l.Encode()))
}

// wantTiny checks the version of tiny through each entry point of the environment.
func (c *condaSite) wantTiny(version string) {
	c.t.Helper()
	words := []string{"-B", "-c", "import os, sys, tiny, tiny.late; print(tiny.version, tiny.late.version, os.environ['CONDA_PREFIX'] == sys.prefix)"}
	want := version + " " + version + " True\n"
	if out, err := c.command(c.path(".venv/bin/python"), words...).CombinedOutput(); err != nil || string(out) != want {
		c.t.Errorf("by the launcher: %q, %v, want %q", out, err, want)
	}
	if e := c.run(append([]string{"run", "--env", "local", "--", "python"}, words...)...); e.out != want {
		c.t.Errorf("by run: want %q\n%s", want, e)
	}
}

// TestCondaInAnyFolder builds, updates, rolls back, damages and heals an environment, also in a
// directory whose name a shell or a glob would expand.
func TestCondaInAnyFolder(t *testing.T) {
	for _, name := range []string{"plain", "a[bc] *d ünï"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCondaSite(t, name)
			c.pinVersion("1.0")
			c.checkConverges()
			c.wantTiny("1.0")
			c.want(0, "verify", "--deep", "--env", "local")
			if e := c.run("run", "--env", "local", "--", "sh", "-c", "echo $SETS"); e.out != "yes\n" {
				t.Errorf("the activation scripts of packages were not sourced: %s", e)
			}
			c.pinVersion("2.0")
			c.checkConverges()
			c.wantTiny("2.0")
			c.want(0, "rollback", "--env", "local")
			c.wantTiny("1.0")
			c.want(0, "rollback", "--env", "local")
			// A package link with another target, and a truncated record.
			check(t, os.Remove(c.path(".venv/generation/bin/python3")))
			check(t, os.Symlink("/bin/false", c.path(".venv/generation/bin/python3")))
			if e := c.want(2, "plan", "--detailed-exitcode", "--env", "local"); !e.contains("bin/python3", "changed") {
				t.Errorf("the plan does not name the damage: %s", e)
			}
			c.checkConverges()
			c.wantTiny("2.0")
			check(t, os.WriteFile(c.path(".venv/generation/conda-meta/sets-1.0-0.json"), []byte("{"), 0o644))
			if e := c.want(2, "verify", "--env", "local"); !e.contains("conda-meta/sets-1.0-0.json") {
				t.Errorf("verify does not name the damage: %s", e)
			}
			c.want(0, "heal", "-y", "--env", "local")
			c.want(0, "verify", "--deep", "--env", "local")
			c.wantTiny("2.0")
		})
	}
}

// TestCondaClientInstallsSomethingElse checks that a build becomes active only if the client
// installed exactly the locked packages, and that the next apply succeeds.
func TestCondaClientInstallsSomethingElse(t *testing.T) {
	for behaviour, want := range map[string]string{
		"nothing": "missing  /", "half": "missing", "other": "sets", "rots": "share/notes.txt", "fails": "out of luck",
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			c := newCondaSite(t, "project")
			c.pinVersion("1.0")
			c.setBehaviour(behaviour)
			e := c.want(4, "apply", "-y", "--env", "local")
			if !e.contains(want) || e.contains("\x1b[31m") {
				t.Errorf("wanted %q: %s", want, e)
			}
			if _, err := os.Lstat(c.path(".venv/generation")); err == nil {
				t.Error("a generation is active")
			}
			c.setBehaviour("")
			c.checkConverges()
			c.wantTiny("1.0")
			c.pinVersion("2.0")
			c.setBehaviour(behaviour)
			c.want(4, "apply", "-y", "--env", "local")
			c.wantTiny("1.0")
			c.setBehaviour("")
			c.checkConverges()
			c.wantTiny("2.0")
		})
	}
}

// TestCondaEarlierGenerationEdited checks that neither rollback nor apply activates an inactive
// generation in which a file was edited, and that run starts nothing if the active generation
// has no Python.
func TestCondaEarlierGenerationEdited(t *testing.T) {
	c := newCondaSite(t, "project")
	c.pinVersion("1.0")
	c.checkConverges()
	earlier := must(filepath.EvalSymlinks(c.path(".venv/generation")))
	c.pinVersion("2.0")
	c.checkConverges()
	f := must(os.OpenFile(filepath.Join(earlier, "lib/python3.10/site-packages/tiny/late.py"), os.O_WRONLY|os.O_APPEND, 0))
	must(f.WriteString("raise SystemExit('edited')\n"))
	check(t, f.Close())
	if e := c.want(1, "rollback", "--env", "local"); !e.contains("rollback.damaged", "late.py") {
		t.Errorf("rollback activated a damaged generation: %s", e)
	}
	c.wantTiny("2.0")
	c.pinVersion("1.0")
	c.checkConverges()
	c.wantTiny("1.0")
	c.want(0, "verify", "--deep", "--env", "local")

	check(t, os.Remove(c.path(".venv/generation/bin/python")))
	if e := c.run("run", "--env", "local", "--", "python", "-V"); e.code != 1 || !e.contains("environment.damaged", "reconcile heal") {
		t.Errorf("run without a Python in the environment: %s", e)
	}
}
