package manifest_test

import (
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// TestClaims checks that resources of other environments and hosts are claimed.
func TestClaims(t *testing.T) {
	m, err := manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte(`version: 1
project: claims
directories:
  data: {path: data}
  models: {path: models}
hosts:
  gpu1: {allow_paths: [/workspace], directories: {models: {path: /workspace/models}}}
environments:
  local: {type: venv, match: {gpu: none}, path: .venv, python: "3.10", lock: a.toml, requirements_file: a.txt, platforms: [linux-x86_64], packages: []}
  remote:
    type: conda
    name: tune
    python: "3.10"
    lock: b.toml
    environment_file: b.yml
    register: true
    channels: [conda-forge]
    platforms: [linux-x86_64]
    packages: []
    directories: {data: {path: store}}
`)}}, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := m.Claims()
	for _, addr := range []string{
		"venv.local", "conda.remote", "file.a.txt", "file.b.yml", "link.conda-tune", "link.models", "link.data", "python.3.10", "tool.rattler",
	} {
		var a resources.Addr
		if err := a.UnmarshalText([]byte(addr)); err != nil || !c.Addrs[a] {
			t.Errorf("%s is not claimed (%v)", addr, err)
		}
	}
	for _, path := range []string{".venv", ".conda/remote", "/workspace/models", "models", "store", "data"} {
		if !c.Paths[path] {
			t.Errorf("the path %s is not claimed", path)
		}
	}
	if c.Paths["scripts"] || c.Addrs[resources.Addr{Kind: "file", Name: "c.txt"}] {
		t.Error("an unused path or address is claimed")
	}
}
