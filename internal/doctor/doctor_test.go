package doctor

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// TestDoctorOfRecordedMachines compares the diagnosis of each recorded machine with its
// golden text; of one also the JSON.
func TestDoctorOfRecordedMachines(t *testing.T) {
	machines, err := filepath.Glob("testdata/*.json")
	if err != nil || len(machines) == 0 {
		t.Fatalf("no recorded machines: %v", err)
	}
	failures := map[string]int{"h100": 0, "driver-mismatch": 2, "no-gpu": 3, "shared": 1}
	for _, file := range machines {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			d, err := Run(t.Context(), &session.Config{Dir: "testdata", Environments: []string{"remote"}, Now: func() time.Time { return time.Date(2026, time.November, 30, 0, 0, 0, 0, time.UTC) }}, Options{FactsFile: name + ".json"})
			if err != nil {
				t.Fatal(err)
			}
			if n := d.Count(report.Fail); n != failures[name] {
				t.Errorf("%d failures, want %d", n, failures[name])
			}
			var text, doc bytes.Buffer
			if err := report.Doctor(&text, d, report.Options{Manifest: session.DefaultManifest}); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+name+".txt", text.Bytes())
			if name != "driver-mismatch" {
				return
			}
			if err := report.DoctorJSON(&doc, d); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+name+".doc", doc.Bytes())
		})
	}
}
