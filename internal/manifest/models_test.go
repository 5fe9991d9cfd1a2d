package manifest_test

import (
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// TestModelsPath checks the directory of models on two hosts: it does not depend
// on the link at the common path.
func TestModelsPath(t *testing.T) {
	m, err := manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte(head + `directories: {models: {path: models}}
models: [{repo: a/b, revision: 0e9e39f249a16976918f6564b8830bc894c89659, exclude: ["*.bin"]}]
hosts:
  rented: {allow_paths: [/workspace], directories: {models: {path: /workspace/models}}}
`)}}, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"rented": "/workspace/models", "other": "models"} {
		if got := m.ModelsPath(manifest.Selection{Host: facts.Host{Hostname: host}}, nil); got != want {
			t.Errorf("ModelsPath on %s is %q, want %q", host, got, want)
		}
	}
	if pin := m.Pins()["a/b"]; pin.Repo != "a/b" || pin.Revision != m.Models[0].Revision || len(pin.Exclude) != 1 || pin.AnyFiles {
		t.Errorf("pin: %+v", pin)
	}
}
