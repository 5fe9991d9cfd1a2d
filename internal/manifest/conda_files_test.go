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
