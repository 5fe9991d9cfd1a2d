package probes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// TestMain lets the test binary be the helper, as main does.
func TestMain(m *testing.M) {
	if code, ok := RunHelper(os.Args[1:]); ok {
		os.Exit(code)
	}
	code := m.Run()
	os.RemoveAll(fakes.dir)
	os.Exit(code)
}

// fakes are the libraries that play NVML, each compiled once.
var fakes struct {
	sync.Mutex
	dir string
}

// nvml puts a library in the place of NVML: the one that a variant of
// testdata/nvml/fake.c makes.
func (w *world) nvml(variant string) {
	w.t.Helper()
	if !HasNVML {
		w.t.Skip("this build is without cgo and cannot ask NVML")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		w.t.Skip("no C compiler to make a fake of NVML with")
	}
	fakes.Lock()
	defer fakes.Unlock()
	if fakes.dir == "" {
		if fakes.dir, err = os.MkdirTemp("", "nvml"); err != nil {
			w.t.Fatal(err)
		}
	}
	lib := filepath.Join(fakes.dir, variant+".so")
	if !exists(lib) {
		out, err := exec.Command(cc, "-shared", "-fPIC", "-w", "-D"+variant, "-o", lib, "testdata/nvml/fake.c").CombinedOutput()
		if err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
	}
	b, err := os.ReadFile(lib)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(w.sys+"/usr/local/nvidia/lib64/libnvidia-ml.so.535.183.01", string(b))
	w.link("libnvidia-ml.so.535.183.01", w.sys+"/usr/local/nvidia/lib64/"+libraryName)
}

// helped returns a prober that has this test binary as its helper, and a library
// that plays along.
func (w *world) helped(mode string) *Prober {
	w.t.Helper()
	p := w.prober()
	p.Helper, p.driverExtra = os.Args[0], []string{"FAKE_NVML=" + mode}
	return p
}

func TestNVML(t *testing.T) {
	h100 := func(i int) facts.Device {
		return facts.Device{
			Index: i, Name: "NVIDIA H100 80GB HBM3", UUID: fmt.Sprint("GPU-", i+1), Bus: fmt.Sprintf("00000000:%02X:00.0", 0x19+i),
			Memory: 81559 << 20, Used: 4 << 20, Compute: "9.0", Processes: 3, MIG: "disabled",
		}
	}
	with := func(d facts.Device, change func(*facts.Device)) facts.Device {
		change(&d)
		return d
	}
	good := func(devices ...facts.Device) facts.Nvidia {
		return facts.Nvidia{State: facts.DriverOK, Source: "nvml", Driver: "535.183.01", Kernel: "535.183.01", CUDA: "12.2", Devices: devices}
	}
	refused := func(code int, reason string) facts.Nvidia {
		return facts.Nvidia{State: facts.DriverBroken, Source: "nvml", Driver: "535.183.01", Kernel: "535.183.01", Code: code, Reason: reason}
	}
	eight := good()
	for i := range 8 {
		eight.Devices = append(eight.Devices, with(h100(i), func(d *facts.Device) { d.MIG = "" }))
	}
	noCUDA := good(h100(0))
	noCUDA.CUDA, noCUDA.CUDAReason, noCUDA.NoLibcuda = "", "libcuda.so.1 was not found: in a container, the capability compute is needed", true
	old := good(facts.Device{Name: "NVIDIA H100 80GB HBM3", Memory: 81559 << 20, Used: 559 << 20, Processes: -1})
	old.CUDA, old.CUDAReason = "", "this driver is too old to say it"
	tests := []struct {
		mode, variant string
		want          facts.Nvidia
	}{
		{"one", "NEW", good(h100(0))},
		{"eight", "NEW", eight},
		{"none", "NEW", good()},
		{"mig", "NEW", good(with(h100(0), func(d *facts.Device) {
			d.Memory, d.Used, d.Processes, d.MIG = 0, 0, -1, "enabled"
			d.Slices = []facts.Slice{
				{Name: "3g.40gb", UUID: "MIG-100", Memory: 40320 << 20, Used: 4 << 20},
				{Name: "1g.10gb", UUID: "MIG-101", Memory: 9728 << 20},
			}
		}))},
		{"integrated", "NEW", good(with(h100(0), func(d *facts.Device) { d.Memory, d.Used = 0, 0 }))},
		{"nolibcuda", "NEW", noCUDA},
		{"lost", "NEW", good(h100(0), facts.Device{Index: 1, Processes: -1, Problem: "GPU is lost", Code: 15},
			with(h100(2), func(d *facts.Device) { d.Memory, d.Used, d.Problem, d.Code = 0, 0, "GPU is lost", 15 }))},
		// A question that is not answered takes nothing but its answer away.
		{"unsure", "NEW", good(with(h100(0), func(d *facts.Device) { d.Processes, d.MIG = -1, "" }))},
		{"reset", "NEW", good(with(h100(0), func(d *facts.Device) { d.Processes, d.Problem, d.Code = -1, "GPU requires reset", 16 }))},
		{"foreign", "NEW", good(facts.Device{Processes: -1, Problem: "Insufficient Permissions", Code: 4})},
		{"garbage", "NEW", good(with(h100(0), func(d *facts.Device) {
			d.Name, d.UUID, d.Bus, d.Memory, d.Used = "GeF[31morce", strings.Repeat("x", 96), "", 0, 0
		}))},
		{"chatter", "NEW", good(h100(0))},
		{"one", "OLD", old},
		{"one", "BARE", refused(13, "libnvidia-ml.so.1 has no function nvmlInit_v2")},
		{"init 9", "NEW", refused(9, "Driver Not Loaded")},
		{"init 18", "NEW", refused(18, "Driver/library version mismatch")},
		{"init 999", "NEW", refused(999, "Unknown Error")},
		{"init 77", "NEW", refused(77, "error 77 of NVML")},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.variant, func(t *testing.T) {
			w := newWorld(t)
			w.driver()
			w.nvml(tt.variant)
			w.smi("touch " + w.sys + "/started\n")
			got, reason := w.nvidia(w.helped(tt.mode))
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v (%s)\nwant %+v", got, reason, tt.want)
			}
			if exists(w.sys + "/started") {
				t.Error("nvidia-smi was started too")
			}
			noChildren(t)
		})
	}
}

