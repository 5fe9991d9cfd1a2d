package probes

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
)

const nvrm = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"

// driver adds the kernel module, its device files and one GPU in /proc.
func (m *fakeMachine) driver() {
	m.t.Helper()
	m.put(m.sys+"/proc/driver/nvidia/version", nvrm)
	for _, name := range []string{"nvidiactl", "nvidia-uvm", "nvidia0"} {
		m.put(m.sys+"/dev/"+name, "")
	}
	m.put(m.sys+"/proc/driver/nvidia/gpus/0000:c1:00.0/information", "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 132\nGPU UUID: \t GPU-6f1e2d3c\nBus Location: \t 0000:c1:00.0\n")
}

// card adds a card on the PCI bus.
func (m *fakeMachine) card() {
	m.t.Helper()
	m.pci("0000:01:00.0", "0x030000", "0x10de", "0x2330")
}

// smi installs a script as nvidia-smi.
func (m *fakeMachine) smi(script string) {
	m.t.Helper()
	m.put(m.sys+"/usr/bin/nvidia-smi", "#!/bin/sh\n"+script)
}

// replaySMI installs an nvidia-smi that prints the sections of an archive, and the kernel
// module if the archive has its version.
func (m *fakeMachine) replaySMI(a *txtar.Archive) {
	m.t.Helper()
	dir := filepath.Join(m.sys, "recorded")
	m.mkdir(dir)
	for _, f := range a.Files {
		m.put(filepath.Join(dir, f.Name), string(f.Data))
		if f.Name == "version" {
			m.driver()
			m.put(m.sys+"/proc/driver/nvidia/version", string(f.Data))
		}
	}
	m.smi("cd " + dir + `
code=0
[ ! -f exit ] || code=$(cat exit)
case "$1" in
--query-gpu=*)
	for f in $(cat unknown 2>/dev/null); do
		case "$1" in
		*$f*) printf 'Field "%s" is not a valid field to query.\n\n' "$f"; exit 2 ;;
		esac
	done
	cat table ;;
-L) cat list ;;
*) cat banner ;;
esac
exit $code
`)
}

// nvidia probes the driver and returns the fact or the reason.
func (m *fakeMachine) nvidia(p *Prober) (facts.Nvidia, string) {
	m.t.Helper()
	fact, reason, _ := p.Probe(context.Background(), []facts.Key{facts.NvidiaKey}).Lookup(facts.NvidiaKey)
	n, _ := fact.(facts.Nvidia)
	return n, reason
}

// TestSMI replays the nvidia-smi output in testdata/nvidia/*.txtar, whose formats are real
// and whose identities and loads are invented. The last section is the fact.
func TestSMI(t *testing.T) {
	files, _ := filepath.Glob("testdata/nvidia/*.txtar")
	if len(files) == 0 {
		t.Fatal("no recorded machines")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := newMachine(t)
			m.card()
			m.replaySMI(a)
			n, reason := m.nvidia(m.prober())
			if reason != "" {
				t.Fatal(reason)
			}
			b, err := json.MarshalIndent(n, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if a.Files[len(a.Files)-1].Name == "facts.json" {
				a.Files = a.Files[:len(a.Files)-1]
			}
			a.Files = append(a.Files, txtar.File{Name: "facts.json", Data: append(b, '\n')})
			golden.Check(t, file, txtar.Format(a))
		})
	}
}

// TestDeniedNodes requires a user other than root.
func TestDeniedNodes(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may open everything")
	}
	m := newMachine(t)
	m.driver()
	os.Chmod(m.sys+"/dev/nvidia-uvm", 0o444)
	n, reason := m.nvidia(m.prober())
	if want := []facts.Node{{Path: "/dev/nvidia-uvm", Reason: "permission denied", Denied: true}}; !slices.Equal(n.Nodes, want) {
		t.Errorf("nodes %v (%s)", n.Nodes, reason)
	}
}

