package locking

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// dists returns packages of an index, with a wheel each: "torch 2.9.1", "torch 2.9.1 INDEX".
func dists(texts ...string) (list []lock.Dist) {
	for _, text := range texts {
		fields := append(strings.Fields(text), "")
		list = append(list, lock.Dist{Name: fields[0], Version: fields[1], Index: fields[2], Wheels: []lock.Wheel{{Size: 1e9, Unpacked: 2e9}}})
	}
	return list
}

// TestTorchNotes checks the notes about builds of torch that do not fit an environment.
func TestTorchNotes(t *testing.T) {
	cuda := dists("nvidia-cublas-cu12 12.8", "nvidia-ml-py 13", "torch 2.9.1", "torchvision 0.24.1", "triton 3.5")
	const choice = "environment main has the CUDA libraries of torch (downloads 2 GB, takes 4 GB) for linux-x86_64, and requires no GPU; if its machines have one, write gpu: {count: 1}; else the build for CPUs is smaller: " +
		"add {name: pytorch-cpu, url: https://HOST/whl/cpu} to `indexes`, with HOST as at https://pytorch.org/get-started/locally/, " +
		"and write {name: torch, version: \">=2.9\", index: pytorch-cpu} and {name: torchvision, version: 0.24.1, index: pytorch-cpu} in `packages`"
	for _, c := range []struct {
		name, keys string
		dists      []lock.Dist
		platform   string
		want       string
	}{
		{"CUDA without a GPU", "", cuda, "linux-x86_64", choice},
		{"CUDA on machines without one", "match: {gpu: none}", cuda, "linux-x86_64", choice},
		{"CUDA for a GPU", "gpu: {count: 1}", cuda, "linux-x86_64", ""},
		{"CUDA for NVIDIA", "match: {gpu: nvidia}", cuda, "linux-x86_64", ""},
		{"CUDA on AMD", "match: {gpu: amd}", cuda, "linux-x86_64", ""},
		{"CUDA by choice", "", dists("nvidia-cublas-cu12 12.8", "torch 2.9.1+cu128 pytorch-cu128"), "linux-x86_64", ""},
		{"CUDA without torch", "", dists("nvidia-nccl-cu12 2.27", "xgboost 3.1"), "linux-x86_64", ""},
		{"no CUDA", "", dists("torch 2.9.1"), "macos-arm64", ""},
		{"CPU for a GPU", "gpu: {count: 1}", dists("torch 2.9.1"), "linux-aarch64",
			"torch 2.9.1 for linux-aarch64 is a build for the CPU, and environment main is for GPUs: request torch 2.11.0 or later, which the public index has for CUDA 13.0 on linux-aarch64 (driver 580.65.06 or newer)" +
				"; or, for cu130, add {name: pytorch-cu130, url: https://HOST/whl/cu130} to `indexes`, with HOST as at https://pytorch.org/get-started/locally/, and write {name: torch, version: \">=2.9\", index: pytorch-cu130} in `packages`"},
		{"CPU by name for a GPU", "cuda: {minimum: 12.4}", dists("torch 2.9.1+cpu"), "linux-x86_64", "torch 2.9.1+cpu for linux-x86_64 is a build for the CPU, and environment main is for GPUs: request torch 2.9.1 or later"},
		{"a build of another index for a GPU", "gpu: {count: 1}", dists("torch 2.9.1 mine"), "linux-aarch64", ""},
		{"macOS for a GPU", "gpu: {count: 1}", dists("torch 2.9.1"), "macos-arm64", ""},
		{"an unknown release for a GPU", "gpu: {count: 1}", dists("torch 99.1"), "linux-aarch64", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := c.keys
			if keys != "" {
				keys += ", "
			}
			m, err := manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte("version: 1\nproject: demo\nenvironments:\n  main: {" + keys +
				"python: \"3.12\", platforms: [linux-x86_64, linux-aarch64, macos-arm64], packages: [\"torch>=2.9\"]}\n")}}, "manifest.yaml")
			if err != nil {
				t.Fatal(err)
			}
			got := torchNote(m.Environments[0], c.dists, c.platform)
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
