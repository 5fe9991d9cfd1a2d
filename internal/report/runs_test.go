package report_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
)

// TestDecodedRecordPrintsTheSame checks that a decoded record prints the summary of the apply.
func TestDecodedRecordPrintsTheSame(t *testing.T) {
	for _, o := range variants() {
		rec := testRecord(o)
		var kept, then, again bytes.Buffer
		if err := report.SummaryJSON(&kept, rec); err != nil {
			t.Fatal(err)
		}
		back, err := runrecord.Decode(kept.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := report.Summary(&then, rec, o); err != nil {
			t.Fatal(err)
		}
		if err := report.Summary(&again, back, o); err != nil {
			t.Fatal(err)
		}
		if then.String() != again.String() {
			t.Errorf("then\n%s\nagain\n%s", &then, &again)
		}
	}
}

// runList has a run, a run of an earlier version without a recap, and a damaged record.
func runList() *report.RunList {
	old := &runrecord.Record{Interrupted: true, Elapsed: 0.4, Started: time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC)}
	old.Totals.Created, old.Totals.Interrupted = 2, 1
	return &report.RunList{
		Runs: []report.RunLine{
			report.NewRunLine("20260301T120035.250Z", testRecord(report.Options{})),
			report.NewRunLine("20260201T080000.400Z", old),
		},
		Damaged: []report.DamagedRun{{File: "/store/projects/train-1f2e3d4c/runs/20260101T000000.000Z.json", Reason: "unexpected end of JSON input"}},
	}
}

func TestRuns(t *testing.T) {
	page(t, "runs", func(b *bytes.Buffer, o report.Options) error { return report.Runs(b, runList(), o) })
	var b, none bytes.Buffer
	if err := report.RunsJSON(&b, runList()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/runs.json", b.Bytes())
	if err := report.Runs(&none, &report.RunList{}, report.Options{}); err != nil || !strings.HasPrefix(none.String(), "No run of this machine is recorded yet") {
		t.Errorf("%v, %q", err, &none)
	}
}

// FuzzDecodeRecord checks that any decoded record can be printed and encoded again.
func FuzzDecodeRecord(f *testing.F) {
	var kept bytes.Buffer
	if err := report.SummaryJSON(&kept, testRecord(report.Options{})); err != nil {
		f.Fatal(err)
	}
	f.Add(kept.Bytes())
	f.Add([]byte(`{"version":1,"kind":"summary","items":[{"addr":"file.\u001b[2J","outcome":"failed"}],"elapsed":1e308}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := runrecord.Decode(text)
		if err != nil {
			return
		}
		var out, again bytes.Buffer
		if err := report.Summary(&out, rec, report.Options{Width: 60}); err != nil || controls(out.String()) {
			t.Fatalf("%v, printed %q", err, &out)
		}
		if err := report.SummaryJSON(&again, rec); err != nil {
			t.Fatal(err)
		}
		back, err := runrecord.Decode(again.Bytes())
		if err != nil || !reflect.DeepEqual(back.Recap, rec.Recap) || len(back.Items) != len(rec.Items) {
			t.Fatalf("%v: %+v became %+v", err, rec, back)
		}
	})
}
