package facts

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sample() *Facts {
	f := Of(
		Project{Root: "/srv/p", State: "/store/projects/train-0a1b2c3d"},
		Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Hostname: "gpu1", Libc: Libc{"glibc", "2.36"}},
		GPU{Vendor: "none"},
		Nvidia{
			State: DriverOK, Source: "nvml", Driver: "550.54.15", Kernel: "550.54.15", CUDA: "12.4", NoLibcuda: true, Visible: new(""), VisibleOrder: "PCI_BUS_ID",
			Devices: []Device{{Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-1", Compute: "9.0", Processes: -1, MIG: "enabled", Slices: []Slice{{Name: "3g.40gb", UUID: "MIG-1", Memory: 40448 << 20}}}},
			Nodes:   []Node{{"/dev/nvidia-uvm", "permission denied", true}},
		},
		Toolkit{Version: "12.1", Source: "/usr/local/cuda/version.json"},
		Index{URL: "public"},
		Path{Path: "data/raw", Type: Dir, Mode: 0o755},
		Disk{Path: ".", Device: "259:1", FileSystem: "ext4", Total: 5e11, Free: 2e11, FreeInodes: 9, Writable: true},
		Pythons{Minor: "3.10", Found: []Interpreter{{Path: "/usr/bin/python3.10", Version: "3.10.13", Arch: "x86_64"}}},
		Tool{Name: "uv", Path: "/usr/bin/uv", Version: "0.13.9"},
		Environment{Name: "local", Path: ".venv", Current: "7c1f", Generations: []Generation{{Name: "7c1f", Packages: []Package{{Name: "six", Version: "1.16.0"}}}}},
		Model{
			Repo: "org/name", Revision: "0e9e39f249a16976918f6564b8830bc894c89659", Path: "models/models--org--name", State: ModelDamaged,
			Files: []ModelFile{{Name: "config.json", Size: 519, Blob: "c170c708c41dac9275d15a8fff4eca08d52bab71", Verified: true}}, Verified: 1,
			Faults: []ModelFault{{What: "content", File: "config.json"}},
		},
	)
	f.Fail(PathKey("secret"), "permission denied")
	return f
}

func TestJSONKeepsEverythingAndIsSorted(t *testing.T) {
	first, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var back Facts
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(&back)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Errorf("lost on the way:\n%s\n%s", first, second)
	}
	if len(back.Keys()) != 13 {
		t.Errorf("%d keys", len(back.Keys()))
	}
	// Hidden GPUs and a variable that is not set are two things.
	if n, ok := Find[Nvidia](&back, NvidiaKey); !ok || n.Visible == nil || *n.Visible != "" {
		t.Errorf("an empty CUDA_VISIBLE_DEVICES is lost: %+v", n)
	}
}

func TestNewerVersionsAndUnknownKindsAreRefused(t *testing.T) {
	for _, doc := range []string{`{"version":2,"facts":{}}`, `{"version":1,"facts":{"moon":{"x":{}}}}`, `{"version":1,"facts":{"path":{"x":{"mode":"9"}}}}`} {
		var f Facts
		if err := json.Unmarshal([]byte(doc), &f); err == nil {
			t.Errorf("%s was read", doc)
		}
	}
}

func TestAViewShowsOnlyWhatWasDeclared(t *testing.T) {
	v := NewView(sample(), []Key{HostKey}).With(Of(Host{OS: "darwin"}))
	if got := Get[Host](v, HostKey).OS; got != "darwin" {
		t.Errorf("the prediction is not in front: %q", got)
	}
	defer func() {
		if r, ok := recover().(string); !ok || !strings.Contains(r, "not declared") {
			t.Errorf("an undeclared key was shown: %v", r)
		}
	}()
	Get[GPU](v, GPUKey)
}

func TestKeysSurviveText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Key{Kind(rapid.SampledFrom([]string{"path", "disk", "host"}).Draw(t, "kind")), rapid.String().Draw(t, "name")}
		text, _ := k.MarshalText()
		var back Key
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Fatalf("%v came back as %v: %v", k, back, err)
		}
	})
}
