package report_test

import (
	"bytes"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func explained() []report.ExplainedCode {
	return []report.ExplainedCode{
		{Code: "disk.low", Area: "Disk", Explanation: diag.Explanation{
			Means: "There is less free than `warn_below` of manifest.yaml. That is a warning; everything goes on.",
			Do:    "Make room before a large download: `reconcile gc` removes unused generations.",
		}},
		{Code: "disk.too-small", Area: "Disk", Explanation: diag.Explanation{Means: "There is not enough", Do: "Make room."}},
		{Code: "usage", Area: "The command", Explanation: diag.Explanation{Means: "Wrong words.", Do: "See `--help`."}},
	}
}

func TestExplanation(t *testing.T) {
	page(t, "explanation", func(b *bytes.Buffer, o report.Options) error { return report.Explanation(b, explained()[0], o) })
}

func TestCodes(t *testing.T) {
	page(t, "codes", func(b *bytes.Buffer, o report.Options) error { return report.Codes(b, explained(), o) })
}
