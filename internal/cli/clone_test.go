package cli

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/store"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

// A clone is a project that a user cloned from an author who committed ignored files too,
// which is `git add -f`. The author knows every path of the user.
type clone struct {
	*site
	top    string // holds home, store, canary, author and project
	author string // the working tree of the author
	marker string // planted programs append to this file
	spy    *spy
	hasUV  bool // on PATH
}

// A spy is a server of the author. It records requests.
type spy struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
}

func newSpy(t *testing.T) *spy {
	x := &spy{}
	x.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.requests = append(x.requests, r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization")+r.Header.Get("Proxy-Authorization"))
		http.NotFound(w, r)
	}))
	x.Config.ConnState = func(_ net.Conn, s http.ConnState) { // TLS too, which is no request
		if s == http.StateNew {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.requests = append(x.requests, "a connection")
		}
	}
	x.Start()
	t.Cleanup(x.Close)
	return x
}

func (x *spy) received() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.requests)
}

// cloneWheel is the only package of cloned environments.
func cloneWheel() wheel { return wheel{name: "alpha", version: "1.0"} }

// newClone returns a machine with a store that has a generation of another project, and an
// author whose manifest and lock are honest. url is the package index, "" for none.
func newClone(t *testing.T, url string) *clone {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	top := must(filepath.EvalSymlinks(t.TempDir()))
	c := &clone{site: siteAt(t, top, ""), top: top, author: filepath.Join(top, "author"), marker: filepath.Join(top, "marker"), spy: newSpy(t)}
	check(t, os.RemoveAll(c.root)) // git clone makes it
	if url != "" {
		c.site = c.with()
		c.env = slices.DeleteFunc(c.env, func(kv string) bool { return strings.HasPrefix(kv, "RECONCILE_INDEX_URL=") })
		c.env = append(c.env, "RECONCILE_INDEX_URL="+strings.Replace(url, "://", "://user:topsecret@", 1))
	}
	if hasIndex() {
		c.hasUV = true
		c.env = append([]string{"PATH=" + uvFolder(t) + ":/usr/bin:/bin"}, slices.DeleteFunc(c.env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })...)
	}
	for _, dir := range []string{c.author, c.canary("")} {
		check(t, os.MkdirAll(dir, 0o755))
	}
	writeFile(t, c.canary("known.txt"), "known\n")
	check(t, os.Mkdir(c.canary("empty"), 0o755))
	check(t, store.Make(c.store("")))
	c.plantGeneration(c.otherGeneration())
	w := cloneWheel()
	content := w.bytes()
	l := &lock.Lock{
		RequiresPython: ">=3.10,<3.11", Platforms: []string{platform()}, Requests: []string{"alpha==1.0"},
		Packages: []lock.Package{{Name: "alpha", Version: "1.0", Wheels: []lock.Wheel{{
			File: w.file(), Size: int64(len(content)), SHA256: sha256.Sum256(content), Platforms: []string{platform()},
		}}}},
	}
	c.plant("manifest.yaml", environmentManifest("alpha==1.0"))
	c.plant("locks/pylock.local.toml", string(l.Encode()))
	return c
}

func (c *clone) canary(name string) string { return filepath.Join(c.top, "canary", name) }

// otherGeneration returns a generation of another project of the user.
func (c *clone) otherGeneration() string {
	return layout.Generation(layout.State(c.store(""), filepath.Join(c.top, "other")), "local", "g1")
}

// plant writes a file of the author; name may be absolute.
func (c *clone) plant(name, text string) {
	c.t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(c.author, name)
	}
	writeFile(c.t, name, text)
}

func (c *clone) plantLink(target, name string) {
	c.t.Helper()
	name = filepath.Join(c.author, name)
	check(c.t, os.MkdirAll(filepath.Dir(name), 0o755))
	check(c.t, os.Symlink(target, name))
}