// TestNvidiaByFiles covers the results that need no program.
func TestNvidiaByFiles(t *testing.T) {
	const noLibraries = "its libraries are not installed, or not visible: a container needs the capability utility"
	byProc := []facts.Device{{Name: "NVIDIA GeForce RTX 3090", UUID: "GPU-6f1e2d3c", Bus: "00000000:C1:00.0", Processes: -1}}
	tests := []struct {
		name string
		do   func(m *fakeMachine)
		want facts.Nvidia
	}{
		{"none", func(*fakeMachine) {}, facts.Nvidia{State: facts.NoDriver}},
		{"nvidia-smi without a driver or a card", func(m *fakeMachine) { m.smi("touch " + m.sys + "/started") }, facts.Nvidia{State: facts.NoDriver}},
		{"a card alone", (*fakeMachine).card, facts.Nvidia{
			State: facts.NoDriver, Reason: "an NVIDIA card (/sys/bus/pci/devices/0000:01:00.0) without an NVIDIA driver",
		}},
		{"a Mac", func(m *fakeMachine) { m.driver(); m.os, m.arch = "darwin", "arm64" }, facts.Nvidia{State: facts.NoDriver}},
		{"a module alone", (*fakeMachine).driver, facts.Nvidia{
			State: facts.DriverBroken, Reason: noLibraries, Source: "/proc/driver/nvidia", Kernel: "535.183.01", Devices: byProc,
		}},
		{"libraries alone", func(m *fakeMachine) {
			m.card()
			m.put(m.sys+"/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "")
		}, facts.Nvidia{
			State: facts.DriverBroken, Reason: "its libraries are installed, but its kernel module is not loaded",
			Source: "/sys/bus/pci/devices/0000:01:00.0",
		}},
		{"a library that this build cannot call", func(m *fakeMachine) {
			m.driver()
			m.put(m.sys+"/usr/lib64/libnvidia-ml.so.1", "")
		}, facts.Nvidia{
			State: facts.DriverBroken, Reason: "nvidia-smi was not found, and this build cannot call libnvidia-ml.so.1",
			Source: "/proc/driver/nvidia", Kernel: "535.183.01", Devices: byProc,
		}},
		{"nvidia-smi of the project", func(m *fakeMachine) {
			m.driver()
			m.put(m.root+"/bin/nvidia-smi", "#!/bin/sh\ntouch "+m.sys+"/started\n")
			m.link(m.root+"/bin/nvidia-smi", m.home+"/bin/nvidia-smi")
			m.environ = append(m.environ, "PATH=.:"+m.root+"/bin:"+m.home+"/bin")
		}, facts.Nvidia{
			State: facts.DriverBroken, Reason: noLibraries, Source: "/proc/driver/nvidia", Kernel: "535.183.01", Devices: byProc,
		}},
		{"WSL with a driver of another vendor", func(m *fakeMachine) { m.put(m.sys+"/dev/dxg", "") }, facts.Nvidia{State: facts.NoDriver}},
		{"WSL", func(m *fakeMachine) {
			m.put(m.sys+"/dev/dxg", "")
			m.put(m.sys+"/usr/lib/wsl/lib/libcuda.so.1", "")
		}, facts.Nvidia{State: facts.DriverBroken, Reason: noLibraries, Source: "/dev/dxg"}},
		{"device files alone", func(m *fakeMachine) { m.put(m.sys+"/dev/nvidiactl", "") }, facts.Nvidia{
			State: facts.DriverBroken, Reason: noLibraries, Source: "/dev/nvidiactl",
			Nodes: []facts.Node{{Path: "/dev/nvidia-uvm", Reason: "no such file or directory"}, {Path: "/dev/nvidia0", Reason: "no such file or directory"}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			if got, reason := m.nvidia(m.prober()); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v (%s)\nwant %+v", got, reason, tt.want)
			}
			if exists(m.sys + "/started") {
				t.Error("a program was started")
			}
		})
	}
}

func TestNodesAndVisibleDevices(t *testing.T) {
	m := newMachine(t)
	m.driver()
	a, err := txtar.ParseFile("testdata/nvidia/rtx3090.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m.replaySMI(a)
	m.environ = append(m.environ, "CUDA_VISIBLE_DEVICES=", "CUDA_DEVICE_ORDER=PCI_BUS_ID")
	for _, name := range []string{"nvidia-uvm", "nvidia0"} {
		if err := os.Remove(m.sys + "/dev/" + name); err != nil {
			t.Fatal(err)
		}
	}
	n, reason := m.nvidia(m.prober())
	const none = "no such file or directory"
	if want := []facts.Node{{Path: "/dev/nvidia-uvm", Reason: none}, {Path: "/dev/nvidia0", Reason: none}}; !slices.Equal(n.Nodes, want) {
		t.Errorf("nodes %v (%s)", n.Nodes, reason)
	}
	if n.Visible == nil || *n.Visible != "" || n.VisibleOrder != "PCI_BUS_ID" {
		t.Errorf("visible %v, order %q", n.Visible, n.VisibleOrder)
	}
	m.put(m.sys+"/dev/nvidia3", "") // the only GPU of a container
	m.put(m.sys+"/dev/nvidia-uvm", "")
	m.environ = m.environ[:len(m.environ)-2]
	if n, _ := m.nvidia(m.prober()); len(n.Nodes) > 0 || n.Visible != nil {
		t.Errorf("nodes %q, visible %v", n.Nodes, n.Visible)
	}
}

// TestHostileSMI runs misbehaving versions of nvidia-smi. There is a result in time, and no
// process is left.
func TestHostileSMI(t *testing.T) {
	broken := func(reason string, code int) func(facts.Nvidia, string) bool {
		return func(n facts.Nvidia, _ string) bool {
			return n.State == facts.DriverBroken && strings.HasPrefix(n.Reason, reason) && n.Code == code && n.Source == "nvidia-smi"
		}
	}
	unknown := func(n facts.Nvidia, reason string) bool {
		return n.State == "" && reason == "the NVIDIA driver did not answer in 1.2s"
	}
	const row = "0, X, GPU-1, 535.1, 1, 1, 8.6, [N/A], 00000000:01:00.0"
	for name, script := range map[string]string{
		"hangs":                   "sleep 60",
		"ignores signals":         "trap '' TERM INT HUP\nsleep 60 & wait\nsleep 60",
		"floods":                  "yes '0, a, b'",
		"hangs at the second GPU": `case "$1" in --*) echo '` + row + `'; sleep 60 ;; esac`,
	} {
		t.Run(name, func(t *testing.T) { hostileSMI(t, script, 1500*time.Millisecond, unknown) })
	}
	t.Run("hangs in its banner", func(t *testing.T) {
		script := `case "$1" in --*) echo '` + row + `' ;; *) sleep 60 ;; esac`
		hostileSMI(t, script, 1500*time.Millisecond, func(n facts.Nvidia, _ string) bool {
			return n.State == facts.DriverOK && len(n.Devices) == 1 && n.CUDA == "" && n.CUDAReason != ""
		})
	})
	tests := []struct {
		name, script string
		ok           func(n facts.Nvidia, reason string) bool
	}{
		{"floods and ends", "yes | head -c 50000000\necho '\n" + row + "'", func(n facts.Nvidia, _ string) bool {
			return n.State == facts.DriverOK && len(n.Devices) == 1 && n.CUDAReason == "nvidia-smi did not report it"
		}},
		{"prints nothing", "", broken("nvidia-smi printed no valid output", 0)},
		{"fails silently", "exit 3", broken("nvidia-smi: exit status 3", 0)},
		{"fails with another message", "echo 'it is\033[31m raining' >&2; exit 1", broken("nvidia-smi: exit status 1: it is[31m raining", 0)},
		{"crashes", "kill -SEGV $$", broken("nvidia-smi: ended by signal 11", 0)},
		{"lacks a symbol", "echo 'nvidia-smi: symbol lookup error: undefined symbol: x' >&2; exit 127", broken("nvidia-smi: exit status 127: nvidia-smi: symbol lookup error", 0)},
		{"lacks its library", `echo "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system."; exit 12`, broken("NVIDIA-SMI couldn't find libnvidia-ml.so", 12)},
		{"mismatch", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", broken("Driver/library version mismatch", 18)},
		{"unknown error", "echo 'Failed to initialize NVML: Unknown Error'; exit 255", broken("Unknown Error", 999)},
		{"new message, known code", "echo 'Failed to initialize NVML: Not today'; exit 17", broken("Not today", 17)},
		{"invalid text", `printf '0, \377\376GeForce\033[31m, GPU-\377, 535.1, 99999999999999999999, -5, 8.6, \000, 00000000:01:00.0\n\377\n1, a\n'`, func(n facts.Nvidia, _ string) bool {
			return n.State == facts.DriverOK && reflect.DeepEqual(n.Devices, []facts.Device{{Name: "GeForce[31m", UUID: "GPU-", Bus: "00000000:01:00.0", Compute: "8.6", Processes: -1}})
		}},
		{"rejects all fields", `echo 'Field "index" is not a valid field to query.'; exit 2`, broken(`nvidia-smi: exit status 2: Field "index" is not a valid`, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { hostileSMI(t, tt.script, deadline, tt.ok) })
	}
}

func hostileSMI(t *testing.T, script string, deadline time.Duration, ok func(n facts.Nvidia, reason string) bool) {
	m := newMachine(t)
	m.driver()
	m.smi(script + "\n")
	p := m.prober()
	p.deadline = deadline
	start := time.Now()
	n, reason := m.nvidia(p)
	if took := time.Since(start); took > p.deadline+2*time.Second {
		t.Errorf("took %v", took)
	}
	if !ok(n, reason) {
		t.Errorf("got %+v, %q", n, reason)
	}
	noChildren(t)
}

// noChildren fails if this process has children, including zombies.
func noChildren(t *testing.T) {
	t.Helper()
	var last []string
	for range 50 { // the group ends after its leader
		last = nil
		tasks, _ := filepath.Glob("/proc/self/task/*/children")
		for _, task := range tasks {
			b, _ := os.ReadFile(task)
			last = append(last, strings.Fields(string(b))...)
		}
		if last == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("processes %v remain", last)
}

func TestInterruptedDriver(t *testing.T) {
	m := newMachine(t)
	m.driver()
	m.smi("sleep 60\n")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, reason, _ := m.prober().Probe(ctx, []facts.Key{facts.NvidiaKey}).Lookup(facts.NvidiaKey)
	if reason != "interrupted" {
		t.Errorf("got %q", reason)
	}
	noChildren(t)
}

func TestParseLost(t *testing.T) {
	for _, place := range []string{"GPU 0000:0b:00.0", "GPU0000:0B:00.0", "GPU1: 0000:0B:00.0"} {
		d, ok := parseLost("Unable to determine the device handle for " + place + ": GPU is lost.  Reboot the system to recover this GPU")
		if want := (facts.Device{Index: -1, Bus: "00000000:0B:00.0", Processes: -1, Problem: "GPU is lost", Code: 15}); !ok || !reflect.DeepEqual(d, want) {
			t.Errorf("%s: %+v", place, d)
		}
	}
}

func TestBusID(t *testing.T) {
	for in, want := range map[string]string{"0000:c1:00.0": "00000000:C1:00.0", "00000000:01:00.0": "00000000:01:00.0", "01:00.0": "01:00.0", "": ""} {
		if got := busID(in); got != want {
			t.Errorf("busID(%q) = %q", in, got)
		}
	}
}

func FuzzParseSMI(f *testing.F) {
	addSections(f, "table")
	f.Fuzz(func(t *testing.T, b []byte) {
		devices, _ := parseSMI(b, smiFields())
		for i, d := range devices {
			if d.Memory < 0 || d.Used < 0 || d.Index < 0 || i > 0 && d.Index < devices[i-1].Index {
				t.Errorf("%+v", d)
			}
		}
		n := facts.Nvidia{Devices: devices}
		n.Reason, n.Code, n.Driver = parseError(b)
		sanitize(&n)
		if _, err := json.Marshal(n); err != nil {
			t.Error(err)
		}
		if again := n; !reflect.DeepEqual(n, func() facts.Nvidia { sanitize(&again); return again }()) {
			t.Errorf("%+v changes when sanitized again", n)
		}
		unknownField(b)
	})
}

func FuzzParseBanner(f *testing.F) {
	addSections(f, "banner")
	f.Fuzz(func(t *testing.T, b []byte) {
		found := parseBanner(b)
		if strings.Trim(found.cuda+found.driver, "0123456789.") != "" {
			t.Errorf("%+v", found)
		}
		for at, s := range found.slices {
			if at.gpu < 0 || at.mig < 0 || s.Memory <= 0 || s.Used < 0 {
				t.Errorf("%v: %+v", at, s)
			}
		}
	})
}

func FuzzParseList(f *testing.F) {
	addSections(f, "list")
	f.Fuzz(func(t *testing.T, b []byte) {
		for gpu, list := range parseList(b) {
			devices := []facts.Device{{Index: gpu, MIG: migEnabled}}
			addSlices(devices, map[int][]facts.Slice{gpu: list}, nil)
			for _, s := range devices[0].Slices {
				if gpu < 0 || s.Name == "" || s.Memory < 0 || s.Memory > 1e14 {
					t.Errorf("%d: %+v", gpu, s)
				}
			}
		}
		d := parseInformation(b)
		n := facts.Nvidia{Devices: []facts.Device{d}}
		sanitize(&n)
	})
}

// addSections seeds a fuzz test with one section of every recorded machine.
func addSections(f *testing.F, name string) {
	files, _ := filepath.Glob("testdata/nvidia/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range a.Files {
			if s.Name == name {
				f.Add(s.Data)
			}
		}
	}
}

// BenchmarkNoDriver measures the cost on a machine without an NVIDIA driver.
func BenchmarkNoDriver(b *testing.B) {
	p := newMachine(b).prober()
	for b.Loop() {
		if n, err := p.nvidia(b.Context()); err != nil || n.State != facts.NoDriver {
			b.Fatal(n, err)
		}
	}
}
