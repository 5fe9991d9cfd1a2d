package probes

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func TestToolkit(t *testing.T) {
	const doc = `{"cuda": {"name": "CUDA SDK", "version": "12.1.20230417"}, "cuda_nvcc": {"version": "12.1.105"}}`
	tests := []struct {
		name string
		do   func(w *world)
		want facts.Toolkit
	}{
		{"none", func(*world) {}, facts.Toolkit{}},
		{"usual place", func(w *world) {
			w.put(w.sys+"/usr/local/cuda-12.1/version.json", doc)
			w.link("cuda-12.1", w.sys+"/usr/local/cuda")
		}, facts.Toolkit{Version: "12.1", Source: "/usr/local/cuda/version.json"}},
		{"old", func(w *world) {
			w.put(w.sys+"/usr/local/cuda/version.txt", "CUDA Version 10.2.89\n")
		}, facts.Toolkit{Version: "10.2", Source: "/usr/local/cuda/version.txt"}},
		{"CUDA_HOME first", func(w *world) {
			w.put(w.sys+"/usr/local/cuda/version.json", doc)
			w.put(w.sys+"/opt/cuda/version.json", `{"cuda": {"version": "13.0.0"}}`)
			w.environ = append(w.environ, "CUDA_HOME="+w.sys+"/opt/cuda")
		}, facts.Toolkit{Version: "13.0", Source: "/opt/cuda/version.json"}},
		{"CUDA_HOME without one", func(w *world) {
			w.put(w.sys+"/usr/local/cuda/version.json", doc)
			w.environ = append(w.environ, "CUDA_HOME=/nowhere")
		}, facts.Toolkit{Version: "12.1", Source: "/usr/local/cuda/version.json"}},
		{"packed by a distribution", func(w *world) {
			w.put(w.sys+"/usr/bin/nvcc", "")
			w.put(w.sys+"/usr/include/cuda.h", "/**\n */\n#define CUDA_VERSION 11050\n#define __CUDA_API_VERSION 11050\n")
			w.environ = append(w.environ, "PATH="+w.sys+"/usr/bin")
		}, facts.Toolkit{Version: "11.5", Source: "/usr/include/cuda.h"}},
		{"nvcc in the project", func(w *world) {
			w.put(w.root+"/bin/nvcc", "")
			w.put(w.root+"/version.json", doc)
			w.environ = append(w.environ, "PATH="+w.root+"/bin:.")
		}, facts.Toolkit{}},
		{"a Mac", func(w *world) {
			w.put(w.sys+"/usr/local/cuda/version.json", doc)
			w.os, w.arch = "darwin", "arm64"
		}, facts.Toolkit{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.do(w)
			if got, reason := w.probe(facts.ToolkitKey); got != facts.Fact(tt.want) {
				t.Errorf("got %+v (%s), want %+v", got, reason, tt.want)
			}
		})
	}
}

// A compiler of no known version is neither one nor none.
func TestToolkitOfNoVersion(t *testing.T) {
	w := newWorld(t)
	w.put(w.sys+"/opt/x/bin/nvcc", "")
	w.environ = append(w.environ, "PATH="+w.sys+"/opt/x/bin")
	if got, reason := w.probe(facts.ToolkitKey); got != nil || reason == "" {
		t.Errorf("got %+v, %q", got, reason)
	}
}

func FuzzParseToolkit(f *testing.F) {
	f.Add([]byte(`{"cuda": {"version": "12.1.20230417"}}`))
	f.Add([]byte("CUDA Version 10.2.89\n"))
	f.Add([]byte("#define CUDA_VERSION 12010\n"))
	f.Add([]byte("#define CUDA_VERSION 99999999999999999999"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []string{parseToolkitJSON(b), parseToolkitText(b), parseCUDAHeader(b)} {
			if v != "" && firstTwo(v) != v {
				t.Errorf("%q is no version of a toolkit", v)
			}
		}
	})
}
