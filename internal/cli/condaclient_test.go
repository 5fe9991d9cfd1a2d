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

// played is the client of conda that this test binary plays under that name.
const fakeClientName = "micromamba"

// playClient plays it. The folder of the channel says how: python is
// the interpreter that it "installs", as a link with a pyvenv.cfg beside it so that
// 30 MB need not be copied for each test, and behaviour what it does wrong.
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
		fmt.Fprintln(os.Stderr, "called in another way than the test knows:", args)
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

// installPlayed writes the files and the record of one package.
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
		files = map[string]string{"etc/conda/activate.d/sets.sh": "function sets() { export SETS=yes; }\nsets\n"} // as scripts of compilers are: for bash
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

// A condaSite is a site whose environment is made by the client that is played.
type condaSite struct {
	*site
	channel string
}

// newCondaSite makes a project in a folder of a name.
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

// behave says how the client is played from here on; "" is well.
func (c *condaSite) setBehaviour(how string) {
	c.t.Helper()
	check(c.t, os.WriteFile(filepath.Join(c.channel, "behaviour"), []byte(how), 0o644))
}

// ask puts a manifest and its lock in place, of a version of tiny.
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
    installer: pip
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

// wantTiny enters the environment in every way, and expects a version.
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

// TestCondaInAnyFolder takes an environment through its life, in folders that a shell
// or a glob would expand.
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
				t.Errorf("scripts of packages are not sourced: %s", e)
			}
			c.pinVersion("2.0")
			c.checkConverges()
			c.wantTiny("2.0")
			c.want(0, "rollback", "--env", "local")
			c.wantTiny("1.0")
			c.want(0, "rollback", "--env", "local")
			// A link of a package that leads elsewhere, and a record that was cut.
			check(t, os.Remove(c.path(".venv/generation/bin/python3")))
			check(t, os.Symlink("/bin/false", c.path(".venv/generation/bin/python3")))
			if e := c.want(2, "plan", "--detailed-exitcode", "--env", "local"); !e.contains("bin/python3", "changed") {
				t.Errorf("the plan does not say what is damaged: %s", e)
			}
			c.checkConverges()
			c.wantTiny("2.0")
			check(t, os.WriteFile(c.path(".venv/generation/conda-meta/sets-1.0-0.json"), []byte("{"), 0o644))
			if e := c.want(2, "verify", "--env", "local"); !e.contains("conda-meta/sets-1.0-0.json") {
				t.Errorf("verify does not say what is damaged: %s", e)
			}
			c.want(0, "heal", "-y", "--env", "local")
			c.want(0, "verify", "--deep", "--env", "local")
			c.wantTiny("2.0")
		})
	}
}

// TestCondaClientInstallsSomethingElse lets the client do less, or something else, than it says:
// nothing of that becomes visible, and the next apply mends it.
func TestCondaClientInstallsSomethingElse(t *testing.T) {
	for behaviour, want := range map[string]string{
		"nothing": "missing  lib", "half": "missing", "other": "sets", "rots": "share/notes.txt", "fails": "out of luck",
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
				t.Error("something is visible")
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

// TestCondaCacheThatIsALink lets a link come with a copy of the project, where packages of
// conda are unpacked: nothing is written through it.
func TestCondaCacheThatIsALink(t *testing.T) {
	c := newCondaSite(t, "project")
	c.pinVersion("1.0")
	c.checkConverges()
	c.pinVersion("2.0")
	own := must(filepath.Glob(c.path(".reconcile/*/state.jsonl")))
	link := filepath.Join(filepath.Dir(own[0]), "conda", "pkgs")
	check(t, os.MkdirAll(filepath.Dir(link), 0o755))
	check(t, os.Symlink(t.TempDir(), link))
	if e := c.run("apply", "-y", "--env", "local"); e.code == 0 || !e.contains("conda/pkgs is not a directory that reconcile made") {
		t.Errorf("a link in the cache is followed: %s", e)
	}
	c.wantTiny("1.0")
}

// TestCondaEarlierGenerationEdited edits a file in place in a generation that is not
// visible: neither rollback nor apply shows it. One that is visible and has lost its
// Python starts nothing.
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
		t.Errorf("a damaged generation is shown: %s", e)
	}
	c.wantTiny("2.0")
	c.pinVersion("1.0")
	c.checkConverges()
	c.wantTiny("1.0")
	c.want(0, "verify", "--deep", "--env", "local")

	check(t, os.Remove(c.path(".venv/generation/bin/python")))
	if e := c.run("run", "--env", "local", "--", "python", "-V"); e.code != 1 || !e.contains("environment.damaged", "reconcile heal") {
		t.Errorf("another Python is started: %s", e)
	}
}
