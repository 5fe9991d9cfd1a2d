//go:build failpoints

package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/state"
)

// coveredElsewhere lists the failpoints that no scenario here passes, with the reason.
var coveredElsewhere = map[string]string{
	failpoint.FetchStaged:     "a Python of 30 MB would be unpacked at every point; the kill test of internal/apply passes it with a small archive",
	"step.fetch.before":       "as fetch.staged",
	"step.fetch.after":        "as fetch.staged",
	"step.fetch_wheel.before": "the kill test of internal/apply passes it",
	"step.fetch_wheel.after":  "the kill test of internal/apply passes it",
	failpoint.PruneLocked:     "TestCrashStorePrune passes it",
	failpoint.PruneMoved:      "TestCrashStorePrune passes it",
	failpoint.PruneUnlocked:   "TestCrashStorePrune passes it",
	"step.build.before":       "TestCrashBuild passes it",
	"step.build.after":        "TestCrashBuild passes it",
	"step.move.before":        "TestCrashPrune passes it",
	"step.move.after":         "TestCrashPrune passes it",
}

// A scenario is a command that leads from one manifest to the next, and that is killed at every
// failpoint that it passes.
type scenario struct {
	name        string
	from, to    goal             // from is the zero goal if nothing was applied before
	crashBefore string           // the failpoint at which an earlier apply is killed, "" for none
	prepare     func(*crashTest) // called after the goal to was applied; nil if it is not applied
	killed      []string         // the arguments of the killed command; nil for apply
	repair      []string         // the arguments of the command that repairs it; nil for apply
}

// A goal is the variable part of a manifest.
type goal struct {
	alpha, beta string // versions in the environment
	text        string // of data/readme.txt
	target      string // of the link models
	mode        string // of data/run.sh
	compileAll  bool
}

var (
	firstGoal  = goal{alpha: "1.0", beta: "1.0", text: "first", target: "store/one", mode: "0644", compileAll: true}
	secondGoal = goal{alpha: "1.0", beta: "2.0", text: "second", target: "store/two", mode: "0755"}
)

var scenarios = []scenario{
	{name: "first", to: firstGoal},
	{name: "next", from: firstGoal, to: secondGoal},
	{name: "after a crash", from: firstGoal, to: secondGoal, crashBefore: "step.unpack.after:1"},
	{name: "rollback", from: firstGoal, to: secondGoal, prepare: func(*crashTest) {}, killed: []string{"rollback"}},
	{name: "gc", from: firstGoal, to: secondGoal, prepare: func(*crashTest) {}, killed: []string{"gc", "-y", "--keep", "0"}},
	{name: "heal", from: firstGoal, to: secondGoal, prepare: (*crashTest).corrupt, killed: []string{"heal", "-y"}, repair: []string{"heal", "-y"}},
}

// manifest returns the manifest of the goal: three directories, three files, a link, and an
// environment with two packages.
func (g goal) manifest() string {
	text := environmentManifest("alpha=="+g.alpha, "beta=="+g.beta)
	text = strings.Replace(text, "  data: {path: data}\n", "  data: {path: data}\n  adapters: {path: adapters/lora, mode: \"0750\"}\n  models: {path: models}\n", 1)
	text = strings.Replace(text, `"read me\n"`, fmt.Sprintf("%q", g.text), 1)
	text = strings.Replace(text, "environments:\n", fmt.Sprintf(`  - {path: data/run.sh, content: "run", mode: %q}
  - {path: configs/deep/train.yaml, content: %q}
environments:
`, g.mode, "goal: "+g.text+"\n"), 1)
	if g.compileAll {
		text = strings.Replace(text, "    match: ", "    compile: all\n    match: ", 1)
	}
	return strings.Replace(text, "    match: ", fmt.Sprintf("    directories: {models: {path: %s}}\n    match: ", g.target), 1)
}

// A crashTest is a project that is restored to the start of a scenario before each kill, always
// at the same path, because environments contain it.
type crashTest struct {
	*site
	scenario
	base string // of restore: the project at the start
}

// newCrashTest prepares the start of a scenario. Both locks are created and the cache of the
// installer is filled before, so that nothing is resolved or downloaded at a failpoint.
func newCrashTest(t *testing.T, sc scenario, x *mirror) *crashTest {
	t.Helper()
	b := &crashTest{site: newSite(t, x.indexURL()), scenario: sc}
	for _, g := range []goal{sc.to, sc.from} {
		if g != (goal{}) {
			b.writeGoal(g)
			b.want(0, "lock", "--env", "local")
			check(t, os.Rename(b.path("locks/pylock.local.toml"), b.path("lock."+g.text)))
		}
	}
	if sc.from != (goal{}) {
		b.writeGoal(sc.from)
		b.checkConverges()
	}
	b.writeGoal(sc.to)
	if sc.prepare != nil {
		b.checkConverges()
		sc.prepare(b)
	}
	b.base = b.saveBase()
	b.reset()
	return b
}

