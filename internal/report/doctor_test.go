package report_test

import (
	"bytes"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// diagnosis has every state, a text of two lines, and text that could control a terminal.
func diagnosis() *report.Diagnosis {
	return &report.Diagnosis{Root: "/srv/train", Environment: "remote", Chapters: []report.Chapter{
		{Name: "System", Findings: []report.Finding{
			{Code: "system.os", Name: "system", State: report.OK, Found: "Ubuntu 24.04, linux-x86_64"},
			{Code: "system.libc", Name: "C library", State: report.Warn, Found: "musl 1.2.4", Remedy: "use an image with glibc: wheels of torch need it"},
		}},
		{Name: "NVIDIA driver", Findings: []report.Finding{
			{Code: "driver.state", Name: "driver", State: report.Fail, Found: "Driver/library version mismatch: libraries 550.54.15, kernel module 550.40.07", Remedy: "restart the machine: the kernel module is older than the libraries, since the driver was updated"},
			{Code: "driver.cuda", Name: "CUDA of the driver", State: report.Unknown, Found: "the driver does not answer\x1b[2J\nand has two lines"},
		}},
		{Name: "Nothing"},
		{Name: "Proof", Findings: []report.Finding{{Code: "proof", Name: "proof", State: report.Skipped, Found: "--no-smoke-test"}}},
	}}
}

func TestDoctor(t *testing.T) {
	page(t, "doctor", func(b *bytes.Buffer, o report.Options) error { return report.Doctor(b, diagnosis(), o) })
	var b bytes.Buffer
	if err := report.DoctorJSON(&b, diagnosis()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/doctor.json", b.Bytes())
}
