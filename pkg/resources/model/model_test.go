package model_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, model.Kind) }

// TestDiffUnknown checks that an unknown model blocks only if the manifest requires that.
func TestDiffUnknown(t *testing.T) {
	for severity, want := range map[diag.Severity]resources.Action{diag.Warn: resources.None, diag.Fail: resources.Blocked} {
		c := (&model.Spec{Repo: "a/b", Severity: severity}).DiffUnknown("not probed")
		if c.Action != want || c.Summary != "unknown: not probed" || c.Problem.Code != "model.unknown" {
			t.Errorf("severity %q: %q, %q, %v", severity, c.Action, c.Summary, c.Problem)
		}
	}
}

func TestEveryFaultHasARemedy(t *testing.T) {
	m := facts.Model{Path: "models/models--a--b", Revision: "c170c708c41dac9275d15a8fff4eca08d52bab71", Files: []facts.ModelFile{{Name: "intact.safetensors", Verified: true}}}
	for _, what := range facts.ModelFaults() {
		f := facts.ModelFault{What: what, File: "it's.safetensors", Blob: "0e9e39f249a16976918f6564b8830bc894c89659"}
		if got := model.Remedy(m, f); got == "" {
			t.Errorf("%s has no remedy", what)
		}
	}
	for _, c := range []struct {
		fault facts.ModelFault
		want  string
	}{
		{facts.ModelFault{What: "content", File: "a", Blob: "0e9e"}, "rm models/models--a--b/blobs/0e9e, then download the model again, which fetches only missing files"},
		{facts.ModelFault{What: "unknown", File: "it's"}, `rm 'models/models--a--b/snapshots/c170c708c41dac9275d15a8fff4eca08d52bab71/it'\''s', then download the model again, which fetches only missing files`},
		{facts.ModelFault{What: "header", File: "intact.safetensors", Blob: "0e9e"}, "the digest is correct, so the revision itself has this fault: pin another one"},
		{facts.ModelFault{What: "outside", File: "blobs"}, "move it away and download the model again: mv models/models--a--b/blobs models/models--a--b/blobs.old"},
		{facts.ModelFault{What: "outside", File: "snapshots/" + m.Revision}, "move it away and download the model again: mv models/models--a--b/snapshots/" + m.Revision + " models/models--a--b/snapshots/" + m.Revision + ".old"},
		{facts.ModelFault{What: "unknown", File: "snapshots"}, "rm models/models--a--b/snapshots/" + m.Revision + "/snapshots, then download the model again, which fetches only missing files"},
	} {
		if got := model.Remedy(m, c.fault); got != c.want {
			t.Errorf("%+v: %s\nwant %s", c.fault, got, c.want)
		}
	}
}
