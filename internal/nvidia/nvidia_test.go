package nvidia

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

var (
	small   = facts.Device{Index: 0, Name: "T4", UUID: "GPU-aaaa1111"}
	large   = facts.Device{Index: 1, Name: "H100", UUID: "GPU-aaaa2222"}
	other   = facts.Device{Index: 2, Name: "H100", UUID: "GPU-bbbb3333"}
	divided = facts.Device{Index: 0, Name: "H100", UUID: "GPU-cccc4444", MIG: "enabled", Slices: []facts.Slice{
		{Name: "3g.40gb", UUID: "MIG-1111"}, {Name: "1g.10gb", UUID: "MIG-2222"},
	}}
)

func TestVisibleUnits(t *testing.T) {
	mixed, same := []facts.Device{small, large, other}, []facts.Device{large, other}
	withSlices := []facts.Device{divided, other}
	for _, c := range []struct {
		name, visible, order string
		devices              []facts.Device
		want                 string // names; "?" and the number of visible units if ambiguous
	}{
		{"a set of all", "0,1,2", "", mixed, "T4 H100 H100"},
		{"an index in PCI order", "1", "PCI_BUS_ID", mixed, "H100"},
		{"an index in CUDA's order", "1", "", mixed, "T4 H100 H100 ?1"},
		{"an index among equals", "1", "", same, "H100"},
		{"none", "", "", mixed, ""},
		{"minus one", "-1", "", mixed, ""},
		{"up to the first that does not exist", "1,7,0", "PCI_BUS_ID", mixed, "H100"},
		{"the first does not exist", "7,0", "PCI_BUS_ID", mixed, ""},
		{"a word", "all", "", mixed, ""},
		{"repeated", "0,0", "PCI_BUS_ID", mixed, ""},
		{"repeated as index and UUID", "1,GPU-aaaa2,0", "PCI_BUS_ID", mixed, ""},
		{"repeated after the end", "1,-1,1", "PCI_BUS_ID", mixed, "H100"},
		{"a UUID", "GPU-aaaa1111", "", mixed, "T4"},
		{"a prefix of one UUID", "GPU-b, GPU-aaaa1", "", mixed, "H100 T4"},
		{"a prefix of two UUIDs", "GPU-aaaa", "", mixed, ""},
		{"a slice", "MIG-1", "", withSlices, "H100 MIG 3g.40gb"},
		{"an index of a GPU with slices", "0", "PCI_BUS_ID", withSlices, "H100 MIG 3g.40gb"},
		{"all", "0,1", "", withSlices, "H100 MIG 3g.40gb"},
		{"a GPU and then a slice", "GPU-bbbb,MIG-2", "", withSlices, "H100 MIG 1g.10gb"},
		{"a GPU beside one with slices", "GPU-bbbb", "", withSlices, "H100"},
		{"one of them, ambiguous", "1", "", withSlices, "H100 MIG 3g.40gb H100 MIG 1g.10gb H100 ?1"},
		{"no driver", "0", "", nil, ""},
	} {
		v := VisibleUnits(facts.Nvidia{Devices: c.devices, Visible: &c.visible, VisibleOrder: c.order})
		var names []string
		for _, u := range v.Units {
			names = append(names, u.Name)
		}
		got := strings.Join(names, " ")
		if v.Ambiguous() {
			got += " ?" + string(rune('0'+v.Count))
		}
		if got != c.want || v.Setting != "CUDA_VISIBLE_DEVICES="+strconv.Quote(c.visible) {
			t.Errorf("%s: %q shows %q, want %q", c.name, c.visible, got, c.want)
		}
	}
	empty := divided
	empty.Slices = nil
	if v := VisibleUnits(facts.Nvidia{Devices: []facts.Device{empty}}); len(v.Units) != 1 || v.Units[0].Problem != NoSlices {
		t.Errorf("a GPU with MIG and no slices: %+v", v)
	}
}

