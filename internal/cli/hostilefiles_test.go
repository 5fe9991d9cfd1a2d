package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// Limits of each command on a hostile file.
const (
	maxHostileTime   = 2 * time.Second // of a machine that does nothing else
	maxHostileMemory = 256 << 20       // bytes
)

const tenGiB = "10 GiB without blocks"

// hostileFiles put something else in the place of a file: something that has no end, that
// blocks, or that cannot be read.
var hostileFiles = map[string]func(name string) error{
	"pipe":              func(name string) error { return unix.Mkfifo(name, 0o644) },
	"link to /dev/zero": func(name string) error { return os.Symlink("/dev/zero", name) },
	"link to /dev/tty":  func(name string) error { return os.Symlink("/dev/tty", name) },
	"directory":         func(name string) error { return os.Mkdir(name, 0o755) },
	tenGiB: func(name string) error {
		return errors.Join(os.WriteFile(name, nil, 0o644), os.Truncate(name, 10<<30))
	},
	"unreadable": func(name string) error { return os.WriteFile(name, []byte("x"), 0) },
}

// A readPlace is a file that commands read by its name.
type readPlace struct {
	name     string // absolute
	commands [][]string
	env      []string // additional variables
}

var (
	readHostileFacts   = [][]string{{"plan", "--env", "local"}, {"facts", "--all"}}
	readHostileProject = append(slices.Clone(readHostileFacts), []string{"validate"}, []string{"apply", "-y", "--target", "file.data/readme.txt"}, []string{"status", "--env", "local"})
	readHostileEnv     = append(slices.Clone(readHostileFacts), []string{"verify", "--env", "local"}, []string{"verify", "--deep", "--env", "local"}, []string{"generations", "--env", "local"}, []string{"gc", "--dry-run", "--env", "local"}, []string{"doctor", "--offline", "--env", "local"})
	readHostileState   = append(slices.Clone(readHostileFacts), []string{"apply", "-y", "--target", "file.data/readme.txt"}, []string{"runs"}, []string{"state", "list"}, []string{"undo", "-y"}, []string{"gc", "--dry-run", "--env", "local"})
	readHostileModels  = [][]string{{"plan", "--env", "local"}, {"models"}, {"models", "verify"}, {"facts", "--all"}}
	readHostileFolder  = [][]string{{"init", "--no-lock", "adopted"}}
)

// TestHostileFiles puts hostile files in the place of every file that commands read, and checks
// that each command ends soon, with little memory, and without a panic.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	for what, plant := range hostileFiles {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if what == "unreadable" && os.Geteuid() == 0 {
				t.Skip("root reads every file")
			}
			s := newReaderSite(t)
			for _, place := range s.readPlaces() {
				check(t, os.MkdirAll(filepath.Dir(place.name), 0o755))
				kept := place.name + ".kept"
				err := os.Rename(place.name, kept)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				check(t, plant(place.name))
				for _, words := range place.commands {
					if what == tenGiB && strings.Contains(place.name, "/blobs/") && words[0] == "models" {
						continue // it hashes the file, which takes long, but little memory, and can be interrupted
					}
					s.with(place.env...).runBounded(what+" at "+strings.TrimPrefix(place.name, filepath.Dir(s.root)), words)
				}
				check(t, os.RemoveAll(place.name))
				if err == nil {
					check(t, os.Rename(kept, place.name))
				}
			}
		})
	}
}

// runBounded runs a command, and checks its time and memory.
func (s *site) runBounded(where string, words []string) {
	s.t.Helper()
	if readme := s.path("data/readme.txt"); words[0] == "apply" {
		if info, err := os.Lstat(readme); err == nil && info.Mode().IsRegular() && info.Size() < 100 {
			check(s.t, os.Remove(readme)) // something to do
		}
	}
	if words[0] == "init" {
		check(s.t, os.RemoveAll(s.path("adopted/manifest.yaml")))
	}
	cmd := s.command(must(exec.LookPath("reconcile")), words...)
	p := s.startCommand(cmd)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		s.t.Errorf("%s: reconcile %v does not end", where, words)
		return
	}
	e := p.wait()
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	// The time of the processor, because other tests run at the same time.
	if spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); spent > maxHostileTime {
		s.t.Errorf("%s: reconcile %v uses the processor for %s", where, words, spent)
	}
	if memory := maxResident(usage); memory > maxHostileMemory && memory > inherited() {
		s.t.Errorf("%s: reconcile %v needs %d MiB of memory", where, words, memory>>20)
	}
	if e.code < 0 || strings.Contains(e.err, "goroutine ") {
		s.t.Errorf("%s: reconcile %v: %s", where, words, e)
	}
}