// plantProgram writes a program that leaves the marker.
func (c *clone) plantProgram(name string) {
	c.t.Helper()
	c.plant(name, "#!/bin/sh\necho \"$0 $*\" >> '"+c.marker+"'\n")
	if !filepath.IsAbs(name) {
		name = filepath.Join(c.author, name)
	}
	check(c.t, os.Chmod(name, 0o755))
}

// plantModule writes a Python module that leaves the marker when it is imported.
func (c *clone) plantModule(name string) {
	c.t.Helper()
	c.plant(name, fmt.Sprintf("open(%q, 'a').write(__file__ + '\\n')\n", c.marker))
}

// plantGeneration writes a forged generation: each program in it leaves the marker, and its
// seal lists nothing that could have changed.
func (c *clone) plantGeneration(dir string) {
	c.t.Helper()
	for _, name := range []string{"bin/python", "bin/python3", "bin/true", "reconcile/bin/python", "reconcile/bin/true", "etc/conda/activate.d/x.sh"} {
		c.plantProgram(filepath.Join(dir, name))
	}
	c.plantModule(filepath.Join(dir, "lib/python3.10/site-packages/sitecustomize.py"))
	c.plantModule(filepath.Join(dir, "lib/python3.10/site-packages/alpha/__init__.py"))
	c.plant(filepath.Join(dir, "pyvenv.cfg"), "home = "+filepath.Join(c.root, "evil")+"\n")
	seal := must(pyenv.EncodeSeal(pyenv.Seal{Digest: "0123456789abcdef", Python: "3.10.13", Base: filepath.Join(dir, "bin/python")}))
	c.plant(filepath.Join(dir, "reconcile/seal.json"), string(seal))
	c.plant(filepath.Join(dir, "reconcile/stamps"), "")
}

// plantEntry writes the directory of an environment with a link to a generation.
func (c *clone) plantEntry(dir, kind, target string) {
	c.t.Helper()
	c.plant(dir+"/.gitignore", layout.IgnoreAll)
	c.plantLink(target, dir+"/generation")
	for _, l := range layout.EntryLinks(kind) {
		c.plantLink(l.Target, dir+"/"+l.Name)
	}
}

