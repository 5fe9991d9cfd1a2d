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
)

// eachCache runs the script on each cache in one process, because starting Python takes
// longer than verifying.
const eachCache = `import runpy, sys
script, caches = sys.argv[1], sys.argv[2:]
for cache in caches:
    sys.argv = [script, "--all", "--manifest", "/nonexistent", "--cache", cache]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print("exit", end.code, flush=True)`

// TestScriptReachesTheSameVerdict runs scripts/verify_models.py on every case: it
// reports the models as intact that Verify does, and names each damaged file.
func TestScriptReachesTheSameVerdict(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	script, err := filepath.Abs("../../scripts/verify_models.py")
	must(t, err)
	args := []string{"-B", "-c", eachCache, script}
	var cases []*faultCase
	var pins []hub.Pin
	for i := range faultCases {
		p := &faultCases[i]
		if p.root && os.Geteuid() == 0 {
			continue // see TestFaultsAsOtherUser
		}
		cache := p.build(t)
		found, err := hub.Snapshots(cache)
		must(t, err)
		if i := slices.IndexFunc(found, func(pin hub.Pin) bool { return pin.Revision == revision }); i >= 0 && len(p.exclude) == 0 {
			cases, pins, args = append(cases, p), append(pins, found[i]), append(args, cache) // for the rest see TestScriptReadsTheManifest
		}
	}
	out, err := exec.Command(python, args...).CombinedOutput()
	must(t, err)
	answers := strings.SplitAfter(string(out), "\nexit ")
	if len(answers) != len(cases)+1 {
		t.Fatalf("%d answers for %d caches\n%s", len(answers)-1, len(cases), out)
	}
	for i, p := range cases {
		t.Run(p.name, func(t *testing.T) {
			models, err := hub.Verify(context.Background(), args[4+i], pins[i:i+1], hub.NewDigests(), hub.Options{})
			must(t, err)
			if code := strings.TrimSpace(answers[i+1][:2]); (code == "0") != models[0].IsVerified() {
				t.Errorf("exit code %s, and the model is intact: %v\n%s", code, models[0].IsVerified(), answers[i])
			}
			for _, f := range models[0].Faults {
				if name := f.File; !strings.Contains(answers[i], revision[:12]+": "+name) {
					t.Errorf("%q is not reported, want: %s\n%s", name, f.Description(), answers[i])
				}
			}
		})
	}
}

// TestScriptReadsTheManifest tests that with PyYAML the script verifies the models that the
// manifest pins: an absent model is reported, and excluded files are ignored.
func TestScriptReadsTheManifest(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import yaml").Run() != nil {
		t.Skip("no python3 with PyYAML on this machine")
	}
	script, err := filepath.Abs("../../scripts/verify_models.py")
	must(t, err)
	for _, p := range faultCases {
		if len(p.exclude) == 0 && p.state != facts.ModelAbsent && !strings.Contains(p.name, "list of the revision") {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			cache := p.build(t)
			manifest := filepath.Join(t.TempDir(), "manifest.yaml")
			must(t, os.WriteFile(manifest, fmt.Appendf(nil, "models:\n  - {repo: %s, revision: %s, exclude: [%s]}\n", repo, revision, quoted(p.exclude)), 0o644))
			cmd := exec.Command(python, script, "--manifest", manifest, "--cache", cache)
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

// TestScriptRefusesAManifest tests that a manifest that cannot be read is reported in one
// line that names it, without a traceback.
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