// writeGoal writes the manifest of a goal, and its lock if there is one.
func (b *crashTest) writeGoal(g goal) {
	b.t.Helper()
	b.write("manifest.yaml", g.manifest())
	if lock, err := os.ReadFile(b.path("lock." + g.text)); err == nil {
		b.write("locks/pylock.local.toml", string(lock))
	}
}

// corrupt changes an installed file in place and keeps its time, like a failing disk.
func (b *crashTest) corrupt() {
	b.t.Helper()
	name := b.path(".venv/lib/python3.10/site-packages/alpha/notes.txt")
	info, err := os.Stat(name)
	check(b.t, err)
	check(b.t, os.WriteFile(name, []byte("NOTES"), info.Mode()))
	check(b.t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	b.want(2, "verify", "--deep", "--env", "local")
}

// reset restores the start of the scenario.
func (b *crashTest) reset() {
	b.t.Helper()
	b.restore(b.base)
	if b.crashBefore != "" {
		b.runKilledAt(b.crashBefore, b.args(nil)...)
	}
}

// args returns the arguments of a command; nil is apply.
func (b *crashTest) args(run []string) []string {
	if run == nil {
		run = []string{"apply", "-y", "--jobs", b.jobs()}
	}
	return append([]string{"--env", "local"}, run...)
}

// jobs returns "2", so that files and the environment are created at the same time, or "1" if
// an earlier crash must always leave the same state.
func (b *crashTest) jobs() string {
	if b.crashBefore != "" {
		return "1"
	}
	return "2"
}

// checkContent checks that everything is as in one of the two goals; if complete is set, as in
// the second.
func (b *crashTest) checkContent(complete bool) {
	b.t.Helper()
	for name, content := range map[string]func(goal) string{
		"data/readme.txt":         func(g goal) string { return g.text },
		"data/run.sh":             func(goal) string { return "run" },
		"configs/deep/train.yaml": func(g goal) string { return "goal: " + g.text + "\n" },
	} {
		text, err := os.ReadFile(b.path(name))
		b.checkEither(complete, name, text, err, content)
	}
	target, err := os.Readlink(b.path("models"))
	b.checkEither(complete, "models", []byte(target), err, func(g goal) string { return g.target })
	b.checkEnvironment(complete)
}

// checkEither compares the content of a file with that of the goals.
func (b *crashTest) checkEither(complete bool, name string, got []byte, err error, content func(goal) string) {
	b.t.Helper()
	switch {
	case os.IsNotExist(err) && !complete && b.from == (goal{}):
	case err == nil && string(got) == content(b.to):
	case err == nil && !complete && b.from != (goal{}) && string(got) == content(b.from):
	default:
		b.t.Errorf("%s is neither old nor new: %q, %v", name, got, err)
	}
}

// versionsScript prints the versions in an environment: those of the metadata, and those of the
// modules.
const versionsScript = `
import importlib.metadata, sys
names = sorted(d.metadata["Name"] + " " + d.version for d in importlib.metadata.distributions())
import alpha, alpha.late, beta, beta.late
print(names, alpha.version, alpha.late.version, beta.version, beta.late.version)
`

// checkEnvironment checks that the active generation, if there is one, has exactly the packages
// of one goal.
func (b *crashTest) checkEnvironment(complete bool) {
	b.t.Helper()
	if _, err := os.Lstat(b.path(".venv/generation")); err != nil && !complete && b.from == (goal{}) {
		return
	}
	out, err := b.command(b.path(".venv/bin/python"), "-B", "-c", versionsScript).CombinedOutput()
	b.checkEither(complete, ".venv", out, err, func(g goal) string {
		return fmt.Sprintf("['alpha %[1]s', 'beta %[2]s'] %[1]s %[1]s %[2]s %[2]s\n", g.alpha, g.beta)
	})
}

// checkKillAt kills the command at one passage, and checks that nothing is incomplete, that the
// next apply reaches the goal, and that no change and no temporary file remains.
func (b *crashTest) checkKillAt(at string) {
	b.t.Helper()
	b.reset()
	b.runKilledAt(at, b.args(b.killed)...)
	b.checkContent(false)
	part, err := filepath.Glob(b.store("projects/*"))
	check(b.t, err)
	for _, dir := range part {
		if _, err := state.Read(layout.Journal(dir)); err != nil {
			b.t.Errorf("the journal: %v", err)
		}
	}
	b.want(0, append(b.args(b.scenario.repair), "--lock-timeout", "10s")...)
	if b.scenario.repair != nil {
		b.want(0, b.args(nil)...)
	}
	b.want(0, "plan", "--detailed-exitcode", "--env", "local")
	b.want(0, "verify", "--deep", "--env", "local")
	b.checkContent(true)
	b.checkNoTemporaries()
	for _, dir := range part {
		if s, err := state.Read(layout.Journal(dir)); err != nil || len(s.Pending()) > 0 {
			b.t.Errorf("the journal after the next apply: %v, %d items are pending", err, len(s.Pending()))
		}
	}
}

// TestCrash kills the command of each scenario at every passage of every failpoint.
func TestCrash(t *testing.T) {
	var wheels []wheel
	for _, name := range []string{"alpha", "beta"} {
		for _, v := range []string{"1.0", "2.0"} {
			wheels = append(wheels, wheel{name: name, version: v, files: map[string]string{
				name + "/late.py": fmt.Sprintf("version = %q\n", v), name + "/notes.txt": "notes",
			}})
		}
	}
	x := newMirror(t, wheels...)
	var mu sync.Mutex
	seen := map[string]bool{}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			b := newCrashTest(t, sc, x)
			all := b.passages(b.args(sc.killed)...)
			mu.Lock()
			maps.Copy(seen, failpoints(all))
			mu.Unlock()
			t.Logf("%d passages", len(all))
			workers := runtime.GOMAXPROCS(0)
			for w := range workers {
				t.Run(fmt.Sprint("worker ", w), func(t *testing.T) {
					t.Parallel()
					b := newCrashTest(t, sc, x)
					for i := w; i < len(all); i += workers {
						t.Run(all[i], func(t *testing.T) {
							here := *b
							own := *b.site
							own.t = t
							here.site = &own
							here.checkKillAt(all[i])
						})
					}
				})
			}
		})
	}
	for _, name := range failpoint.Names() {
		reason, known := coveredElsewhere[name]
		switch {
		case !seen[name] && !known:
			t.Errorf("no scenario passes %s", name)
		case seen[name] && known:
			t.Errorf("%s is passed here, though %q", name, reason)
		}
	}
	if t.Failed() {
		t.Logf("passed: %v", slices.Sorted(maps.Keys(seen)))
	}
}