// clone commits everything that the author has, and clones it as the user does.
func (c *clone) clone() {
	c.t.Helper()
	git := func(args ...string) {
		c.t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null"}, args...)...)
		cmd.Dir, cmd.Env = c.author, []string{"PATH=/usr/bin:/bin", "HOME=" + c.author, "GIT_CONFIG_NOSYSTEM=1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "-f", "-A")
	git("commit", "-q", "-m", "x")
	git("clone", "-q", c.author, c.root)
}

// cloneCommands are the commands that a user may try in a clone before `apply -y`.
var cloneCommands = [][]string{
	{"plan"}, {"plan", "--json"}, {"apply"}, {"validate"}, {"lock"}, {"doctor"}, {"doctor", "--offline"}, {"facts", "--all"}, {"status"},
	{"runs"}, {"runs", "show", "last"}, {"verify"}, {"verify", "--deep"}, {"generations"}, {"gc"}, {"gc", "-y"}, {"rollback"}, {"heal"}, {"heal", "-y"},
	{"explain", "venv.local"}, {"run", "--", "true"}, {"run", "--", "python", "-c", "pass"}, {"destroy"}, {"destroy", "-y"}, {"undo", "-y"},
	{"sync"}, {"init", "--no-lock"}, {"models"}, {"models", "verify"}, {"state", "list"}, {"adopt", "venv.local"}, {"graph"}, {"paths"},
}

// withEnv adds --env to the arguments of a command that has environments.
func withEnv(words []string, env string) []string {
	if slices.Contains([]string{"init", "validate", "sync", "paths"}, words[0]) {
		return words
	}
	return append([]string{"--env", env}, words...)
}

// check runs a command and checks that no planted program ran, that the author's server
// received nothing, and that the command ends soon with little memory.
func (c *clone) check(words ...string) {
	c.t.Helper()
	c.runBounded("", words)
	c.checkSafe(fmt.Sprintf("reconcile %v", words))
}

func (c *clone) checkSafe(what string) {
	c.t.Helper()
	if text, err := os.ReadFile(c.marker); err == nil {
		c.t.Errorf("%s executed %s", what, text)
		check(c.t, os.Remove(c.marker))
	}
	if got := c.spy.received(); len(got) > 0 {
		c.t.Errorf("%s sent to the server of the author: %q", what, got)
		c.spy.requests = nil
	}
}

// outside returns everything that no command in the project may change: the home, the canary,
// and the state of the other project.
func (c *clone) outside() map[string]string {
	c.t.Helper()
	all := map[string]string{}
	for _, dir := range []string{filepath.Join(c.top, "home"), c.canary(""), filepath.Dir(filepath.Dir(filepath.Dir(c.otherGeneration())))} {
		for name, is := range snapshotTree(c.t, dir) {
			all[name] = is
		}
	}
	return all
}

var inBackquotes = regexp.MustCompile("`([^`]+)`")

// apply runs `apply -y`. If it is blocked, it follows the hint and applies again: the result
// is the locked environment, and no planted program ran.
func (c *clone) apply() {
	c.t.Helper()
	e := c.run("apply", "-y", "--env", "local")
	for range 3 { // one hint at a time
		_, hint, ok := strings.Cut(e.out+e.err, "hint: ")
		line := inBackquotes.FindStringSubmatch(hint)
		if e.code == 0 || !ok || line == nil {
			break
		}
		c.t.Logf("blocked: %s\nfollowing %s", strings.TrimSpace(e.out+e.err), line[1])
		if done := c.runCommand("sh", "-c", line[1]); done.code != 0 && !strings.HasPrefix(line[1], "reconcile") {
			c.t.Errorf("the hint %s: %s", line[1], done)
		}
		e = c.run("apply", "-y", "--env", "local")
	}
	if e.code == 3 && e.contains("path.parent", "found: link data -> "+c.canary("")) {
		return // the user decides whether the link is wanted
	}
	if e.code != 0 {
		c.t.Errorf("apply -y: %s", e)
		return
	}
	if _, err := os.Lstat(c.path(".venv/generation")); err == nil {
		if e := c.runCommand(c.path(".venv/bin/python"), "-I", "-c", "import alpha; print(alpha.version)"); e.out != "1.0\n" {
			c.t.Errorf("the environment is not the locked one: %s", e)
		}
		c.want(0, "verify", "--deep", "--env", "local")
	}
}

// hostileClones are what an author commits, by a description.
var hostileClones = map[string]func(c *clone){
	"tools and caches of an earlier version": func(c *clone) {
		for _, part := range []string{".reconcile", ".reconcile/" + platform() + "-1f2e3d4c"} {
			uv := fmt.Sprintf("%s/tools/%s/uv-%s", part, platform(), tool.UV().Version)
			c.plantProgram(uv + "/bin/uv")
			c.plantProgram(uv + "/uv")
			c.plant(uv+"/complete", strings.Repeat("0", 64)+"\n")
			c.plantProgram(part + "/tools/" + platform() + "/cpython-3.10.13/bin/python3.10")
			c.plant(part+"/state.jsonl", "{}\n")
			c.plant(part+"/runs/20010101T000000.000Z.json", `{"version": 1, "kind": "summary"}`)
			c.plant(part+"/kept/"+strings.Repeat("0", 64), "x")
			c.plantLink(c.canary("empty"), part+"/trash")
			c.plantLink(c.canary("empty"), part+"/cache/uv/archive-v0")
			c.plantLink(c.canary("empty"), part+"/cache/uv/wheels-v5")
		}
		c.plantGeneration(filepath.Join(c.author, ".reconcile/"+platform()+"-1f2e3d4c/envs/local/x"))
		c.plantEntry(".venv", "venv", "../.reconcile/"+platform()+"-1f2e3d4c/envs/local/x")
	},
	"settings of an earlier version": func(c *clone) {
		settings := fmt.Sprintf("proxy: %s\nindex_url: %[1]s/simple\ncert: %s\n", c.spy.URL, c.canary("known.txt"))
		c.plant(".reconcile/local.yaml", settings)
		c.plant(".config/reconcile/config.yaml", settings)
		c.plant("config.yaml", settings+"safe_directories: ['*']\n")
	},
	"a link in place of .reconcile": func(c *clone) { c.plantLink(c.canary(""), ".reconcile") },
	"a generation in the project": func(c *clone) {
		c.plantGeneration(filepath.Join(c.author, "projects/x-0123456789ab/envs/local/g1"))
		c.plantEntry(".venv", "venv", "../projects/x-0123456789ab/envs/local/g1")
	},
	"a generation at an absolute path in the project": func(c *clone) {
		c.plantGeneration(filepath.Join(c.author, "projects/x-0123456789ab/envs/local/g1"))
		c.plantEntry(".venv", "venv", filepath.Join(c.root, "projects/x-0123456789ab/envs/local/g1"))
	},
	"a generation outside": func(c *clone) {
		c.plantGeneration(filepath.Join(c.top, "tmp/g1"))
		c.plantEntry(".venv", "venv", filepath.Join(c.top, "tmp/g1"))
	},
	"a generation of another project": func(c *clone) { c.plantEntry(".venv", "venv", c.otherGeneration()) },
	"a generation of another project, through this one": func(c *clone) {
		own := layout.Environment(layout.State(c.store(""), c.root), "local")
		c.plantEntry(".venv", "venv", own+"/../../../"+filepath.Base(layout.State(c.store(""), filepath.Join(c.top, "other")))+"/envs/local/g1")
	},
	"a missing generation of this project": func(c *clone) {
		c.plantEntry(".venv", "venv", layout.Generation(layout.State(c.store(""), c.root), "local", "g1"))
	},
	"programs in place of the links": func(c *clone) {
		c.plantEntry(".venv", "venv", layout.Generation(layout.State(c.store(""), c.root), "local", "g1"))
		for _, name := range []string{"bin", "lib", "pyvenv.cfg"} {
			check(c.t, os.Remove(filepath.Join(c.author, ".venv", name)))
		}
		c.plantGeneration(filepath.Join(c.author, ".venv"))
	},
	"an environment of another program": func(c *clone) { c.plantGeneration(filepath.Join(c.author, ".venv")) },
	"a link in place of .venv":          func(c *clone) { c.plantLink(c.otherGeneration(), ".venv") },
	"a link to the project in place of .venv": func(c *clone) {
		c.plantGeneration(filepath.Join(c.author, "evil"))
		c.plantLink("evil", ".venv")
	},
	"a link in place of the data": func(c *clone) { c.plantLink(c.canary(""), "data") },
	"a link below .venv": func(c *clone) {
		c.plant(".venv/.gitignore", layout.IgnoreAll)
		c.plantLink(c.canary("known.txt"), ".venv/.reconcile-tmp-0123456789abcdef")
	},
	"programs and modules in the project": func(c *clone) {
		for _, name := range []string{"uv", "python", "python3", "python3.10", "pip", "conda", "git", "sh", "true", "bash", "nvidia-smi", "rsync", "ssh", "ldd", "ldconfig", "getconf", "hostname", "bin/uv", "bin/python3.10"} {
			c.plantProgram(name)
		}
		for _, name := range []string{"sitecustomize.py", "usercustomize.py", "json.py", "os.py", "encodings/__init__.py", "alpha/__init__.py", "alpha.py", "site-packages/x.py"} {
			c.plantModule(name)
		}
		c.plant("pyvenv.cfg", "home = .\n")
		for i, kv := range c.env {
			if path, ok := strings.CutPrefix(kv, "PATH="); ok {
				c.env[i] = "PATH=.:" + c.root + "::bin:" + path
			}
		}
	},
	"settings of other programs": func(c *clone) {
		for _, name := range []string{"uv.toml", ".uv.toml"} {
			c.plant(name, fmt.Sprintf("index-url = %q\ncache-dir = %q\n", c.spy.URL+"/simple", c.canary("empty")))
		}
		c.plant("pyproject.toml", fmt.Sprintf("[project]\nname = \"x\"\nversion = \"1\"\n[tool.uv]\nindex-url = %q\nfind-links = [%q]\n", c.spy.URL+"/simple", c.spy.URL+"/links"))
		for _, name := range []string{"pip.conf", ".pip/pip.conf", ".config/pip/pip.conf", "pip.ini"} {
			c.plant(name, "[global]\nindex-url = "+c.spy.URL+"/simple\n")
		}
		c.plant(".condarc", "channel_alias: "+c.spy.URL+"\n")
		c.plant(".netrc", "default login x password y\n")
		c.plant(".env", "RECONCILE_INDEX_URL="+c.spy.URL+"\nRECONCILE_STORE="+c.canary("empty")+"\n")
		c.plant(".python-version", "../../evil\n")
	},
	"templates through links": func(c *clone) {
		c.plant("manifest.yaml", strings.Replace(environmentManifest("alpha==1.0"), "environments:", "  - {path: stolen.txt, template: stolen.tmpl}\nenvironments:", 1))
		c.plantLink(c.canary("known.txt"), "templates/stolen.tmpl")
	},
	"a lock through a link": func(c *clone) {
		check(c.t, os.Remove(filepath.Join(c.author, "locks/pylock.local.toml")))
		c.plantLink(c.canary("known.txt"), "locks/pylock.local.toml")
	},
	"a lock with addresses of the author": func(c *clone) {
		file := filepath.Join(c.author, "locks/pylock.local.toml")
		text := string(must(os.ReadFile(file)))
		c.plant("locks/pylock.local.toml", strings.ReplaceAll(text, `path = "wheels/`, `url = "`+c.spy.URL+`/`))
	},
	"an interpreter of the author": func(c *clone) {
		c.plant("manifest.yaml", strings.Replace(environmentManifest("alpha==1.0"), `python: "3.10"`, `python: "3.9"`, 1)+
			fmt.Sprintf("interpreters:\n  - {version: 3.9.99, platform: %s, url: %q, sha256: %s}\n", platform(), c.spy.URL+"/python.tar.gz", strings.Repeat("a", 64)))
		c.env = slices.DeleteFunc(c.env, func(kv string) bool { return strings.HasPrefix(kv, "PYENV_ROOT=") })
	},
	"conda generations": func(c *clone) {
		c.plant("manifest.yaml", fmt.Sprintf(condaClone, strings.Replace(c.spy.URL, "http:", "https:", 1), platform()))
		c.plantGeneration(filepath.Join(c.author, "projects/x-0123456789ab/envs/remote/g1"))
		c.plantEntry(".conda/remote", "conda", "../../projects/x-0123456789ab/envs/remote/g1")
		c.plantEntry(".conda/local", "conda", c.otherGeneration())
		c.plantProgram(".conda/remote/etc2/conda/activate.d/x.sh")
		c.plantLink(c.canary("empty"), ".conda/pkgs")
	},
	"a conda environment of another program": func(c *clone) {
		c.plant("manifest.yaml", fmt.Sprintf(condaClone, strings.Replace(c.spy.URL, "http:", "https:", 1), platform()))
		c.plantGeneration(filepath.Join(c.author, ".conda/remote"))
		c.plant(".conda/remote/conda-meta/history", "")
	},
	"a smoke test of planted modules": func(c *clone) {
		c.plant("manifest.yaml", strings.Replace(environmentManifest("alpha==1.0"), "imports: [alpha]", "imports: [alpha, planted, data.planted]", 1))
		for _, name := range []string{"planted.py", "data/planted.py", "data/__init__.py", "locks/planted.py"} {
			c.plantModule(name)
		}
		c.env = append(c.env, "PYTHONPATH="+c.root)
	},
	"pipes": func(c *clone) {}, // git has none; they come with an archive
}

// condaClone is a manifest whose channel is a server of the author.
const condaClone = `version: 1
project: site
environments:
  remote:
    type: conda
    python: "3.10"
    match: {gpu: [none, nvidia]}
    lock: locks/pylock.remote.toml
    channels: ["%s/channel"]
    platforms: [%s]
    conda_packages: [{name: tiny, version: "1.0"}]
    packages: []
`

// plantPipes puts pipes in place of files, as an archive may bring them.
func (c *clone) plantPipes() {
	for _, name := range []string{".reconcile", ".venv", "locks/pylock.local.toml", "data"} {
		check(c.t, os.RemoveAll(c.path(name)))
		check(c.t, unix.Mkfifo(c.path(name), 0o644))
	}
}

// TestHostileClones runs every command in clones of hostile repositories, and then
// `apply -y`: no planted program runs, nothing outside of the project and the store is
// written, and nothing is sent to the author.
func TestHostileClones(t *testing.T) {
	t.Parallel()
	for what, plant := range hostileClones {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newClone(t, newMirror(t, cloneWheel()).indexURL())
			c.plantProgram("evil/python3.10")
			plant(c)
			c.clone()
			if what == "pipes" {
				c.plantPipes()
			}
			check(t, exec.Command("sh", c.path("evil/python3.10")).Run())
			check(t, os.Remove(c.marker)) // planted programs leave it
			before := c.outside()
			env := "local"
			if strings.Contains(what, "conda") {
				env = "remote"
			}
			for _, words := range cloneCommands {
				if words[0] == "lock" && env == "remote" {
					continue // it asks the channels of the manifest, without a password
				}
				if words[0] == "lock" && !c.hasUV {
					t.Log("lock is not tried: uv cannot be installed, because no package index can be reached")
					continue
				}
				c.check(withEnv(words, env)...)
			}
			checkSameTree(t, before, c.outside())
			if !strings.Contains(what, "link") && !strings.Contains(what, "interpreter") && what != "pipes" {
				c.want(0, "validate")
			}
			if python310() != "" && !strings.Contains(what, "lock") && !strings.Contains(what, "template") && !strings.Contains(what, "pipes") && !strings.Contains(what, "interpreter") && env == "local" {
				if strings.Contains(what, "smoke test") {
					if e := c.want(4, "apply", "-y"); !e.contains("planted") {
						t.Errorf("the message does not name the module: %s", e)
					}
				} else {
					c.apply()
				}
				c.checkSafe("apply -y")
				checkSameTree(t, before, c.outside())
			}
		})
	}
}

