package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/golden"
)

// TestRecordedMachines plans the project's own manifest for recorded machines. -update rewrites
// the plans. The facts of linux-a10g have no models, which is a warning and blocks nothing.
func TestRecordedMachines(t *testing.T) {
	machines, err := filepath.Glob("../../testdata/facts/*.json")
	if err != nil || len(machines) == 0 {
		t.Fatalf("no recorded machines: %v", err)
	}
	root, err := filepath.Abs("../..")
	check(t, err)
	want := map[string]int{
		"mac-m4-full":        exit.Blocked,
		"linux-driver-470":   exit.Blocked, // too old for CUDA 12
		"linux-driver-525":   exit.Blocked, // CUDA 12.0, and 12.1 is required
		"linux-h100-mig":     exit.Blocked, // a MIG slice is not the whole GPU
		"linux-mismatch":     exit.Blocked, // updated without a reboot
		"linux-no-driver":    exit.Blocked, // a GPU without a driver
		"linux-utility-only": exit.Blocked, // a container without libcuda
	}
	for _, file := range machines {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			var out, messages bytes.Buffer
			code := Main([]string{"-C", root, "plan", "--facts", filepath.Join("testdata", "facts", filepath.Base(file))}, Streams{nil, &out, &messages}, nil)
			if code != want[name] {
				t.Errorf("exit code %d, want %d\n%s", code, want[name], messages.String())
			}
			golden.Check(t, strings.TrimSuffix(file, ".json")+".plan", out.Bytes())
		})
	}
}

// TestRecordedMachinesWithoutNvidia plans an environment for CUDA on recorded machines without an
// NVIDIA GPU: their GPU is named, and no driver is proposed. A Mac is recorded without the fact of a
// driver.
func TestRecordedMachinesWithoutNvidia(t *testing.T) {
	root := must(filepath.Abs("../.."))
	for name, gpu := range map[string]string{"linux-mi300x": "8 x AMD Instinct MI300X OAM", "linux-intel-arc": "Intel Arc B580", "mac-m4": "Apple M4"} {
		var out, messages bytes.Buffer
		code := Main([]string{"-C", root, "plan", "--env", "remote", "--facts", "testdata/facts/" + name + ".json"}, Streams{nil, &out, &messages}, nil)
		text := out.String() + messages.String()
		if code != exit.Blocked {
			t.Errorf("%s: exit code %d\n%s", name, code, text)
		}
		for _, want := range []string{
			"cuda.remote: this machine has " + gpu + " and no NVIDIA GPU (cuda.no-nvidia)",
			"gpu.remote: no GPU is usable: this machine has " + gpu + " and no NVIDIA GPU (gpu.no-nvidia)",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
	}
}
