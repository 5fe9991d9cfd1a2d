package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func reason() report.Reason {
	addr := resources.Addr{Kind: "file", Name: "paths.py"}
	return report.Reason{
		Addr: addr, Manages: facts.PathKey("paths.py"),
		Verdict: "it is changed back: the manifest asks for what it did, and this machine is not as the last apply left it.",
		Pos:     diag.Pos{File: "manifest.yaml", Line: 14, Col: 5}, Line: "- {path: paths.py, template: \"paths.py.tmpl\x1b[2J\"}",
		Facts: []report.ReasonFact{
			{Key: facts.PathKey("paths.py"), Text: "a file of 60 B, mode 0644, sha256 010000000000", Known: true},
			{Key: facts.ProjectKey, Text: "permission denied"},
		},
		Recorded: &state.Entry{
			Addr: addr, Key: facts.PathKey("paths.py"), Ownership: state.Created, Action: resources.Create, Time: "2026-03-01T10:00:00Z", Protect: true,
			Left: state.Left{Path: "paths.py", Type: facts.Regular, SHA256: facts.SHA256{2}},
		},
		Drift: true, Conflict: true,
		DependsOn: []planner.Relation{{Addr: resources.Addr{Kind: "directory", Name: "scripts"}, Why: "parent directory"}},
		Change: resources.Change{
			Action: resources.Update,
			Steps:  []resources.Step{resources.WriteFile{Path: "paths.py", Mode: 0o644, Content: newPaths, Replaces: facts.SHA256{1}}},
		},
		Unaffected: []string{"the content that paths.py has now, below /store/projects/train-1f2e3d4c/kept"},
	}
}

func TestWhy(t *testing.T) {
	page(t, "why", func(b *bytes.Buffer, o report.Options) error {
		o.ReadText = readText
		return report.Why(b, reason(), o)
	})
}

func TestWhyJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.WhyJSON(&b, reason()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/reason.json", b.Bytes())
	var doc struct {
		Version  int
		Addr     string
		Facts    []struct{ Known bool }
		Steps    []map[string]any
		WaitsFor []struct{ Addr, Why string } `json:"waits_for"`
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != 1 || doc.Addr != "file.paths.py" || doc.Facts[1].Known || doc.Steps[0]["write_file"] == nil || doc.WaitsFor[0].Why != "parent directory" {
		t.Errorf("%+v", doc)
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("an escape of a terminal gets through")
	}
}

func TestFactText(t *testing.T) {
	for want, fact := range map[string]facts.Fact{
		"nothing":                                facts.Path{Path: "a", Type: facts.Absent},
		"a link to /mnt":                         facts.Path{Path: "a", Type: facts.Symlink, Target: "/mnt"},
		"a directory, mode 0755":                 facts.Path{Path: "a", Type: facts.Dir, Mode: 0o755},
		"not reached: file data is on the path":  facts.Path{Path: "data/a", Type: facts.Absent, Parent: "file data"},
		"6 names: a, b, c, d, e and 1 more":      facts.Folder{Path: "a", Names: []string{"a", "b", "c", "d", "e", "f"}, Entries: 6},
		"40 GB free of 100 GB (ext4), read-only": facts.Disk{Path: ".", Free: 40e9, Total: 100e9, FileSystem: "ext4", ReadOnly: true},
		"nvidia, driver 550.54.15":               facts.GPU{Vendor: "nvidia", Driver: "550.54.15"},
		"no NVIDIA driver":                       facts.Nvidia{State: facts.NoDriver},
		"/usr/bin/uv, 0.9.1":                     facts.Tool{Name: "uv", Path: "/usr/bin/uv", Version: "0.9.1"},
		"none":                                   facts.Tool{Name: "uv"},
		"none found":                             facts.Pythons{Minor: "3.10"},
		"/usr/bin/python3.10, 3.10.13 of system": facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{{Path: "/usr/bin/python3.10", Version: "3.10.13", Source: "system"}}},
		".venv has no active generation; 1 generation built": facts.Environment{Name: "local", Path: ".venv", Generations: []facts.Generation{{Name: "1f2e"}}},
		".venv is generation 1f2e: 0 packages, Python 3.10.13, damaged in 1 place": facts.Environment{
			Name: "local", Path: ".venv", Current: "1f2e",
			Generations: []facts.Generation{{Name: "1f2e", Python: "3.10.13", Damage: []facts.Damage{{}}}},
		},
		"partial: 0 files in models, 2 GB missing": facts.Model{State: facts.ModelPartial, Path: "models", Lacking: 2e9},
	} {
		if got := report.FactText(fact); got != want {
			t.Errorf("%#v: %q, want %q", fact, got, want)
		}
	}
}
