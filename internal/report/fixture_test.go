package report_test

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/link"
)

// body is a resource whose change a test sets.
type body struct{ key facts.Key }

func (b body) Owns() facts.Key                  { return b.key }
func (b body) Reads() []facts.Key               { return []facts.Key{b.key} }
func (b body) Diff(facts.View) resources.Change { return resources.Change{} }
func res(kind, name string, key facts.Key) *resources.Resource {
	return &resources.Resource{
		Addr: resources.Addr{Kind: kind, Name: name}, Spec: body{key},
		Pos: diag.Pos{File: "manifest.yaml", Line: 14, Col: 3},
	}
}

const gigabyte = 1_000_000_000

// storageSpec is a typical disk requirement.
func storageSpec() *disk.Spec {
	return &disk.Spec{Path: ".", WarnBelow: 30 * gigabyte, FailBelow: 20 * gigabyte, Budget: []disk.Budget{
		{Item: "raw data", Low: 150_000_000, High: 300_000_000},
		{Item: "processed JSONL", Low: 500_000_000, High: gigabyte},
		{Item: "base model", Low: 16_100_000_000, High: 16_100_000_000},
		{Item: "checkpoints", Low: 500_000_000, High: 2 * gigabyte},
		{Item: "buffer", Low: 10 * gigabyte, High: 15 * gigabyte},
	}}
}

// machineFacts are the facts of a machine with few of the resources.
func machineFacts(free int64) *facts.Facts {
	return facts.Of(
		facts.Project{Root: "/srv/train", Store: "/store", State: "/store/projects/train-1f2e3d4c"},
		facts.Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Hostname: "gpu1"},
		facts.GPU{Vendor: "nvidia", Driver: "550.54.15"},
		facts.Disk{Path: ".", Device: "259:1", FileSystem: "ext2/ext3", Total: 500 * gigabyte, Free: free, FreeInodes: 1000, Writable: true},
		facts.Path{Path: "data/raw", Type: facts.Absent},
		facts.Path{Path: "models", Type: facts.Symlink, Target: "/mnt/old"},
		facts.Path{Path: "adapters", Type: facts.Dir, Mode: 0o755},
		facts.Path{Path: "scripts", Type: facts.Regular, Mode: 0o644, Size: 120},
		facts.Path{Path: "paths.py", Type: facts.Regular, Mode: 0o644, Size: 60, SHA256: facts.SHA256{1}},
	)
}

// oldPaths is the existing content of paths.py.
const oldPaths = "\"\"\"Paths.\"\"\"\n\nRAW = \"data/raw\"\nMODELS = \"model\"\nADAPTERS = \"adapters\"\n\n\ndef show():\n    print(RAW)\n"

const newPaths = "\"\"\"Paths.\"\"\"\n\nRAW = \"data/raw\"\nMODELS = \"models\"\nADAPTERS = \"adapters\"\n\n\ndef show():\n    print(RAW)\n    print(MODELS)"

