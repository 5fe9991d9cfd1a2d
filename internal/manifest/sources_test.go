package manifest_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// TestCondaPackagesOfFiles checks that the conda packages of an environment.yml are solved with
// those of the manifest, with their ranges, builds and channels.
func TestCondaPackagesOfFiles(t *testing.T) {
	m, err := manifest.Load(fstest.MapFS{
		"manifest.yaml": {Data: []byte(`version: 1
project: x
environments:
  gpu:
    type: conda
    name: x
    python: "3.10"
    platforms: [linux-x86_64]
    channels: [conda-forge, nodefaults]
    requirements: [environment.yml]
    conda_packages: [{name: zlib, version: 1.3.1}]
`)},
		"environment.yml": {Data: []byte(`dependencies:
  - python=3.10
  - pytorch::pytorch=2.1.2=py3.10_cuda12.1_cudnn8.9.2_0
  - numpy>=1.26,<2
  - scipy=1.11
  - blas=*=mkl
  - pip
  - pip: [six==1.16.0]
`)},
	}, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env := m.Environments[0]
	got := strings.Join(env.CondaRequest().Specs, "; ")
	const want = "blas * mkl; numpy >=1.26,<2; pip; python 3.10.*; pytorch::pytorch ==2.1.2 py3.10_cuda12.1_cudnn8.9.2_0; scipy 1.11.*; zlib ==1.3.1"
	if got != want {
		t.Errorf("the specs are\n%s, want\n%s", got, want)
	}
	if p := env.Sources().Packages; len(p) != 1 || p[0].Name != "six" {
		t.Errorf("the packages are %v", p)
	}
}

// TestIndexesOfFiles checks that a requirement is bound to the index of its file, also where that
// has another name in the manifest, or none that a manifest can have.
func TestIndexesOfFiles(t *testing.T) {
	m, err := manifest.Load(fstest.MapFS{
		"manifest.yaml": {Data: []byte(`version: 1
project: x
environments:
  local:
    python: "3.10"
    platforms: [linux-x86_64]
    requirements: [pyproject.toml, requirements.txt]
indexes: [public, {name: torch, url: "https://download.example.org/whl/cu118"}]
`)},
		"pyproject.toml": {Data: []byte(`[project]
name = "x"
version = "1"
dependencies = ["torch", "vllm", "six"]
[tool.uv]
index = [
  {name = "pytorch", url = "https://download.example.org/whl/cu118/", explicit = true},
  {name = "vLLM", url = "https://wheels.example.org/whl/cu118", explicit = true},
]
[tool.uv.sources]
torch = {index = "pytorch"}
vllm = {index = "vLLM"}
`)},
		"requirements.txt": {Data: []byte("--extra-index-url https://wheels.other.test/whl/cu118\n--extra-index-url https://other.test/whl/cu118\n")},
	}, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sources := m.Environments[0].Sources()
	var got []string
	for _, p := range sources.Packages {
		got = append(got, p.Name+" "+p.Index)
	}
	for _, x := range sources.Indexes {
		got = append(got, x.Name+" "+x.URL)
	}
	const want = "torch torch; vllm example-cu118; six ; torch https://download.example.org/whl/cu118; example-cu118 https://wheels.example.org/whl/cu118; " +
		"other-cu118 https://wheels.other.test/whl/cu118; other-cu118-2 https://other.test/whl/cu118"
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("packages and indexes are\n%s, want\n%s", text, want)
	}
}
