package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The pin that the benchmarks of generations change and restore.
const pinned, changed = "{name: jsonlines, version: 4.0.0}", "{name: jsonlines, version: 3.1.0}"

// A site is a copy of the project with its caches, in which the environment was built twice:
// with its pins, and with one pin changed.
type site struct {
	b       *testing.B
	ours    string
	dir     string
	texts   [2][2]string // manifest and lock of both versions
	current int          // the version in the files
	aside   int
}

// versioned are the files that differ between the two versions.
var versioned = [2]string{"manifest.yaml", "locks/pylock.local.toml"}

func newSite(b *testing.B) *site {
	b.Helper()
	s := &site{b: b, ours: build(b, module+"/cmd/reconcile"), dir: filepath.Join(b.TempDir(), "site")}
	root := settledProject(b, s.ours)
	check(b, os.MkdirAll(filepath.Join(s.dir, ".reconcile"), 0o700))
	for _, name := range []string{"manifest.yaml", "locks", "templates", ".reconcile/cache", ".reconcile/tools"} {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			s.run("cp", "-a", filepath.Join(root, name), filepath.Join(s.dir, name))
		}
	}
	s.texts[0] = s.read()
	other := strings.Replace(s.texts[0][0], pinned, changed, 1)
	if other == s.texts[0][0] {
		b.Skipf("the manifest does not pin %s any more", pinned)
	}
	s.write([2]string{other, s.texts[0][1]})
	if out, err := s.command(s.ours, "lock").CombinedOutput(); err != nil {
		b.Skipf("the other version cannot be locked: %v\n%s", err, out)
	}
	s.texts[1], s.current = s.read(), 1
	s.run(s.ours, "apply", "-y")
	s.switchVersion()
	s.run(s.ours, "apply", "-y")
	return s
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

func (s *site) command(words ...string) *exec.Cmd {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = s.dir
	return cmd
}

func (s *site) run(words ...string) {
	s.b.Helper()
	if out, err := s.command(words...).CombinedOutput(); err != nil {
		s.b.Fatalf("%v: %v\n%s", words, err, out)
	}
}

func (s *site) read() (texts [2]string) {
	for i, name := range versioned {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		check(s.b, err)
		texts[i] = string(text)
	}
	return texts
}

func (s *site) write(texts [2]string) {
	for i, name := range versioned {
		check(s.b, os.WriteFile(filepath.Join(s.dir, name), []byte(texts[i]), 0o644))
	}
}

// switchVersion writes the files of the other version.
func (s *site) switchVersion() {
	s.current = 1 - s.current
	s.write(s.texts[s.current])
}

// moveAway moves the files of a pattern below the site away, except for keep. Deleting them
// would make ext4 slow for a while.
func (s *site) moveAway(pattern, keep string) {
	found, err := filepath.Glob(filepath.Join(s.dir, pattern))
	check(s.b, err)
	for _, name := range found {
		if filepath.Base(name) == keep {
			continue
		}
		s.aside++
		check(s.b, os.Rename(name, filepath.Join(filepath.Dir(s.dir), fmt.Sprint("aside-", s.aside))))
	}
}

// uv returns the uv of the project.
func (s *site) uv() string {
	if own, _ := filepath.Glob(filepath.Join(s.dir, ".reconcile/tools/*/uv-*/bin/uv")); len(own) > 0 {
		return own[0]
	}
	uv, err := exec.LookPath("uv")
	if err != nil {
		s.b.Skip("there is no uv")
	}
	return uv
}

// BenchmarkNextGeneration measures an apply after one pin has changed, with both versions
// cached, against uv, which installs the same closure into an empty environment from the
// same cache: with the index; offline; and with bytecode and the same imports, as apply does.
// In addition, apply verifies every hash and syncs all files before it activates them.
func BenchmarkNextGeneration(b *testing.B) {
	s := newSite(b)
	uv := s.uv()
	active, err := filepath.EvalSymlinks(filepath.Join(s.dir, ".venv/generation"))
	check(b, err)
	base, err := filepath.EvalSymlinks(filepath.Join(active, "bin/python"))
	check(b, err)
	first, err := filepath.Glob(filepath.Join(filepath.Dir(active), "*/reconcile/requirements.txt"))
	check(b, err)
	var all string // the requirements of the first build, which reused nothing
	for _, name := range first {
		if text, err := os.ReadFile(name); err == nil && len(text) > len(all) {
			all = string(text)
		}
	}
	requirements := filepath.Join(filepath.Dir(s.dir), "requirements.txt")
	check(b, os.WriteFile(requirements, []byte(all), 0o644))
	const script = `"$1" venv -q --no-config --no-project --cache-dir "$2" --python "$3" fresh
"$1" pip install -q --no-config --cache-dir "$2" --python fresh/bin/python --no-deps --require-hashes -r "$4" $5
[ -z "$6" ] || fresh/bin/python -I -B -c "import $6"`
	next := program{[]string{s.ours, "apply", "-y"}, s.dir, func() {
		s.switchVersion()
		current, err := os.Readlink(filepath.Join(s.dir, ".venv/generation"))
		check(b, err)
		s.moveAway(".reconcile/*/envs/local/*", filepath.Base(current))
	}}
	_, imports, _ := strings.Cut(s.texts[0][0], "imports: [")
	imports, _, _ = strings.Cut(imports, "]")
	for _, bare := range []struct{ name, flags, imports string }{
		{"uv", "", ""}, {"uv-offline", "--offline", ""}, {"uv-compile-import", "--offline --compile-bytecode", imports},
	} {
		b.Run(bare.name, func(b *testing.B) {
			words := []string{"sh", "-ec", script, "sh", uv, filepath.Join(s.dir, ".reconcile/cache/uv"), base, requirements, bare.flags, bare.imports}
			pair(b, next, program{words, s.dir, func() { s.moveAway("fresh", "") }})
		})
	}
}

// BenchmarkRollback measures a rollback from one generation to the other.
func BenchmarkRollback(b *testing.B) {
	s := newSite(b)
	alone(b, program{words: []string{s.ours, "rollback"}, dir: s.dir})
}
