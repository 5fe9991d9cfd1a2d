package scan

import (
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/declared"
)

// TestNeedsCUDA tests which requirements make no sense without an NVIDIA GPU.
func TestNeedsCUDA(t *testing.T) {
	for requirement, want := range map[string]bool{
		"torch":            false,
		"torch==2.4.1":     false,
		"torch==2.4.1+cpu": false,
		"torch==2.4.1+cu121 ; sys_platform == 'linux'": true,
		"nvidia-cublas-cu12":                           true,
		"nvidia-ml-py":                                 false,
		"cupy-cuda12x":                                 true,
		"curated-transformers":                         false,
		"flash_attn>=2":                                true,
		"vllm":                                         true,
		"bitsandbytes":                                 false,
		"deepspeed":                                    false,
		"gradio @ https://host.example/gradio-4.37.2+custom.1-py3-none-any.whl":                   false,
		"llama @ https://host.example/llama-0.1+cu124-py3-none-linux_x86_64.whl":                  true,
		"--extra-index-url https://host.example/whl/cu118\ntorch":                                 true,
		"--extra-index-url https://host.example/whl/cpu\ntorch":                                   false,
		"--extra-index-url https://host.example/simple/custom\ntorch":                             false,
		"git+https://host.example/cuda.git@0123456789012345678901234567890123456789#egg=anything": false,
	} {
		set, err := declared.Read(fstest.MapFS{"requirements.txt": {Data: []byte(requirement + "\n")}}, "requirements.txt")
		if err != nil {
			t.Fatal(err)
		}
		if got := needsCUDA(set); (got.by != "") != want {
			t.Errorf("%q: %q, want %v", requirement, got.by, want)
		}
	}
}

func TestOnlyGPU(t *testing.T) {
	for requirement, want := range map[string]string{"numpy": "", "vllm": "gpu"} {
		found, err := Folder(t.Context(), fstest.MapFS{"requirements.txt": {Data: []byte(requirement + "\n")}}, Input{Name: "x", Platform: "linux-x86_64", Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := found.OnlyGPU(); got != want {
			t.Errorf("with %s: %q, want %q", requirement, got, want)
		}
	}
}
