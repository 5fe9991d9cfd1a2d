package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/golden"
)

// TestDoctorOfRecordedMachines diagnoses machines that are not here, as text and, of
// one, as JSON.
func TestDoctorOfRecordedMachines(t *testing.T) {
	machines, err := filepath.Glob("testdata/doctor/*.json")
	if err != nil || len(machines) == 0 {
		t.Fatalf("no recorded machines: %v", err)
	}
	want := map[string]int{"h100": exit.Done, "driver-mismatch": exit.Blocked, "no-gpu": exit.Blocked, "shared": exit.Blocked}
	diagnose := func(t *testing.T, recorded, shown string, words ...string) {
		var out, messages bytes.Buffer
		words = append([]string{"-C", "testdata/doctor", "--env", "remote", "doctor", "--facts", filepath.Base(recorded)}, words...)
		code := run(words, streams{nil, &out, &messages}, nil)
		if name := strings.TrimSuffix(filepath.Base(recorded), ".json"); code != want[name] {
			t.Errorf("exit code %d, want %d\n%s", code, want[name], messages.String())
		}
		golden.Check(t, shown, out.Bytes())
	}
	for _, file := range machines {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) { diagnose(t, file, name+".txt") })
	}
	t.Run("json", func(t *testing.T) {
		diagnose(t, "testdata/doctor/driver-mismatch.json", "testdata/doctor/driver-mismatch.doc", "--json")
	})
}
