package report_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// machine has every standing: paths.py drifted, models is pending, scripts is blocked.
func machine(o report.Options) report.Machine {
	known := machineFacts(25_300_000_000)
	known.Set(facts.Environment{
		Name: "local", Path: ".venv", Current: "7c1f5a90b2d3",
		Generations: []facts.Generation{
			{Name: "1f2e3d4c5b6a", Python: "3.10.12"},
			{
				Name: "7c1f5a90b2d3", Python: "3.10.13", Base: "/usr/bin/python3.10",
				Packages: []facts.Package{
					{Name: "beautifulsoup4", Version: "4.12.3"},
					{Name: "datasets", Version: "2.21.0"},
					{Name: "lingua-language-detector", Version: "2.0.2"},
					{Name: "mine", Version: "0.1", Origin: "editable"},
					{Name: "numpy", Version: "1.26.4"},
					{Name: "pandas", Version: "2.3.3"},
					{Name: "trafilatura", Version: "1.12.2"},
				},
				Damage: []facts.Damage{{What: "missing", Path: "lib/python3.10/site-packages/bs4/__init__.py", Dist: "beautifulsoup4"}},
			},
		},
	})
	known.Set(facts.Environment{Name: "old", Path: "venv", Foreign: "a directory that reconcile did not create"})
	known.Set(facts.Environment{Name: "remote", Path: ".venv-remote"})
	known.Fail(facts.ToolKey("uv"), "permission denied")
	list := manifestResources()
	plan, err := planner.Make(list, known)
	if err != nil {
		panic(err)
	}
	plan.Environment = "local"
	plan.Items = append(plan.Items, oddItems()[1])
	for i := range plan.Items {
		it := &plan.Items[i]
		it.Drift, it.Pending = it.Resource.Addr.Name == "paths", it.Resource.Addr.Name != "paths"
	}
	return report.Machine{Plan: plan, Resources: list, Facts: known, Options: o}
}

// trainer is a machine with a conda environment and GPUs.
func trainer(o report.Options) report.Machine {
	m := machine(o)
	m.Facts.Set(facts.Environment{Name: "remote", Path: ".conda/remote", Current: "27eccbc6611e", Generations: []facts.Generation{{
		Name: "27eccbc6611e", Python: "3.10.16",
		Packages: []facts.Package{{Name: "torch", Version: "2.1.2"}},
		Conda:    []facts.CondaPackage{{Name: "python", Version: "3.10.16", Build: "he725a3c_1_cpython"}, {Name: "tzdata", Version: "2024b", Build: "hc8b5060_0"}},
	}}})
	m.Facts.Set(facts.Nvidia{
		State: facts.DriverOK, Driver: "550.54.15", CUDA: "12.4", Source: "nvml",
		Devices: []facts.Device{
			{Index: 0, Name: "NVIDIA H100 80GB HBM3", Memory: 81559 << 20, Used: 4 << 20},
			{Index: 1, Name: "NVIDIA H100 80GB HBM3", MIG: "enabled", Slices: []facts.Slice{{Name: "3g.40gb", Memory: 40448 << 20}}},
			{Index: 2, Name: "NVIDIA GeForce RTX 3090", Problem: "GPU is lost"},
		},
	})
	return m
}

func TestStatus(t *testing.T) {
	page(t, "status", func(b *bytes.Buffer, o report.Options) error { return report.Status(b, trainer(o)) })
}

func TestStatusOfNothing(t *testing.T) {
	var b bytes.Buffer
	m := report.Machine{Plan: &planner.Plan{Host: "gpu1"}, Facts: &facts.Facts{}}
	if err := report.Status(&b, m); err != nil {
		t.Fatal(err)
	}
	if want := "Status: the manifest has no resources for this machine (on gpu1).\n"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

func TestStatusJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.StatusJSON(&b, trainer(report.Options{})); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/status.json", b.Bytes())
}

func TestFacts(t *testing.T) {
	var b bytes.Buffer
	if err := report.Facts(&b, machine(report.Options{}).Facts); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/facts.json", b.Bytes())
	var again facts.Facts
	if err := again.UnmarshalJSON(b.Bytes()); err != nil {
		t.Fatalf("printed facts are not read again: %v", err)
	}
}

func TestProblems(t *testing.T) {
	var list diag.List
	list.Add(&diag.Problem{
		Code: "manifest.unknown-key", Pos: diag.Pos{File: "manifest.yaml", Line: 14, Col: 7}, Addr: "venv.local",
		Summary: `unknown key "pyton"`, Source: "    pyton: \"3.10\"\tx", Found: "name, path,\npython, type", Hint: "did you mean `python`?\n\n  reconcile validate\n",
	})
	list.Add(&diag.Problem{Code: "disk.low", Severity: diag.Warn, Pos: diag.Pos{File: "manifest.yaml"}, Summary: "little room is left on the file system that holds the project"})
	list.AddErr(errors.New("read manifest.yaml: input/output error"))
	page(t, "problems", func(b *bytes.Buffer, o report.Options) error { return report.Problems(b, list.Err(), o) })

	var b bytes.Buffer
	if err := report.ProblemsJSON(&b, list.Err()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/problems.json", b.Bytes())

	b.Reset()
	if err := report.Problems(&b, nil, report.Options{}); err != nil || b.Len() != 0 {
		t.Errorf("no error prints %q, %v", &b, err)
	}
	if err := report.ProblemsJSON(&b, nil); err != nil || b.String() != "{\n  \"version\": 1,\n  \"problems\": []\n}\n" {
		t.Errorf("no error is %q, %v", &b, err)
	}
}

func TestGenerations(t *testing.T) {
	list := []report.Generation{
		{Name: "7c1f5a90b2d3", Current: true, Created: "2026-11-02T10:00:00Z", Python: "3.10.13", Packages: 53, Disk: 610_000_000},
		{Name: "1f2e3d4c5b6a-2", Created: "2026-10-02T10:00:00Z", Python: "3.10.12", Packages: 7, Disk: -1},
	}
	page(t, "generations", func(b *bytes.Buffer, o report.Options) error { return report.Generations(b, list, o) })
	var b bytes.Buffer
	if err := report.Generations(&b, nil, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "No generation is built yet; `reconcile apply` builds one.\n"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

func TestDamage(t *testing.T) {
	list := []facts.Damage{
		{What: "missing", Path: "lib/a.py", Dist: "a"},
		{What: "foreign", Path: "lib/b.py"},
		{What: "package", Dist: "c", Version: "1.16.0", Sealed: "1.17.0"},
		{What: "moved", Path: "bin/pip"},
		{What: "moved", Path: "bin/wheel"},
	}
	page(t, "damage", func(b *bytes.Buffer, o report.Options) error { return report.Damage(b, list, o) })
}