// newReaderSite returns a project with a state, a generation that contains nothing, a model and
// a folder for init. No interpreter and no package is installed.
func newReaderSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, "")
	s.env = slices.DeleteFunc(s.env, func(kv string) bool { return strings.HasPrefix(kv, "PIP_CONFIG_FILE=") })
	s.env = append(s.env, "RECONCILE_INDEX_URL=http://127.0.0.1:1/simple")
	s.write("templates/data.tmpl", "text\n")
	s.write("manifest.yaml", readerManifest())
	l := &lock.Lock{RequiresPython: ">=3.10,<3.11", Platforms: []string{platform()}}
	s.write("locks/pylock.local.toml", string(l.Encode()))
	if e := s.run("apply", "-y", "--target", "file.data/readme.txt"); e.code != 0 {
		t.Fatal(e)
	}
	s.write("facts.json", s.want(0, "facts", "--all").out)
	hubtest.New(t, s.path("models"), "o/n", readerRevision).Sharded(2, 100)
	generation := s.generation()
	for name, text := range map[string]string{
		"bin/python": "#!/bin/sh\n", "pyvenv.cfg": "home = /usr/bin\nversion = 3.10.13\n",
		layout.SitePackages("", "3.10") + "/x-1.0.dist-info/METADATA": "Name: x\nVersion: 1.0\n",
		layout.SitePackages("", "3.10") + "/x-1.0.dist-info/RECORD":   "x.py,,\n",
		layout.Launchers("") + "/python":                              "#!/bin/sh\n",
	} {
		writeFile(t, filepath.Join(generation, name), text)
	}
	seal := must(pyenv.EncodeSeal(pyenv.Seal{
		Python: "3.10.13", Prefix: generation, Packages: []facts.Package{{Name: "x", Version: "1.0"}}, Skeleton: must(pyenv.Skeleton(generation)),
	}))
	writeFile(t, layout.Seal(generation), string(seal))
	writeFile(t, layout.Stamps(generation), string(must(pyenv.TakeStamps(generation))))
	check(t, os.MkdirAll(s.path(".venv"), 0o755))
	check(t, os.Symlink(generation, s.path(".venv/"+layout.GenerationLink)))
	for _, l := range layout.EntryLinks("venv") {
		check(t, os.Symlink(l.Target, s.path(".venv/"+l.Name)))
	}
	return s
}

const readerRevision = "0123456789abcdef0123456789abcdef01234567"

func readerManifest() string {
	return fmt.Sprintf(`version: 1
project: site
directories:
  data: {path: data}
  models: {path: models}
files:
  - {path: data/readme.txt, template: data.tmpl}
models:
  - {repo: o/n, revision: %q}
environments:
  local:
    match: {gpu: [none, nvidia]}
    type: venv
    python: "3.10"
    path: .venv
    lock: locks/pylock.local.toml
    platforms: [%s]
    packages: []
`, readerRevision, platform())
}

// generation returns a generation of the environment local.
func (s *site) generation() string { return layout.Generation(s.stateDir(), "local", "0123456789ab") }

// readPlaces lists the files that commands read by name.
func (s *site) readPlaces() []readPlace {
	state, generation := s.stateDir(), s.generation()
	home := filepath.Join(filepath.Dir(s.root), "home")
	var list []readPlace
	add := func(commands [][]string, names ...string) {
		for _, n := range names {
			list = append(list, readPlace{name: n, commands: commands})
		}
	}
	add(readHostileProject, s.path("locks/pylock.local.toml"), s.path("data/readme.txt"))
	add(append(slices.Clone(readHostileProject), []string{"lock", "--env", "local"}), s.path("manifest.yaml"), s.path("templates/data.tmpl"))
	add(readHostileState, layout.Journal(state), layout.Lock(state), filepath.Join(layout.Kept(state), strings.Repeat("0", 64)), layout.ProjectFile(state), layout.Tested(state))
	for _, e := range must(os.ReadDir(layout.Runs(state))) {
		add(readHostileState, filepath.Join(layout.Runs(state), e.Name()))
	}
	site := layout.SitePackages(generation, "3.10")
	add(readHostileEnv, layout.Seal(generation), layout.Stamps(generation), layout.Launchers(generation)+"/python", generation+"/bin/python",
		generation+"/pyvenv.cfg", site+"/x-1.0.dist-info/METADATA", site+"/x-1.0.dist-info/RECORD", site+"/x-1.0.dist-info/direct_url.json", site+"/x.py",
		s.path(".venv/.gitignore"), s.path(".git"), s.path(".git/index"))
	add(readHostileModels, s.path("models/models--o--n/refs/main"), s.path("models/models--o--n/trees/"+readerRevision+".json"), layout.Digests(state))
	for _, n := range must(filepath.Glob(s.path("models/models--o--n/snapshots/*/*"))) {
		add(readHostileModels, n, must(filepath.EvalSymlinks(n)))
	}
	network := append(slices.Clone(readHostileFacts), []string{"doctor", "--env", "local"}, []string{"lock", "--env", "local"})
	add(network, filepath.Join(home, ".config/pip/pip.conf"), filepath.Join(home, ".config/reconcile/config.yaml"))
	list = append(list, readPlace{name: s.path("ca.pem"), commands: network, env: []string{"RECONCILE_CERT=" + s.path("ca.pem")}})
	for _, name := range []string{"requirements.txt", "environment.yml", "pyproject.toml", "setup.py", "setup.cfg", "uv.lock", ".python-version", ".gitignore"} {
		add(readHostileFolder, s.path("adopted/"+name))
	}
	add([][]string{{"plan", "--facts", "facts.json"}, {"compare", "facts.json", "facts.json"}}, s.path("facts.json"))
	add([][]string{{"apply", "-y", "saved.plan"}, {"plan", "--out", "saved.plan"}}, s.path("saved.plan"))
	return list
}

// maxResident returns the largest resident memory of a process in bytes.
func maxResident(usage *syscall.Rusage) int64 {
	if platform() == "macos-arm64" || platform() == "macos-x86_64" {
		return usage.Maxrss // bytes there
	}
	return usage.Maxrss << 10
}

// inherited returns a memory in bytes that any child of this process may report: the largest
// resident memory of a process includes that of its parent before it started the program.
func inherited() int64 {
	cmd := exec.Command("true")
	if cmd.Run() != nil {
		return 0
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return maxResident(usage) * 11 / 10
}
