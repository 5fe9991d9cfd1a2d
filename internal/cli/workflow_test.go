package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// workflowFile plans on pull requests.
const workflowFile = "../../.github/workflows/plan.yml"

// A workflow is the part of the file that the tests read.
type workflow struct {
	On          map[string]any
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []struct{ Name, Uses, Run string }
	}
}

func readWorkflow(t *testing.T) (workflow, string) {
	t.Helper()
	text, err := os.ReadFile(workflowFile)
	check(t, err)
	var w workflow
	check(t, yaml.Unmarshal(text, &w))
	return w, string(text)
}

// script returns the script of a step by the beginning of its name.
func (w *workflow) script(t *testing.T, job, name string) string {
	t.Helper()
	for _, s := range w.Jobs[job].Steps {
		if strings.HasPrefix(s.Name, name) {
			return s.Run
		}
	}
	t.Fatalf("job %s has no step %q", job, name)
	return ""
}

// TestWorkflowIsSafe checks that the pull request of a stranger is harmless: actions are pinned to
// commits, the job that runs foreign code cannot write, the job that writes has no checkout, and
// no secret is used.
func TestWorkflowIsSafe(t *testing.T) {
	w, text := readWorkflow(t)
	if len(w.On) != 1 || strings.Contains(text, "pull_request_target") || strings.Contains(text, "secrets.") {
		t.Errorf("the workflow starts on %v, or uses secrets", w.On)
	}
	if _, ok := w.On["pull_request"]; !ok || len(w.Permissions) != 0 {
		t.Errorf("the workflow starts on %v with %v", w.On, w.Permissions)
	}
	if p := w.Jobs["plan"].Permissions; len(p) != 1 || p["contents"] != "read" {
		t.Errorf("foreign code runs with %v", p)
	}
	if p := w.Jobs["comment"].Permissions; len(p) != 1 || p["pull-requests"] != "write" {
		t.Errorf("comments are written with %v", p)
	}
	for name, job := range w.Jobs {
		for _, s := range job.Steps {
			if s.Uses != "" && !regexp.MustCompile(regexp.QuoteMeta(s.Uses)+` # v[0-9]+\.[0-9]+\.[0-9]+\n`).MatchString(text) {
				t.Errorf("%s uses %s without its version", name, s.Uses)
			}
			if s.Uses != "" && !regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`).MatchString(s.Uses) {
				t.Errorf("%s uses %s, which is not pinned to a commit", name, s.Uses)
			}
			if name == "comment" && strings.HasPrefix(s.Uses, "actions/checkout") {
				t.Error("the job that may write checks out the pull request")
			}
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s puts foreign text into a script: %s", name, s.Run)
			}
		}
	}
	if lint, err := exec.LookPath("actionlint"); err == nil {
		if out, err := exec.Command(lint, workflowFile).CombinedOutput(); err != nil {
			t.Errorf("actionlint: %v\n%s", err, out)
		}
	}
}

// TestWorkflowPlansAndComments runs both scripts like GitHub, with a gh that stores comments in
// files, and checks that the first run writes a comment for each machine, and the second one
// updates it.
func TestWorkflowPlansAndComments(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash on this machine")
	}
	if err := exec.Command("awk", "BEGIN { exit }").Run(); err != nil {
		t.Skip("no awk on this machine")
	}
	w, _ := readWorkflow(t)
	dir := t.TempDir()
	root := must(filepath.Abs("../.."))
	check(t, os.CopyFS(filepath.Join(dir, "testdata/facts"), os.DirFS(filepath.Join(root, "testdata/facts"))))
	for _, name := range []string{"locks", "templates"} {
		check(t, os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))))
	}
	check(t, os.WriteFile(filepath.Join(dir, "manifest.yaml"), must(os.ReadFile(filepath.Join(root, "manifest.yaml"))), 0o644))
	check(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	check(t, os.Symlink(must(exec.LookPath("reconcile")), filepath.Join(dir, "bin/reconcile")))
	check(t, os.WriteFile(filepath.Join(dir, "bin/gh"), []byte(fakeGH), 0o755))
	runScript := func(script string) {
		t.Helper()
		cmd := exec.Command(bash, "-e", "-c", script)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin", "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary.md"), "HOME=" + dir,
			"FACTS=testdata/facts", "MACHINES=mac-m4 linux-h100 linux-driver-470", "REPOSITORY=me/project", "NUMBER=7", "COMMENTS=" + dir,
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for round := range 2 {
		check(t, os.RemoveAll(filepath.Join(dir, "plans"))) // each run has its own machine
		runScript(w.script(t, "plan", "Plan for each"))
		runScript(w.script(t, "comment", "Write or update"))
		log := strings.Split(strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, "log"))))), "\n")
		if len(log) != 3*(round+1) {
			t.Fatalf("%d comments were written: %q", len(log), log)
		}
		for i, line := range log[3*round:] {
			want := []string{"POST 1", "POST 2", "POST 3", "PATCH 1", "PATCH 2", "PATCH 3"}[3*round+i]
			if line != want {
				t.Errorf("round %d: %q, want %q", round, line, want)
			}
		}
	}
	for i, machine := range []string{"linux-driver-470", "linux-h100", "mac-m4"} {
		text := string(must(os.ReadFile(filepath.Join(dir, fmt.Sprintf("comment-%d", i+1)))))
		if !strings.HasPrefix(text, "<!-- reconcile plan: "+machine+" -->\n### reconcile plan for <code>") || len(text) >= 65_536 {
			t.Errorf("comment %d of %d bytes is\n%.300s", i+1, len(text), text)
		}
	}
	if summary := string(must(os.ReadFile(filepath.Join(dir, "summary.md")))); strings.Count(summary, "### reconcile plan for") != 6 {
		t.Errorf("the summary does not have every plan:\n%.2000s", summary)
	}
}

// fakeGH implements the three gh calls of the workflow.
const fakeGH = `#!/bin/sh
for word; do case $word in PATCH|POST) method=$word;; */comments/*) id=${word##*/};; esac; done
case $method in
'') for file in "$COMMENTS"/comment-*; do
    test -e "$file" && printf '%s\t%s\n' "${file##*-}" "$(head -n 1 "$file")"
  done; exit 0;;
POST) id=$(($(ls "$COMMENTS" | grep -c '^comment-') + 1));;
esac
cp body "$COMMENTS/comment-$id"
echo "$method $id" >> "$COMMENTS/log"
`

// TestWorkflowInDocs checks that the copy in the documentation equals the file.
func TestWorkflowInDocs(t *testing.T) {
	_, text := readWorkflow(t)
	doc := string(must(os.ReadFile("../../docs/github-actions.md")))
	if !strings.Contains(doc, "```yaml\n"+text+"```\n") {
		t.Error("docs/github-actions.md does not have a copy of .github/workflows/plan.yml")
	}
}
