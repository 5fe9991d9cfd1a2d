package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// The pin that the benchmark of the next generation changes and restores.
const pinned, changed = "{name: jsonlines, version: 4.0.0}", "{name: jsonlines, version: 3.1.0}"

// A site is a copy of the project with environment local, its store, and the cache of a uv
// that has installed the same wheels from the same index.
type site struct {
	b     *testing.B
	ours  string
	uv    string
	dir   string // of everything
	root  string // of the project, links resolved
	store string
	names int // given so far, to files moved aside and to projects
}

// newSite builds the environment once with either program, so that everything is cached.
func newSite(b *testing.B) *site {
	b.Helper()
	dir, err := filepath.EvalSymlinks(b.TempDir())
	check(b, err)
	s := &site{b: b, ours: build(b, module+"/cmd/reconcile"), dir: dir, store: filepath.Join(dir, "store")}
	b.Setenv("RECONCILE_STORE", s.store)
	s.root = s.project()
	if out, err := s.command(s.root, s.ours, "--env", "local", "apply", "-y").CombinedOutput(); err != nil {
		b.Skipf("environment local cannot be built here: %v\n%s", err, out)
	}
	if s.uv, err = exec.LookPath("uv"); err != nil {
		b.Skip("there is no uv on PATH to compare with")
	}
	s.run(s.root, s.fresh("", "")...)
	return s
}

// project makes another copy of the project, and returns its directory.
func (s *site) project() string {
	s.names++
	root := filepath.Join(s.dir, fmt.Sprint("project-", s.names))
	check(s.b, os.Mkdir(root, 0o755))
	for _, name := range []string{"manifest.yaml", "locks", "templates"} {
		s.run("..", "cp", "-a", name, filepath.Join(root, name))
	}
	return root
}

func (s *site) command(dir string, words ...string) *exec.Cmd {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	return cmd
}

func (s *site) run(dir string, words ...string) {
	s.b.Helper()
	if out, err := s.command(dir, words...).CombinedOutput(); err != nil {
		s.b.Fatalf("%v: %v\n%s", words, err, out)
	}
}

// moveAway moves the files of a pattern below the site away. Deleting them would make ext4
// slow for a while.
func (s *site) moveAway(pattern string) {
	found, err := filepath.Glob(filepath.Join(s.dir, pattern))
	check(s.b, err)
	for _, name := range found {
		s.names++
		check(s.b, os.Rename(name, filepath.Join(s.dir, fmt.Sprint("aside-", s.names))))
	}
}

// imports are the modules of the smoke test of environment local.
func (s *site) imports() string {
	text, err := os.ReadFile(filepath.Join(s.root, "manifest.yaml"))
	check(s.b, err)
	_, list, _ := strings.Cut(string(text), "imports: [")
	list, _, _ = strings.Cut(list, "]")
	return list
}

// fresh returns the command with which uv installs the locked wheels into a new environment
// from its cache, and then a first program imports modules.
func (s *site) fresh(flags, imports string) []string {
	l, err := lock.Read(os.DirFS(s.root), "locks/pylock.local.toml")
	check(s.b, err)
	dists, err := l.For("linux-x86_64")
	if err != nil {
		s.b.Skip(err)
	}
	requirements := filepath.Join(s.dir, "requirements.txt")
	check(s.b, os.WriteFile(requirements, []byte(hashedRequirements(dists)), 0o644))
	generation, err := os.Readlink(filepath.Join(s.root, ".venv", layout.GenerationLink))
	check(s.b, err)
	base, err := filepath.EvalSymlinks(filepath.Join(generation, "bin/python"))
	check(s.b, err)
	const script = `"$1" venv -q --no-config --no-project --cache-dir "$2/uv-cache" --python "$3" "$2/fresh"
"$1" pip install -q --no-config --cache-dir "$2/uv-cache" --python "$2/fresh/bin/python" --no-deps --require-hashes -r "$4" $5
[ -z "$6" ] || "$2/fresh/bin/python" -I -c "import $6"`
	return []string{"sh", "-ec", script, "sh", s.uv, s.dir, base, requirements, flags, imports}
}

