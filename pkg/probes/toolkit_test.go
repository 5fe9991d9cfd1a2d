package probes

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func TestToolkit(t *testing.T) {
	const doc = `{"cuda": {"name": "CUDA SDK", "version": "12.1.20230417"}, "cuda_nvcc": {"version": "12.1.105"}}`
	tests := []struct {
		name string
		do   func(m *fakeMachine)
		want facts.Toolkit
	}{
		{"none", func(*fakeMachine) {}, facts.Toolkit{}},
		{"usual folder", func(m *fakeMachine) {
			m.put(m.sys+"/usr/local/cuda-12.1/version.json", doc)
			m.link("cuda-12.1", m.sys+"/usr/local/cuda")
		}, facts.Toolkit{Version: "12.1", Source: "/usr/local/cuda/version.json"}},
		{"old", func(m *fakeMachine) {
			m.put(m.sys+"/usr/local/cuda/version.txt", "CUDA Version 10.2.89\n")
		}, facts.Toolkit{Version: "10.2", Source: "/usr/local/cuda/version.txt"}},
		{"CUDA_HOME first", func(m *fakeMachine) {
			m.put(m.sys+"/usr/local/cuda/version.json", doc)
			m.put(m.sys+"/opt/cuda/version.json", `{"cuda": {"version": "13.0.0"}}`)
			m.environ = append(m.environ, "CUDA_HOME="+m.sys+"/opt/cuda")
		}, facts.Toolkit{Version: "13.0", Source: "/opt/cuda/version.json"}},
		{"CUDA_HOME without one", func(m *fakeMachine) {
			m.put(m.sys+"/usr/local/cuda/version.json", doc)
			m.environ = append(m.environ, "CUDA_HOME=/nowhere")
		}, facts.Toolkit{Version: "12.1", Source: "/usr/local/cuda/version.json"}},
		{"package of a distribution", func(m *fakeMachine) {
			m.put(m.sys+"/usr/bin/nvcc", "")
			m.put(m.sys+"/usr/include/cuda.h", "/**\n */\n#define CUDA_VERSION 11050\n#define __CUDA_API_VERSION 11050\n")
			m.environ = append(m.environ, "PATH="+m.sys+"/usr/bin")
		}, facts.Toolkit{Version: "11.5", Source: "/usr/include/cuda.h"}},
		{"nvcc in the project", func(m *fakeMachine) {
			m.put(m.root+"/bin/nvcc", "")
			m.put(m.root+"/version.json", doc)
			m.environ = append(m.environ, "PATH="+m.root+"/bin:.")
		}, facts.Toolkit{}},
		{"a Mac", func(m *fakeMachine) {
			m.put(m.sys+"/usr/local/cuda/version.json", doc)
			m.os, m.arch = "darwin", "arm64"
		}, facts.Toolkit{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			if got, reason := m.probe(facts.ToolkitKey); got != facts.Fact(tt.want) {
				t.Errorf("got %+v (%s), want %+v", got, reason, tt.want)
			}
		})
	}
}

// TestToolkitWithoutVersion checks that an nvcc of unknown version is a failure.
func TestToolkitWithoutVersion(t *testing.T) {
	m := newMachine(t)
	m.put(m.sys+"/opt/x/bin/nvcc", "")
	m.environ = append(m.environ, "PATH="+m.sys+"/opt/x/bin")
	if got, reason := m.probe(facts.ToolkitKey); got != nil || reason == "" {
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
				t.Errorf("%q is not a toolkit version", v)
			}
		}
	})
}