// TestLinkSwapDuringApply replaces a folder by a link out of the project and back, again and
// again, while files are written below it: nothing is ever written outside.
func TestLinkSwapDuringApply(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	outside := filepath.Join(filepath.Dir(s.root), "outside")
	check(t, os.Mkdir(outside, 0o755))
	var text strings.Builder
	text.WriteString("version: 1\nproject: site\nfiles:\n")
	for i := range 40 {
		fmt.Fprintf(&text, "  - {path: data/deep/%d.txt, content: \"x\\n\"}\n", i)
	}
	s.write("manifest.yaml", text.String())
	check(t, os.MkdirAll(s.path("real"), 0o755))
	check(t, os.Symlink(outside, s.path("link")))
	done, swaps := make(chan struct{}), 0
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for name := "real"; ; swaps++ {
			select {
			case <-done:
				return
			default:
			}
			_ = os.Rename(s.path("data"), s.path("real"))
			_ = os.Rename(s.path(name), s.path("data"))
			if name == "real" {
				name = "link"
				continue
			}
			_ = os.Rename(s.path("data"), s.path("link"))
			name = "real"
		}
	})
	for range 25 {
		if e := s.run("apply", "-y"); e.code < 0 || strings.Contains(e.err, "goroutine ") {
			t.Errorf("apply: %s", e)
		}
	}
	close(done)
	swapping.Wait()
	if swaps < 1000 {
		t.Skipf("only %d swaps: this machine is too busy", swaps)
	}
	if left := must(os.ReadDir(outside)); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
}
