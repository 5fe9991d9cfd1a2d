package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/compat"
)

// lockWithTorch returns the lock of requests of torch.
func lockWithTorch(requests ...string) []byte {
	locked := lock.Lock{
		RequiresPython: ">=3.10,<3.11", Platforms: []string{"linux-x86_64"},
		Requests: requests,
		Packages: []lock.Package{
			{Name: "nvidia-cuda-runtime-cu12", Version: "12.1.105", Wheels: []lock.Wheel{{File: "nvidia_cuda_runtime_cu12-12.1.105-py3-none-manylinux1_x86_64.whl", Size: 1}}},
			{Name: "torch", Version: "2.1.2", Wheels: []lock.Wheel{{File: "torch-2.1.2-cp310-cp310-manylinux1_x86_64.whl", Size: 1}}},
		},
	}
	for i := range locked.Packages {
		locked.Packages[i].Wheels[0].SHA256[0] = 1
	}
	return locked.Encode()
}

// TestCommandOfCompat is a remedy by `reconcile add` only where that changes the request.
func TestCommandOfCompat(t *testing.T) {
	const env = `environments:
  train: {type: venv, python: "3.10", path: .venv, lock: l.toml, platforms: [linux-x86_64], match: {gpu: nvidia}, gpu: {}, PACKAGES}
`
	newer, older := "torch==2.1.2 ; python_version >= '3.10'", "torch==2.1.1 ; python_version < '3.10'"
	for _, c := range []struct {
		packages string
		requests []string
		want     bool
		pins     string
	}{
		{`packages: ["torch==2.1.2"]`, []string{"torch==2.1.2"}, true, ""},
		{`packages: ["torch==2.1.2", "triton==2.1.0", "nvidia-cuda-runtime-cu12", "nvidia-ml-py"]`, []string{"nvidia-cuda-runtime-cu12", "nvidia-ml-py", "torch==2.1.2", "triton==2.1.0"}, true, "triton nvidia-cuda-runtime-cu12"},
		{`packages: ["` + newer + `", "` + older + `"]`, []string{older, newer}, false, ""},
		{`requirements: [r.txt]`, []string{"torch==2.1.2"}, false, ""},
	} {
		m, err := manifest.Load(fstest.MapFS{
			"manifest.yaml": {Data: []byte(head + strings.Replace(env, "PACKAGES", c.packages, 1))},
			"l.toml":        {Data: lockWithTorch(c.requests...)},
			"r.txt":         {Data: []byte("torch==2.1.2\n")},
		}, "manifest.yaml")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, r := range compile(t, m, gpu1) {
			if spec, ok := r.Spec.(*compat.Spec); ok {
				found = true
				if spec.ByCommand != c.want || strings.Join(spec.Pins, " ") != c.pins {
					t.Errorf("%s: by command %v, pins %v", c.packages, spec.ByCommand, spec.Pins)
				}
			}
		}
		if !found {
			t.Errorf("%s: no check", c.packages)
		}
	}
}

// TestRequirements checks the requirements of an environment, and that they precede all
// other resources.
func TestRequirements(t *testing.T) {
	const env = `directories: {models: {path: models}}
models: [{repo: meta-llama/Llama-3.1-8B-Instruct, revision: 0e9e39f249a16976918f6564b8830bc894c89659}]
environments:
  train:
    {type: venv, python: "3.10", path: .venv, lock: l.toml, platforms: [linux-x86_64], installer: pip, match: {gpu: nvidia}, packages: [{name: torch, version: 2.1.2}], REQUIREMENTS}
`
	const packages = `"python":"3.10","packages":[{"name":"nvidia-cuda-runtime-cu12","version":"12.1.105"},{"name":"torch","version":"2.1.2"}],"models":["meta-llama/Llama-3.1-8B-Instruct"],"by_command":true`
	for _, c := range []struct{ name, requirements, want string }{
		{"nothing", `protect: false`, ``},
		{"only imports", `smoke_test: {imports: [torch]}`, ``},
		{"a driver", `cuda: {minimum: 12.1}`, `cuda.train {"environment":"train","minimum":"12.1"}
compat.train {"environment":"train",` + packages + `}`},
		{"a driver with a warning", `cuda: {minimum: 12.1, severity: warn}, gpu: {}`, `cuda.train {"environment":"train","minimum":"12.1","severity":"warn"}
gpu.train {"environment":"train","count":1}
compat.train {"environment":"train",` + packages + `,"severity":"warn"}`},
		{"GPUs", `gpu: {count: 2, memory: 24GB, by_model: {H100: 80GiB}, compute: 8.0}`, `gpu.train {"environment":"train","count":2,"memory":{"bytes":24000000000},"by_model":[{"model":"H100","memory":{"bytes":85899345920,"exact":true}}],"compute":"8.0"}
compat.train {"environment":"train",` + packages + `}`},
		{"smoke tests", `smoke_test: {cuda: true, qlora: {quant_type: nf4, double_quant: true, compute_dtype: bfloat16}}`,
			`compat.train {"environment":"train",` + packages + `,"bfloat16":true,"severity":"warn"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := manifest.Load(fstest.MapFS{
				"manifest.yaml": {Data: []byte(head + strings.Replace(env, "REQUIREMENTS", c.requirements, 1))},
				"l.toml":        {Data: lockWithTorch("torch==2.1.2")},
			}, "manifest.yaml")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range compile(t, m, gpu1) {
				if r.Addr.Kind == "directory" || r.Addr.Kind == "model" {
					continue
				}
				if _, ok := r.Spec.(resources.Requirement); !ok {
					break
				}
				body, err := json.Marshal(r.Spec)
				if err != nil || !r.Pos.IsValid() || len(r.DependsOn) > 0 {
					t.Errorf("%s at %s after %v: %v", r.Addr, r.Pos, r.DependsOn, err)
				}
				got = append(got, r.Addr.String()+" "+string(body))
			}
			if s := strings.Join(got, "\n"); s != c.want {
				t.Errorf("got\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}

// TestRequirementsOfHost checks that the severity of a host replaces that of an
// environment.
func TestRequirementsOfHost(t *testing.T) {
	m := load(t, head+`hosts: {gpu1: {severity: warn}}
environments:
  a: {type: venv, python: "3.10", path: .venv, lock: l.toml, platforms: [linux-x86_64], installer: pip, packages: [], match: {gpu: nvidia}, cuda: {minimum: 12.1}, gpu: {}}
`)
	for _, r := range compile(t, m, gpu1)[:2] {
		body, err := json.Marshal(r.Spec)
		if err != nil || !strings.Contains(string(body), `"severity":"warn"`) {
			t.Errorf("%s: %s, %v", r.Addr, body, err)
		}
	}
}

// TestRequirementsWithoutLock checks that without a lock packages are not compared, and
// the driver is checked.
func TestRequirementsWithoutLock(t *testing.T) {
	m := load(t, head+`environments:
  a: {type: venv, python: "3.10", path: .venv, lock: l.toml, platforms: [linux-x86_64], installer: pip, packages: [], match: {gpu: nvidia}, cuda: {minimum: 12.1}}
`)
	if got := addresses(compile(t, m, gpu1)); got != "cuda.a python.3.10 venv.a" {
		t.Errorf("without a lock: %s", got)
	}
}
