package probes

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// TestReferences has files that start a generation, also one that was removed, and files that
// do not.
func TestReferences(t *testing.T) {
	m := newMachine(t)
	m.root = filepath.Join(m.root, "deep")
	m.mkdir(m.root)
	python := func(generation string) string {
		return layout.Generation(m.prober().state(), "local", generation) + "/bin/python"
	}
	m.generation("g1")
	m.activate("g1")
	m.environ = append(m.environ, "JUPYTER_DATA_DIR="+m.home+"/jupyter")
	kernels := m.home + "/jupyter/kernels"
	hooks := filepath.Dir(m.root) + "/.git/hooks"
	m.put(kernels+"/active/kernel.json", `{"argv": ["`+python("g1")+`", "-m", "ipykernel_launcher"]}`)
	m.put(kernels+"/removed/kernel.json", `{"argv": ["`+python("g0")+`"]}`)
	m.put(kernels+"/follows/kernel.json", `{"argv": ["`+m.root+`/.venv/bin/python"], "display_name": "`+python("g1")+`"}`)
	m.put(kernels+"/broken/kernel.json", python("g1"))
	m.mkdir(kernels + "/empty")
	m.mkdir(kernels + "/folder/kernel.json")
	m.put(hooks+"/pre-commit", "#!/usr/bin/env bash\nINSTALL_PYTHON="+python("g1")+"\n")
	m.put(hooks+"/post-merge", "#!/bin/sh\nexec "+python("g1")+" after.py\n")
	m.put(hooks+"/other", "#!/bin/sh\nexec "+filepath.Dir(filepath.Dir(python("g1")))+"\n")
	m.put(m.root+"/child/pyvenv.cfg", "home = "+filepath.Dir(python("g0"))+"\n")
	m.put(m.root+"/plain/pyvenv.cfg", "home = /usr/bin\ncommand = "+python("g1")+" -m venv plain\n")
	want := []facts.Reference{
		{Kind: "kernel", Path: kernels + "/active/kernel.json", Generation: "g1"},
		{Kind: "kernel", Path: kernels + "/removed/kernel.json", Generation: "g0"},
		{Kind: "hook", Path: hooks + "/post-merge", Generation: "g1"},
		{Kind: "pre-commit", Path: hooks + "/pre-commit", Generation: "g1"},
		{Kind: "venv", Path: m.root + "/child", Generation: "g0"},
	}
	e, reason := m.environment()
	if reason != "" || !reflect.DeepEqual(e.References, want) {
		t.Errorf("%s\ngot  %+v\nwant %+v", reason, e.References, want)
	}
}