func readText(path string) (string, error) {
	if path == "paths.py" {
		return oldPaths, nil
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// manifestResources are the resources of a typical manifest without environments.
func manifestResources() []resources.Resource {
	var list []resources.Resource
	add := func(kind, name string, line int, spec resources.Spec) {
		list = append(list, resources.Resource{
			Addr: resources.Addr{Kind: kind, Name: name}, Spec: spec,
			Pos: diag.Pos{File: "manifest.yaml", Line: line, Col: 3},
		})
	}
	add("disk", "storage", 12, storageSpec())
	add("directory", "data_raw", 5, &directory.Spec{Path: "data/raw", Purpose: "original downloads (Gutenberg texts, Reddit CSVs)"})
	add("link", "models", 6, &link.Spec{Path: "models", Target: "/workspace/models"})
	add("directory", "adapters", 7, &directory.Spec{Path: "adapters"})
	add("directory", "scripts", 8, &directory.Spec{Path: "scripts"})
	add("file", "paths", 60, &file.Spec{Path: "paths.py", Content: newPaths})
	return list
}

// environmentItem is the build of an environment with every type of step.
func environmentItem() planner.Item {
	const gen = "/store/projects/train-1f2e3d4c/envs/local/7c1f5a90b2d3"
	python := "/srv/train/" + gen + "/bin/python"
	r := res("venv", "local", facts.EnvironmentKey("local"))
	return planner.Item{Resource: r, After: []int{1}, Change: resources.Change{
		Action: resources.Replace, Summary: "generation 7c1f5a90b2d3 with Python 3.10.13, built with uv 0.13.9",
		Fields: []resources.Field{
			{Path: "generation", Actual: "1f2e3d4c5b6a", Desired: "7c1f5a90b2d3"},
			{Path: "python", Actual: "3.10.12", Desired: "3.10.13"},
		},
		Packages: []resources.PackageChange{
			{Name: "datasets", Actual: "2.20.0", Desired: "2.21.0"},
			{Name: "lingua-language-detector", Desired: "2.0.2"},
			{Name: "toolz", Actual: "0.12.0"},
		},
		Steps: []resources.Step{
			resources.Remove{Path: gen},
			resources.Run{Program: "/usr/bin/uv", Args: []string{"venv", "--no-python-downloads", "--python", "/usr/bin/python3.10", "--prompt", "it's local", "/srv/train/" + gen}, Writes: gen},
			resources.Unpack{Wheels: make([]resources.Wheel, 2)},
			resources.Assemble{Generation: gen, Python: "3.10", Wheels: make([]resources.Wheel, 2)},
			resources.WriteFile{Path: "/store/projects/train-1f2e3d4c/requirements/local.txt", Mode: 0o600, Content: strings.Repeat("datasets==2.21.0\n", 3)},
			resources.Run{Program: "/usr/bin/uv", Args: []string{"pip", "install", "--python", python, "--no-deps", "--no-build", "--require-hashes", "--only-binary", ":all:", "-r", "/store/projects/train-1f2e3d4c/requirements/local.txt"}, Env: []string{"UV_CACHE_DIR=/store/cache/uv"}, Index: true, Dir: "/store"},
			resources.Compile{Generation: gen},
			resources.SmokeTest{Generation: gen, Imports: []string{"pandas", "datasets", "lingua"}, CUDA: true, QLoRA: &resources.QLoRA{QuantType: "nf4", DoubleQuant: true, ComputeDtype: "bfloat16"}},
			resources.Seal{Generation: gen, Packages: make([]facts.Package, 53)},
			resources.MakeDir{Path: ".venv", Mode: 0o755},
			resources.WriteFile{Path: ".venv/.gitignore", Mode: 0o644, Content: "*\n"},
			resources.Link{Path: ".venv/bin", Target: "generation/reconcile/bin"},
			resources.Switch{Environment: "local", Link: ".venv/generation", Target: gen},
		},
		Need: resources.Need{Download: 152_000_000, Disk: 610_000_000},
	}}
}

// oddItems are the rarer changes.
func oddItems() []planner.Item {
	fetched := res("python", "3.10", facts.PythonKey("3.10"))
	return []planner.Item{
		{Resource: fetched, Change: resources.Change{
			Action: resources.Create, Summary: "CPython 3.10.21 for linux-x86_64",
			Steps: []resources.Step{resources.Fetch{
				URLs: []string{"https://example.org/cpython-3.10.21.tar.gz", "https://mirror.example.org/cpython.tar.gz"}, SHA256: facts.SHA256{0xab},
				Size: 30_200_000, Path: "/store/tools/linux-x86_64/cpython-3.10.21", Unpack: "tar.gz", Strip: 1,
			}},
			Need: resources.Need{Download: 30_200_000, Disk: 110_000_000},
		}},
		{Resource: res("file", "old", facts.PathKey("configs/old.yaml")), Change: resources.Change{
			Action: resources.Delete, Summary: "no longer in the manifest",
			Steps: []resources.Step{resources.Remove{Path: "configs/old.yaml"}},
		}},
		{Resource: res("file", "later", facts.PathKey("later.txt")), Change: resources.Change{
			Action: resources.Defer, Summary: "decided during apply, once python.3.10 is done",
		}},
		{Resource: res("directory", "mode", facts.PathKey("secrets")), Change: resources.Change{
			Action: resources.Update, Fields: []resources.Field{{Path: "mode", Actual: "0755", Desired: "0700"}, {Path: "label", Actual: "x"}},
			Steps: []resources.Step{resources.SetMode{Path: "secrets", Mode: 0o700}},
		}},
	}
}

// fullPlan has one of everything.
func fullPlan() *planner.Plan {
	p, err := planner.Make(manifestResources(), machineFacts(25_300_000_000))
	if err != nil {
		panic(err)
	}
	p.Environment = "local"
	p.Notes = []string{"environment remote is for machines with {gpu: nvidia}"}
	p.Notices = []string{"packages come from the public index, CA /etc/ssl/company.pem (said by PIP_CERT, pip.conf of the user)"}
	p.Items = append(p.Items, environmentItem())
	p.Items = append(p.Items, oddItems()...)
	p.Storage.Download, p.Storage.Disk = 182_200_000, 720_000_117
	p.FileSystems = []planner.FileSystem{
		{MountPoint: "/", Type: "ext4", Places: []string{"project", "store"}, Disk: 720_000_117, Free: p.Storage.Free},
		{MountPoint: "/big", Type: "nfs4", Places: []string{"models"}, Free: 2_000_000_000_000, Quota: 2_500_000_000_000},
	}
	return p
}

// manyPlan has n small changes and the build of an environment.
func manyPlan(n int) *planner.Plan {
	p := &planner.Plan{Environment: "local", Host: "gpu1", Platform: "linux-x86_64", Unchanged: 3}
	for i := range n {
		path := fmt.Sprintf("data/%03d.txt", i)
		r := res("file", fmt.Sprintf("f%03d", i), facts.PathKey(path))
		p.Items = append(p.Items, planner.Item{Resource: r, Change: resources.Change{
			Action: resources.Create, Fields: []resources.Field{{Path: "content", Desired: "2 B"}},
			Steps: []resources.Step{resources.WriteFile{Path: path, Mode: 0o644, Content: "x\n"}}, Need: resources.Need{Disk: 2},
		}})
	}
	p.Items = append(p.Items, environmentItem())
	return p
}

// hostile is a name that tries to control a terminal.
const hostile = "a\x1b[2J\x1b]0;owned\x07\r\nsudo rm \u202e\u2066evil\u200b\x9b31m\xff\u2028b\t"

// hostilePlan has hostile text in every field that can come from outside.
func hostilePlan() *planner.Plan {
	r := res("file", hostile, facts.PathKey(hostile))
	r.Pos.File = hostile
	problem := &diag.Problem{Code: "a.b", Pos: r.Pos, Addr: hostile, Summary: hostile, Source: hostile, Found: hostile, Hint: hostile}
	change := resources.Change{
		Action: resources.Replace, Summary: hostile,
		Fields:   []resources.Field{{Path: hostile, Actual: hostile, Desired: hostile}},
		Packages: []resources.PackageChange{{Name: hostile, Actual: hostile, Desired: hostile}},
		Steps: []resources.Step{
			resources.WriteFile{Path: hostile, Content: "a\x1b[2J\u202e\r\nb\x7f\n"},
			resources.Run{Program: hostile, Args: []string{hostile}, Env: []string{hostile}, Dir: hostile},
			resources.Remove{Path: hostile},
			resources.Link{Path: hostile, Target: hostile},
			resources.MakeDir{Path: hostile},
			resources.Fetch{URLs: []string{hostile}, Path: hostile},
			resources.SmokeTest{Imports: []string{hostile}, CUDA: true, Driver: hostile, QLoRA: &resources.QLoRA{QuantType: hostile, ComputeDtype: hostile}},
			resources.Assemble{Generation: hostile},
			resources.Seal{Generation: hostile},
			resources.Switch{Link: hostile, Target: hostile},
			resources.Compile{Generation: hostile},
			resources.SetMode{Path: hostile},
		},
	}
	return &planner.Plan{
		Environment: hostile, Root: hostile, Host: hostile, Platform: hostile, Notes: []string{hostile}, Notices: []string{hostile},
		Items: []planner.Item{
			{Resource: r, Change: change},
			{Resource: r, Change: resources.Change{Action: resources.Blocked, Summary: hostile, Problem: problem}, Check: true},
		},
		Storage: &planner.Storage{Path: hostile, Budget: []resources.Budget{{Item: hostile}}},
	}
}
