package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/outputschema"
)

// anyCode allows any exit code, for commands whose result depends on the machine.
const anyCode = -1

// TestOutputsMatchTheirSchemas checks the output of each command that has a published schema, on
// a project that is planned, applied, changed and applied again.
func TestOutputsMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	schemas := map[string]*outputschema.Checker{}
	check := func(name string, doc []byte) {
		t.Helper()
		if schemas[name] == nil {
			schemas[name] = outputschema.Load(t, name)
		}
		schemas[name].Check(t, doc)
	}
	print := func(want int, args ...string) []byte {
		t.Helper()
		var out, messages bytes.Buffer
		if code := Main(append([]string{"-C", root, "--json"}, args...), Streams{nil, &out, &messages}, []string{"RECONCILE_STORE=" + os.Getenv("RECONCILE_STORE")}); code != want && want != anyCode {
			t.Errorf("%q ends with %d, want %d\n%s%s", args, code, want, out.String(), messages.String())
		}
		return out.Bytes()
	}
	// apply prints the plan if there are no changes, otherwise events and the summary.
	apply := func(want int) {
		t.Helper()
		summaries := 0
		lines := bytes.Split(bytes.TrimSpace(print(want, "apply", "-y")), []byte("\n"))
		for _, line := range lines {
			name := "events"
			if outputschema.Kind(t, line) == "summary" {
				name = "summary"
				summaries++
			}
			check(name, line)
		}
		if summaries != 1 || len(lines) < 3 {
			t.Errorf("%d lines with %d summaries", len(lines), summaries)
		}
	}
	write("manifest.yaml", "version: 1\nproject: schemas\ndirectories:\n  data: {path: data}\nstorage: {path: ., budget: [{item: raw, size: 1MB-2MB}]}\nfiles:\n  - {path: data/a.txt, content: \"hello\\n\"}\n")
	check("plan", print(exit.Done, "plan"))
	check("status", print(exit.Differs, "status"))
	check("runs", print(exit.Done, "runs"))
	apply(exit.Done)
	check("plan", print(exit.Done, "plan"))
	check("plan", print(exit.Done, "apply", "-y"))
	write("data/a.txt", "changed\n")
	check("plan", print(exit.Differs, "plan", "--detailed-exitcode"))
	check("status", print(exit.Differs, "status"))
	apply(exit.Done)
	check("runs", print(exit.Done, "runs"))
	check("summary", print(exit.Done, "runs", "show"))
	here := print(exit.Done, "facts", "--all")
	check("facts", here)
	write("here.json", string(here))
	check("compare", print(exit.Done, "compare", ".", "here.json"))
	check("graph", print(exit.Done, "graph"))
	check("doctor", print(anyCode, "doctor", "--offline"))
	check("problems", print(exit.WrongUsage, "plan", "extra"))
	write("manifest.yaml", "version: 1\nproject: [schemas\n")
	check("problems", print(exit.Error, "plan"))
}
