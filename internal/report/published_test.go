package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/outputschema"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// TestGoldensMatchTheirSchemas validates the JSON goldens and documents with hostile text.
func TestGoldensMatchTheirSchemas(t *testing.T) {
	for _, name := range []string{"plan", "status", "facts", "doctor", "compare", "graph", "runs", "problems", "summary", "reason", "store", "prune"} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		outputschema.Load(t, name).Check(t, text)
	}
	events := outputschema.Load(t, "events")
	text, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		events.Check(t, []byte(line))
	}
	var b bytes.Buffer
	if err := report.PlanJSON(&b, hostilePlan()); err != nil {
		t.Fatal(err)
	}
	outputschema.Load(t, "plan").Check(t, b.Bytes())
}

// TestRecordedFactsMatchTheirSchema validates the recorded machines.
func TestRecordedFactsMatchTheirSchema(t *testing.T) {
	machines, err := filepath.Glob("../../testdata/facts/*.json")
	if err != nil || len(machines) == 0 {
		t.Fatalf("no recorded machines: %v", err)
	}
	schema := outputschema.Load(t, "facts")
	for _, file := range machines {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		schema.Check(t, text)
	}
}
