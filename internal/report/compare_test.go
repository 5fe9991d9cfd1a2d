package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/compare"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// comparison is three machines with every type of row.
func comparison() *report.Comparison {
	return &report.Comparison{
		Machines: []report.ComparedMachine{{Name: "mac1", Source: ".", Environment: "local"}, {Name: "gpu1", Source: "gpu1.json", Environment: "remote"}, {Name: "gpu2", Source: "gpu2.json", Environment: "remote"}},
		Rows: []compare.Row{
			{Topic: "platform", Name: "platform", Values: []string{"macos-arm64", "linux-x86_64", "linux-x86_64"}, Differs: true},
			{Topic: "platform", Name: "package index", Values: []string{"public", "public", "public"}},
			{Topic: "gpu", Name: "GPUs", Values: []string{"none", "1 x NVIDIA H100 80GB HBM3, 81559 MiB", "1 x NVIDIA GeForce RTX 3090, 24576 MiB"}, Differs: true},
			{Topic: "gpu", Name: "CUDA toolkit", Values: []string{"none", "", "none"}, Unknown: true},
			{Topic: "packages", Name: "torch", Values: []string{"", "2.1.2", "2.1.1"}, Differs: true, Unknown: true},
		},
	}
}

func TestCompare(t *testing.T) {
	page(t, "compare", func(b *bytes.Buffer, o report.Options) error { return report.Compare(b, comparison(), o) })
	for name, print := range map[string]func(*bytes.Buffer) error{
		"compare.all.txt": func(b *bytes.Buffer) error { return report.Compare(b, comparison(), report.Options{Detail: true}) },
		"compare.md":      func(b *bytes.Buffer) error { return report.CompareMarkdown(b, comparison(), report.Options{}) },
		"compare.json":    func(b *bytes.Buffer) error { return report.CompareJSON(b, comparison()) },
	} {
		var b bytes.Buffer
		if err := print(&b); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name, b.Bytes())
	}
}

func TestCompareWithoutDifferences(t *testing.T) {
	c := comparison()
	c.Rows = c.Rows[1:2]
	var b bytes.Buffer
	if err := report.Compare(&b, c, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "Compare: 3 machines agree in 1 aspect.\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// TestCompareEscapesMarkup compares machines with hostile names and facts.
func TestCompareEscapesMarkup(t *testing.T) {
	for _, name := range []string{markup, hostile} {
		c := &report.Comparison{
			Machines: []report.ComparedMachine{{Name: name}, {Name: "b"}},
			Rows:     []compare.Row{{Topic: "folders", Name: name, Values: []string{name, ""}, Differs: true}},
		}
		var md, narrow, wide bytes.Buffer
		if err := report.CompareMarkdown(&md, c, report.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := report.Compare(&narrow, c, report.Options{Width: 60}); err != nil {
			t.Fatal(err)
		}
		if err := report.Compare(&wide, c, report.Options{}); err != nil {
			t.Fatal(err)
		}
		checkMarkdown(t, md.String())
		if text := md.String() + narrow.String() + wide.String(); controls(text) {
			t.Errorf("%q can control a terminal", text)
		}
	}
}

func TestCompareMarkdownFitsAComment(t *testing.T) {
	c := comparison()
	for range 5000 {
		c.Rows = append(c.Rows, c.Rows[0])
	}
	var b bytes.Buffer
	if err := report.CompareMarkdown(&b, c, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 65_000 || !strings.Contains(b.String(), "left out") {
		t.Errorf("%d bytes, or the omitted rows are not reported", b.Len())
	}
}