func TestInvalidVisibleDevices(t *testing.T) {
	for set, want := range map[string]string{"0": "", "": "", "0,-1,9": "", "NoDevFiles": "", "0,7": `no GPU "7"`, "0,0": `"0" repeats a GPU`} {
		if v := VisibleUnits(facts.Nvidia{Devices: []facts.Device{small}, Visible: &set}); !strings.Contains(v.Invalid, want) || (v.Invalid == "") != (want == "") {
			t.Errorf("%q: %q, want %q", set, v.Invalid, want)
		}
	}
}

// TestSlices checks the number of slices that one program sees with each driver.
func TestSlices(t *testing.T) {
	shared := facts.Device{Index: 1, Name: "A100", MIG: "enabled", Slices: []facts.Slice{{Name: "1c.3g.20gb"}, {Name: "2c.3g.20gb"}, {Name: "1g.5gb"}, {Name: "1g.5gb"}}}
	for _, c := range []struct {
		driver  string
		devices []facts.Device
		want    string
		all     int
	}{
		{"550.54.15", []facts.Device{divided, other}, "H100 MIG 3g.40gb", 3},
		{"550.54.15", []facts.Device{other, divided}, "H100 MIG 3g.40gb", 3},
		{"", []facts.Device{divided}, "H100 MIG 3g.40gb", 2},
		{"570.26", []facts.Device{divided, other}, "H100 MIG 3g.40gb H100 MIG 1g.10gb H100", 3},
		{"580.65.06", []facts.Device{shared, other}, "A100 MIG 1c.3g.20gb A100 MIG 1g.5gb A100 MIG 1g.5gb H100", 5},
		{"550.54.15", []facts.Device{small, other}, "T4 H100", 2},
	} {
		v := VisibleUnits(facts.Nvidia{Driver: c.driver, Devices: c.devices})
		var names []string
		for _, u := range v.Units {
			names = append(names, u.Name)
		}
		if got := strings.Join(names, " "); got != c.want || v.Count != len(names) || v.All != c.all || v.Named != c.all || (v.Note != "") != (v.Count < c.all) {
			t.Errorf("driver %s: %+v, want %q", c.driver, v, c.want)
		}
	}
}

// FuzzVisibleUnits checks that no setting shows a unit that does not exist.
func FuzzVisibleUnits(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "0,1", "GPU-", "MIG-1111", "GPU-a,0", "2147483648", "+1", " 1 "} {
		f.Add(s, "PCI_BUS_ID")
	}
	f.Fuzz(func(t *testing.T, visible, order string) {
		n := facts.Nvidia{Devices: []facts.Device{divided, small, large}}
		var all []Unit
		for _, d := range n.Devices {
			all = append(all, units(d)...)
		}
		n.Visible, n.VisibleOrder = &visible, order
		v := VisibleUnits(n)
		if v.Count > len(v.Units) || len(v.Units) > len(all) {
			t.Fatalf("%q shows %d of %d", visible, v.Count, len(all))
		}
		for _, u := range v.Units {
			if !slices.Contains(all, u) {
				t.Fatalf("%q shows %v", visible, u)
			}
		}
	})
}

func TestDriverTrouble(t *testing.T) {
	for _, c := range []struct {
		n             facts.Nvidia
		summary, hint string
	}{
		{facts.Nvidia{State: facts.NoDriver}, "no NVIDIA driver", "(530.30.02 or newer)"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 18, Reason: "Driver/library version mismatch"}, "still loaded", "reboot"},
		{facts.Nvidia{State: facts.DriverBroken, Reason: "Failed to initialize NVML: Driver/library version mismatch"}, "still loaded", "reboot"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 9, Reason: "Driver Not Loaded"}, "not loaded", "modprobe"},
		{facts.Nvidia{State: facts.DriverBroken, Reason: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver"}, "not loaded", "modprobe"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 12, Reason: "NVML Shared Library Not Found"}, "library", "install"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 4, Reason: "Insufficient Permissions"}, "this user", "group"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 17, Reason: "blocked"}, "denies this process", "--gpus"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 15, Reason: "GPU is lost"}, "bus", "reboot"},
		{facts.Nvidia{State: facts.DriverBroken, Code: 16, Reason: "GPU requires reset"}, "has to be reset", "--gpu-reset"},
		{facts.Nvidia{State: facts.DriverBroken}, "no reason given", "nvidia-smi"},
		{facts.Nvidia{}, "no reason given", "nvidia-smi"},
	} {
		b := driverTrouble(c.n, "530.30.02")
		if b == nil || !strings.Contains(b.Summary, c.summary) || !strings.Contains(b.Hint, c.hint) || !strings.Contains(b.Summary, c.n.Reason) {
			t.Errorf("%+v: %+v", c.n, b)
		}
	}
	if b := driverTrouble(facts.Nvidia{State: facts.DriverOK}, ""); b != nil {
		t.Errorf("trouble with a working driver: %+v", b)
	}
}