// TestHostileNVML lets the library do to its process what it can. nvidia-smi then
// answers, unless the library hangs: nvidia-smi would hang in it too.
func TestHostileNVML(t *testing.T) {
	a, err := txtar.ParseFile("testdata/nvidia/rtx3090.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ mode, reason string }{
		{"segfault", "asking libnvidia-ml.so.1: exit status 2: SIGSEGV: segmentation violation"},
		{"exit", "asking libnvidia-ml.so.1 gave nothing that can be read"},
		{"sleep", ""},
		{"flood", ""},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			w := newWorld(t)
			w.driver()
			w.nvml("NEW")
			p := w.helped(tt.mode)
			if tt.reason == "" {
				p.deadline = time.Second
			}
			start := time.Now()
			n, reason := w.nvidia(p)
			if took := time.Since(start); took > p.deadline+2*time.Second {
				t.Errorf("took %v", took)
			}
			noChildren(t)
			if tt.reason == "" {
				if reason != "the NVIDIA driver gave no answer in 800ms" {
					t.Errorf("got %+v, %q", n, reason)
				}
				return
			}
			if n.State != facts.DriverBroken || n.Reason != tt.reason || len(n.Devices) != 1 {
				t.Errorf("got %+v, %q", n, reason)
			}
			w.recorded(a)
			if n, reason := w.nvidia(p); n.State != facts.DriverOK || n.Source != "nvidia-smi" || n.CUDA != "12.2" {
				t.Errorf("with nvidia-smi: %+v, %q", n, reason)
			}
			noChildren(t)
		})
	}
}

// TestHostileHelper needs no library: whatever a helper is, nvidia-smi answers.
func TestHostileHelper(t *testing.T) {
	a, err := txtar.ParseFile("testdata/nvidia/rtx3090.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"lacks a symbol":       "echo 'reconcile: symbol lookup error: undefined symbol: nvmlInit_v2' >&2; exit 127",
		"finds no library":     `echo '{"state":"broken","code":12,"source":"nvml","reason":"cannot open shared object file"}'`,
		"says nothing":         "",
		"says what it may not": `echo '{"state":"none","source":"nvml"}'`,
		"says it twice":        `echo '{"state":"ok","source":"nvml"}{"state":"ok","source":"nvml"}'`,
		"is killed":            "kill -9 $$",
		"floods":               "yes | head -c 10000000",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.driver()
			w.recorded(a)
			w.put(w.sys+"/helper", "#!/bin/sh\n"+script+"\n")
			p := w.prober()
			p.Helper = w.sys + "/helper"
			if n, reason := w.nvidia(p); n.State != facts.DriverOK || n.Source != "nvidia-smi" || n.CUDA != "12.2" {
				t.Errorf("got %+v, %q", n, reason)
			}
			noChildren(t)
		})
	}
}

// A library that is nowhere is told apart from one that does not answer.
func TestNoLibrary(t *testing.T) {
	if !HasNVML {
		t.Skip("this build is without cgo and cannot ask NVML")
	}
	w := newWorld(t)
	w.driver()
	n, reason := w.nvidia(w.helped(""))
	if n.Source == sourceNVML {
		t.Skip("there is an NVIDIA driver on this machine")
	}
	if n.State != facts.DriverBroken || !strings.HasPrefix(n.Reason, "its libraries are not installed") || n.Source != "/proc/driver/nvidia" {
		t.Errorf("got %+v, %q", n, reason)
	}
}

// A process that cannot be ended gets no second one beside it.
func TestStuckDriverIsNotAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.driver()
	w.smi("touch " + w.sys + "/started\n")
	p := w.prober()
	p.driverStuck.Store(true)
	if n, reason := w.nvidia(p); n.State != "" || !strings.Contains(reason, "cannot be ended") || exists(w.sys+"/started") {
		t.Errorf("got %+v, %q", n, reason)
	}
}

func TestHelpIsForTheHelper(t *testing.T) {
	for _, args := range [][]string{nil, {"plan"}, {helperWord, "plan"}, {"--json", helperWord}} {
		if _, ok := RunHelper(args); ok {
			t.Errorf("%q is taken for the helper", args)
		}
	}
}

func FuzzParseHelper(f *testing.F) {
	f.Add([]byte(`{"state":"ok","source":"nvml","devices":[{"index":0,"name":"X","memory":-1,"slices":[{"name":"\u001b"}]}]}`))
	f.Add([]byte(`{"state":"none","source":"nvml"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseHelper(b)
		if tidy(&n); err == nil && n.State != facts.DriverOK && n.State != facts.DriverBroken {
			t.Errorf("%+v", n)
		}
	})
}

// BenchmarkNVML is one question to a library that answers at once: the price of a
// process of our own.
func BenchmarkNVML(b *testing.B) {
	w := newWorld(b)
	w.driver()
	w.nvml("NEW")
	p := w.helped("eight")
	for b.Loop() {
		if n, err := p.nvidia(b.Context()); err != nil || len(n.Devices) != 8 {
			b.Fatal(n, err)
		}
	}
}
