package compare

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// gpu is a machine for training, mac one for data.
func gpu(name string, change ...facts.Fact) Machine {
	f := facts.Of(
		facts.Host{OS: "linux", OSVersion: "Ubuntu 22.04", Platform: "linux-x86_64", Hostname: name, Libc: facts.Libc{Name: "glibc", Version: "2.35"}},
		facts.GPU{Vendor: "nvidia"},
		facts.Nvidia{State: facts.DriverOK, Driver: "550.54.15", CUDA: "12.4", Devices: []facts.Device{{Name: "NVIDIA H100", Memory: 80 << 30, Used: 1}}},
		facts.Index{URL: "public"},
		facts.Disk{Path: ".", Total: 500e9, Free: 100e9, Writable: true},
		facts.Path{Path: "data/raw", Type: facts.Dir, Mode: 0o755},
		facts.Path{Path: "models", Type: facts.Symlink, Target: "/workspace/models"},
		facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Version: "3.10.13", Source: "system"}}},
		facts.Environment{Name: "remote", Current: "a", Generations: []facts.Generation{{
			Name: "a", Python: "3.10.16", Packages: []facts.Package{{Name: "torch", Version: "2.1.2"}, {Name: "peft", Version: "0.12.0"}},
			Conda: []facts.CondaPackage{{Name: "openssl", Version: "3.4.0"}},
		}}},
	)
	for _, fact := range change {
		f.Set(fact)
	}
	return Machine{
		Name: name, Facts: f, Environment: "remote", Python: "3.10",
		Folders: []Folder{{"data_raw", "data/raw"}, {"models", "models"}}, Disk: Limits{".", 30e9, 20e9},
	}
}

func mac() Machine {
	return Machine{
		Name: "mac1", Environment: "local", Python: "3.10", Folders: []Folder{{"data_raw", "data/raw"}}, Disk: Limits{".", 30e9, 20e9},
		Facts: facts.Of(
			facts.Host{OS: "darwin", Platform: "macos-arm64", Hostname: "mac1"}, facts.GPU{Vendor: "apple", Others: []facts.OtherGPU{{Vendor: "apple", Name: "Apple M4", Memory: 16 << 30, Integrated: true}}},
			facts.Disk{Path: ".", Total: 500e9, Free: 25e9, Writable: true}, facts.Path{Path: "data/raw", Type: facts.Absent}, facts.Pythons{Minor: "3.10"},
			facts.Environment{Name: "local"},
		),
	}
}

// find returns the row of a name.
func find(t *testing.T, rows []Row, name string) Row {
	t.Helper()
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no row %q in %+v", name, rows)
	}
	return rows[i]
}

// TestEqualMachinesDoNotDiffer checks that values that change all the time do not differ.
func TestEqualMachinesDoNotDiffer(t *testing.T) {
	rows := Machines([]Machine{gpu("a"), gpu("b",
		facts.Disk{Path: ".", Total: 900e9, Free: 90e9, Writable: true},
		facts.Nvidia{State: facts.DriverOK, Driver: "550.54.15", CUDA: "12.4", Devices: []facts.Device{{Name: "NVIDIA H100", Memory: 80 << 30, Used: 70 << 30, Processes: 2}}},
		facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Version: "3.10.13", Source: "pyenv"}}},
	)})
	if differ, unknown := CountDifferences(rows); differ != 0 || unknown != 0 || len(rows) != 18 {
		t.Errorf("%d differ, %d are not known, of %d: %+v", differ, unknown, len(rows), rows)
	}
}

