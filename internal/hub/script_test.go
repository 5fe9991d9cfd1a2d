package hub_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
)

// eachCache runs the script on one cache after the other in one process, since starting
// Python takes longer than verifying.
const eachCache = `import runpy, sys
script, caches = sys.argv[1], sys.argv[2:]
for cache in caches:
    sys.argv = [script, "-q", "--all", "--manifest", "/nonexistent", "--cache", cache, "-j", "2"]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print("exit", end.code, flush=True)`

// TestScriptFindsTheSame runs scripts/verify_models.py on every planted fault: it must
// find what Verify finds, in the same words, and exit with the same code.
func TestScriptFindsTheSame(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	script, err := filepath.Abs("../../scripts/verify_models.py")
	must(t, err)
	words := []string{"-B", "-c", eachCache, script}
	var cases []*planted
	var pins []hub.Pin
	for i := range table {
		p := &table[i]
		if p.root && os.Geteuid() == 0 {
			continue // see TestFaultsAsNobody
		}
		cache := p.build(t)
		found, err := hub.Snapshots(cache)
		must(t, err)
		if i := slices.IndexFunc(found, func(pin hub.Pin) bool { return pin.Revision == revision }); i >= 0 && len(p.exclude) == 0 {
			cases, pins, words = append(cases, p), append(pins, found[i]), append(words, cache) // for the rest see TestScriptReadsTheManifest
		}
	}
	out, err := exec.Command(python, words...).CombinedOutput()
	must(t, err)
	answers := strings.SplitAfter(string(out), "\nexit ")
	if len(answers) != len(cases)+1 {
		t.Fatalf("%d answers for %d caches\n%s", len(answers)-1, len(cases), out)
	}
	for i, p := range cases {
		t.Run(p.name, func(t *testing.T) {
			models, err := hub.Verify(context.Background(), words[4+i], pins[i:i+1], hub.NewDigests(), hub.Options{})
			must(t, err)
			models[0].Path = filepath.Join(words[4+i], hub.Folder(models[0].Repo))
			compare(t, models[0], answers[i], strings.TrimSpace(answers[i+1][:2]))
		})
	}
}

// compare holds what the script said against what Verify found.
func compare(t *testing.T, m facts.Model, said, code string) {
	t.Helper()
	if (code == "0") != m.IsVerified() {
		t.Errorf("exit code %s, and the model is intact: %v\n%s", code, m.IsVerified(), said)
	}
	found, want := faultsOf(said, revision), []string{}
	for _, f := range m.Faults {
		name := f.File
		if name == "" {
			name = f.Blob
		}
		want = append(want, strings.TrimSpace(name+" "+f.Words())+", to mend: "+model.Remedy(m, f))
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("the script says\n  %s\nand Verify\n  %s\n%s", strings.Join(found, "\n  "), strings.Join(want, "\n  "), said)
	}
}

// faultsOf returns the faults of one snapshot, each with what mends it.
func faultsOf(out, revision string) []string {
	var list []string
	mine := false
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "  ok    ") || strings.HasPrefix(line, "  fail  ") {
			mine = strings.Contains(line, revision[:12])
		}
		rest, ok := strings.CutPrefix(line, "        ")
		switch remedy, mends := strings.CutPrefix(rest, "  to mend: "); {
		case !ok || !mine:
		case mends && len(list) > 0:
			list[len(list)-1] += ", to mend: " + remedy
		case !mends:
			list = append(list, rest)
		}
	}
	return list
}

// TestScriptReadsTheManifest holds that with PyYAML the script verifies what the manifest
// pins: an absent model is told, and excluded files count for nothing.
func TestScriptReadsTheManifest(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import yaml").Run() != nil {
		t.Skip("no python3 with PyYAML on this machine")
	}
	script, err := filepath.Abs("../../scripts/verify_models.py")
	must(t, err)
	for _, p := range table {
		if len(p.exclude) == 0 && p.state != facts.ModelAbsent && !strings.Contains(p.name, "list of the revision") {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			cache := p.build(t)
			manifest := filepath.Join(t.TempDir(), "manifest.yaml")
			must(t, os.WriteFile(manifest, fmt.Appendf(nil, "models:\n  - {repo: %s, revision: %s, exclude: [%s]}\n", repo, revision, quoted(p.exclude)), 0o644))
			cmd := exec.Command(python, script, "-q", "--manifest", manifest, "--cache", cache)
			out, err := cmd.CombinedOutput()
			if err != nil && cmd.ProcessState.ExitCode() != 2 {
				t.Fatalf("%v\n%s", err, out)
			}
			if want := p.state == facts.ModelComplete; (cmd.ProcessState.ExitCode() == 0) != want || !strings.Contains(string(out), revision[:12]) {
				t.Errorf("exit code %d, want %s\n%s", cmd.ProcessState.ExitCode(), p.state, out)
			}
		})
	}
}

// TestScriptRefusesAManifest holds that a manifest that cannot be read ends the script
// with a line that names it, and not with where the script was.
func TestScriptRefusesAManifest(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import yaml").Run() != nil {
		t.Skip("no python3 with PyYAML on this machine")
	}
	for name, text := range map[string]string{"no YAML": "models: [\n", "no mapping": "- models\n", "no revision": "models: [{repo: a/b}]\n", "no models": "models: [a/b]\n", "no text": "models: \xff\n"} {
		manifest := filepath.Join(t.TempDir(), "manifest.yaml")
		must(t, os.WriteFile(manifest, []byte(text), 0o644))
		cmd := exec.Command(python, "../../scripts/verify_models.py", "--manifest", manifest, "--cache", t.TempDir())
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || strings.Count(string(out), "\n") != 1 || !strings.HasPrefix(string(out), "the models of "+manifest+" cannot be read: ") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func quoted(patterns []string) string {
	var list []string
	for _, p := range patterns {
		list = append(list, `"`+p+`"`)
	}
	return strings.Join(list, ", ")
}