// TestDriverTroubleOn checks that a GPU of another vendor is named, and that a driver is proposed
// for an NVIDIA GPU alone.
func TestDriverTroubleOn(t *testing.T) {
	none := facts.Nvidia{State: facts.NoDriver}
	for _, c := range []struct {
		gpu                 facts.GPU
		code, summary, hint string
	}{
		{facts.GPU{Vendor: "amd", Models: "8 x AMD Instinct MI300X"}, "no-nvidia", "this machine has 8 x AMD Instinct MI300X and no NVIDIA GPU", "ROCm"},
		{facts.GPU{Vendor: "intel"}, "no-nvidia", "a GPU of intel", "XPU"},
		{facts.GPU{Vendor: "apple", Models: "Apple M4"}, "no-nvidia", "Apple M4", "device mps"},
		{facts.GPU{Vendor: "none"}, "no-nvidia", "no NVIDIA GPU", "--gpus all"},
		{facts.GPU{Vendor: "nvidia"}, "no-driver", "no NVIDIA driver", "install"},
		{facts.GPU{}, "no-driver", "no NVIDIA driver", "install"},
	} {
		got := DriverTroubleOn(c.gpu, none, "530.30.02")
		if got == nil || got.Code != c.code || !strings.Contains(got.Summary, c.summary) || !strings.Contains(got.Hint, c.hint) || got.Found == "" {
			t.Fatalf("%+v: %+v", c.gpu, got)
		}
		if c.code == "no-nvidia" && strings.Contains(got.Hint, "driver") {
			t.Errorf("%s: %s", c.gpu.Vendor, got.Hint)
		}
	}
	for _, n := range []facts.Nvidia{{State: facts.DriverOK}, {State: facts.DriverBroken}} {
		if got, want := DriverTroubleOn(facts.GPU{Vendor: "amd"}, n, ""), driverTrouble(n, ""); (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %+v, want %+v", n.State, got, want)
		}
	}
}

// TestCUDATrouble checks that only a missing libcuda is reported: a reason alone is not
// evidence.
func TestCUDATrouble(t *testing.T) {
	for _, n := range []facts.Nvidia{{CUDA: "12.4", NoLibcuda: true}, {CUDAReason: "nvidia-smi did not ask libcuda"}, {}} {
		if u := CUDATrouble(n); u != nil {
			t.Errorf("%+v: %+v", n, u)
		}
	}
	if u := CUDATrouble(facts.Nvidia{NoLibcuda: true}); u == nil || !strings.Contains(u.Hint, "compute,utility") {
		t.Errorf("without libcuda: %+v", u)
	}
}

func TestNewerDriver(t *testing.T) {
	for _, c := range []struct{ compute, least, want string }{
		{"9.0", "580.65.06", "580.65.06 or newer"},
		{"6.1", "580.65.06", "580.65.06 or newer, at most branch 580, the last for P40"},
		{"6.1", "590.44.01", ""},
		{"3.7", "530.30.02", ""},
		{"", "580.65.06", "580.65.06 or newer"},
	} {
		n := facts.Nvidia{State: facts.DriverOK, Devices: []facts.Device{{Name: "P40", UUID: "GPU-1", Compute: c.compute}}}
		if got := NewerDriver(n, c.least); got != c.want {
			t.Errorf("compute capability %q, driver %s: %q, want %q", c.compute, c.least, got, c.want)
		}
	}
}