// TestCrashConda kills apply at every passage of every failpoint while it builds and activates
// an environment of type conda: the first one, the next one, and the repair of a damaged one.
func TestCrashConda(t *testing.T) {
	for name, sc := range map[string]struct {
		from, to string
		before   func(*condaSite)
	}{
		"first": {"", "2.0", nil},
		"next":  {"1.0", "2.0", nil},
		"damaged": {"2.0", "2.0", func(c *condaSite) {
			check(c.t, os.Remove(c.path(".venv/generation/share/notes.txt")))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCondaSite(t, "project")
			if sc.from != "" {
				c.pinVersion(sc.from)
				c.checkConverges()
			}
			if sc.before != nil {
				sc.before(c)
			}
			c.pinVersion(sc.to)
			base := c.saveBase()
			all := c.passages("apply", "-y", "--env", "local")
			for _, at := range all {
				c.restore(base)
				c.runKilledAt(at, "apply", "-y", "--env", "local")
				c.checkActive(at, sc.from, sc.to)
				c.checkConverges()
				c.want(0, "verify", "--deep", "--env", "local")
				c.wantTiny(sc.to)
				if t.Failed() {
					t.Fatalf("after a kill at %s", at)
				}
			}
			points := failpoints(all)
			t.Logf("%d passages of %d points", len(all), len(points))
			for _, point := range []string{"step.run.after", "step.prove.after", "seal.verified", "seal.launchers", "seal.synced", "switch.renamed"} {
				if !points[point] {
					t.Errorf("%s was not passed", point)
				}
			}
		})
	}
}

// checkActive checks that the active generation after a kill, if there is one, has one of two
// versions and is complete.
func (c *condaSite) checkActive(at, from, to string) {
	c.t.Helper()
	if _, err := os.Lstat(c.path(".venv/generation")); err != nil && from == "" {
		return
	}
	out, err := c.command(c.path(".venv/bin/python"), "-B", "-c", "import tiny, tiny.late; print(tiny.version, tiny.late.version)").CombinedOutput()
	if got := string(out); err != nil || got != to+" "+to+"\n" && got != from+" "+from+"\n" {
		c.t.Errorf("after a kill at %s: %q, %v", at, got, err)
	}
}