// hashedRequirements returns a requirements file for uv with exact versions and hashes.
func hashedRequirements(dists []lock.Dist) string {
	var b strings.Builder
	for _, d := range dists {
		b.WriteString(d.Name + "==" + d.Version)
		for _, h := range d.Hashes() {
			b.WriteString(" \\\n    --hash=sha256:" + h)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// withoutTest returns a manifest of a project without its smoke test.
func (s *site) withoutTest(root string) {
	name := filepath.Join(root, "manifest.yaml")
	text, err := os.ReadFile(name)
	check(s.b, err)
	kept := strings.Replace(string(text), "imports: ["+s.imports()+"]", "imports: []", 1)
	check(s.b, os.WriteFile(name, []byte(kept), 0o644))
}

// apply returns an apply in a project that has the given state of the site before each run.
func (s *site) apply(root *string, reset func()) program {
	return program{[]string{"sh", "-c", "cd " + filepath.Join(s.dir, "current") + " && exec \"$@\"", "sh", s.ours, "--env", "local", "apply", "-y"}, s.dir, func() {
		reset()
		link := filepath.Join(s.dir, "current")
		_ = os.Remove(link)
		check(s.b, os.Symlink(*root, link))
	}}
}

// BenchmarkEnvironment measures applies of environment local whose wheels are in the store,
// against uv, which installs the same wheels from its cache into a new environment:
//
//   - first: no bytecode is in the store. Both then import the modules of the smoke test for
//     the first time; with uv, Python writes their bytecode meanwhile.
//   - second: another project of the user has built the same environment.
//   - second-untested: the same without a smoke test, and without imports.
func BenchmarkEnvironment(b *testing.B) {
	s := newSite(b)
	imports := s.imports()
	away := func() { s.moveAway("fresh") }
	var root string
	bare := func(flags, imports string) program { return program{s.fresh(flags, imports), s.dir, away} }
	b.Run("first", func(b *testing.B) {
		pair(b, s.apply(&root, func() {
			s.moveAway("store/dists/*/bytecode")
			root = s.project()
		}), bare("--offline", imports))
	})
	b.Run("second", func(b *testing.B) {
		pair(b, s.apply(&root, func() { root = s.project() }), bare("--offline", imports))
	})
	b.Run("second-untested", func(b *testing.B) {
		pair(b, s.apply(&root, func() {
			root = s.project()
			s.withoutTest(root)
		}), bare("--offline", ""))
	})
}

// BenchmarkNextGeneration measures an apply after one pin has changed, with the wheels of both
// versions in the store, against uv, which installs the same wheels from its cache into a
// new environment and imports the same modules.
func BenchmarkNextGeneration(b *testing.B) {
	s := newSite(b)
	files := [2]string{"manifest.yaml", "locks/pylock.local.toml"}
	var texts [2][2]string
	read := func() (t [2]string) {
		for i, name := range files {
			text, err := os.ReadFile(filepath.Join(s.root, name))
			check(b, err)
			t[i] = string(text)
		}
		return t
	}
	write := func(t [2]string) {
		for i, name := range files {
			check(b, os.WriteFile(filepath.Join(s.root, name), []byte(t[i]), 0o644))
		}
	}
	texts[0] = read()
	other := strings.Replace(texts[0][0], pinned, changed, 1)
	if other == texts[0][0] {
		b.Skipf("the manifest does not pin %s any more", pinned)
	}
	write([2]string{other, texts[0][1]})
	if out, err := s.command(s.root, s.ours, "--env", "local", "lock").CombinedOutput(); err != nil {
		b.Skipf("the other version cannot be locked: %v\n%s", err, out)
	}
	texts[1] = read()
	s.run(s.root, s.ours, "--env", "local", "apply", "-y")
	current := 1
	next := s.apply(&s.root, func() {
		current = 1 - current
		write(texts[current])
		active, err := os.Readlink(filepath.Join(s.root, ".venv", layout.GenerationLink))
		check(b, err)
		generations, err := filepath.Glob(filepath.Join(filepath.Dir(active), "*"))
		check(b, err)
		for _, g := range generations {
			if g != active {
				s.names++
				check(b, os.Rename(g, filepath.Join(s.dir, fmt.Sprint("aside-", s.names))))
			}
		}
	})
	pair(b, next, program{s.fresh("--offline", s.imports()), s.dir, func() { s.moveAway("fresh") }})
}

// BenchmarkRollback measures a rollback from one generation to the other.
func BenchmarkRollback(b *testing.B) {
	s := newSite(b)
	s.withoutTest(s.root)
	s.run(s.root, s.ours, "--env", "local", "apply", "-y")
	alone(b, program{words: []string{s.ours, "--env", "local", "rollback"}, dir: s.root})
}

// settledProject returns the root of the project, or skips the benchmark if its environment is
// not installed.
func settledProject(b *testing.B, ours string) string {
	b.Helper()
	root, err := filepath.Abs("..")
	check(b, err)
	if err := exec.Command(ours, "-C", root, "plan", "--detailed-exitcode").Run(); err != nil {
		b.Skipf("the project's environment is not installed or not settled (make apply): %v", err)
	}
	return root
}