func TestEachDifferenceIsARow(t *testing.T) {
	generation := func(python, torch string, damage ...facts.Damage) facts.Environment {
		return facts.Environment{Name: "remote", Current: "a", Generations: []facts.Generation{{
			Name: "a", Python: python, Damage: damage, Packages: []facts.Package{{Name: "torch", Version: torch}, {Name: "peft", Version: "0.12.0"}},
			Conda: []facts.CondaPackage{{Name: "openssl", Version: "3.4.0"}},
		}}}
	}
	for _, c := range []struct {
		fact      facts.Fact
		row, want string
	}{
		{facts.Host{OS: "linux", OSVersion: "Ubuntu 24.04", Platform: "linux-x86_64", Libc: facts.Libc{Name: "glibc", Version: "2.35"}}, "system", "linux Ubuntu 24.04"},
		{facts.Host{OS: "linux", OSVersion: "Ubuntu 22.04", Platform: "linux-x86_64", Libc: facts.Libc{Name: "musl", Version: "1.2"}}, "C library", "musl 1.2"},
		{facts.Index{URL: "https://mirror.example/simple"}, "package index", "https://mirror.example/simple"},
		{facts.Nvidia{State: facts.DriverOK, Driver: "535.1", CUDA: "12.4", Devices: []facts.Device{{Name: "NVIDIA H100", Memory: 80 << 30}}}, "driver", "535.1"},
		{facts.Nvidia{State: facts.DriverOK, Driver: "550.54.15", CUDA: "12.4", Devices: []facts.Device{{Name: "NVIDIA H100", Memory: 80 << 30}, {Name: "NVIDIA H100", Memory: 80 << 30}}}, "GPUs", "2 x NVIDIA H100, 81920 MiB"},
		{facts.GPU{Vendor: "nvidia", Others: []facts.OtherGPU{{Vendor: "amd", Name: "AMD Radeon PRO W6800", Memory: 32 << 30}}}, "GPUs", "1 x AMD Radeon PRO W6800, 32768 MiB; 1 x NVIDIA H100, 81920 MiB"},
		{facts.Nvidia{State: facts.DriverOK, Driver: "550.54.15", NoLibcuda: true, Devices: []facts.Device{{Name: "NVIDIA H100", Memory: 80 << 30}}}, "CUDA of the driver", "none"},
		{facts.Disk{Path: ".", Free: 10e9, Total: 500e9, Writable: true}, "free", "too little: 10 GB of 500 GB"},
		{facts.Disk{Path: ".", Free: 100e9, Total: 500e9}, "free", "not writable: 100 GB of 500 GB"},
		{facts.Path{Path: "data/raw", Type: facts.Dir, Mode: 0o700}, "data_raw", "data/raw: directory 0700"},
		{facts.Path{Path: "models", Type: facts.Symlink, Target: "/mnt"}, "models", "models: link to /mnt"},
		{facts.Path{Path: "models", Type: facts.Absent, Parent: "link data -> /mnt"}, "models", "models: below the link data -> /mnt"},
		{facts.Pythons{Minor: "3.10"}, "interpreter", "no Python 3.10"},
		{generation("3.10.16", "2.1.1"), "torch", "2.1.1"},
		{generation("3.10.15", "2.1.2"), "Python installed", "3.10.15"},
		{generation("3.10.16", "2.1.2", facts.Damage{What: "missing"}), "installed", "2 packages and 1 conda package, damaged in 1 place"},
		{facts.Environment{Name: "remote", Foreign: "a file"}, "installed", "not managed by reconcile: a file"},
	} {
		rows := Machines([]Machine{gpu("a"), gpu("b", c.fact)})
		if r := find(t, rows, c.row); !r.Differs || r.Values[1] != c.want {
			t.Errorf("%T: row %+v, want %q", c.fact, r, c.want)
		}
		if differ, _ := CountDifferences(rows); differ != 1 {
			t.Errorf("%T: %d rows differ, want 1", c.fact, differ)
		}
	}
}

// TestUnknownIsNoDifference checks that unknown values make no row differ.
func TestUnknownIsNoDifference(t *testing.T) {
	quiet := gpu("b")
	quiet.Facts = facts.Of(facts.Host{OS: "linux", OSVersion: "Ubuntu 22.04", Platform: "linux-x86_64", Libc: facts.Libc{Name: "glibc", Version: "2.35"}}, facts.GPU{Vendor: "nvidia"})
	rows := Machines([]Machine{gpu("a"), quiet})
	if differ, unknown := CountDifferences(rows); differ != 0 || unknown == 0 {
		t.Errorf("%d differ, %d are not known", differ, unknown)
	}
	if r := find(t, rows, "driver"); !r.Unknown || r.Values[1] != "" {
		t.Errorf("row %+v", r)
	}
}

// TestMachineWithoutNvidia checks that its rows of the driver are "none" without the fact of a driver.
func TestMachineWithoutNvidia(t *testing.T) {
	rows := Machines([]Machine{gpu("a"), mac()})
	for name, want := range map[string]string{"driver": "none", "GPUs": "1 x Apple M4", "CUDA of the driver": "none", "environment": "local", "installed": "not built", "models": "not in the manifest", "free": "little: 25 GB of 500 GB"} {
		if r := find(t, rows, name); !r.Differs || r.Values[1] != want {
			t.Errorf("%+v, want %q", r, want)
		}
	}
	if r := find(t, rows, "torch"); r.Differs || !r.Unknown {
		t.Errorf("a machine without an environment has a version of torch: %+v", r)
	}
	lost := mac()
	lost.Environment, lost.Unselected = "", "no environment matches this machine"
	if r := find(t, Machines([]Machine{gpu("a"), lost}), "environment"); r.Values[1] != "none: no environment matches this machine" {
		t.Errorf("%+v", r)
	}
}

// TestOrderOfMachinesDoesNotMatter checks that the order of machines changes only the order of
// values.
func TestOrderOfMachinesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		free := rapid.Int64Range(0, 40e9)
		list := []Machine{mac(), gpu("a", facts.Disk{Path: ".", Free: free.Draw(t, "a"), Writable: true}), gpu("b", facts.Disk{Path: ".", Free: free.Draw(t, "b"), Writable: true})}
		there, back := Machines(list), Machines([]Machine{list[2], list[1], list[0]})
		if len(there) != len(back) {
			t.Fatalf("%d rows, then %d", len(there), len(back))
		}
		for _, r := range there {
			i := slices.IndexFunc(back, func(o Row) bool { return o.Topic == r.Topic && o.Name == r.Name })
			values := slices.Clone(back[i].Values)
			slices.Reverse(values)
			if !slices.Equal(values, r.Values) || back[i].Differs != r.Differs {
				t.Fatalf("%+v, then %+v", r, back[i])
			}
		}
	})
}

// FuzzMachines compares any facts with those of a known machine.
func FuzzMachines(f *testing.F) {
	for _, m := range []Machine{gpu("a"), mac()} {
		text, err := json.Marshal(m.Facts)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		other := gpu("b")
		other.Facts = &facts.Facts{}
		if json.Unmarshal(text, other.Facts) != nil {
			return
		}
		for _, r := range Machines([]Machine{gpu("a"), other, other}) {
			if r.Values[1] != r.Values[2] || r.Values[1] == "" && !r.Unknown {
				t.Fatalf("a machine differs from itself: %+v", r)
			}
		}
	})
}
