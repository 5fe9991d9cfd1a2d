package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/catalog"
)

func makeWheel(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte(content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// serve returns the address of an index with the files of a project.
func serve(t *testing.T, project string, files map[string][]byte, yanked ...string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := filepath.Base(r.URL.Path); files[name] != nil {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(files[name]))
			return
		}
		if r.URL.Path != "/"+project+"/" {
			http.NotFound(w, r)
			return
		}
		var list []map[string]any
		for name, content := range files {
			list = append(list, map[string]any{"filename": name, "url": "/files/" + name, "size": len(content), "hashes": map[string]string{"sha256": fmt.Sprint(len(name))}, "yanked": slices.Contains(yanked, name)})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"files": list})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func generated[B any](t *testing.T, dir, file string) []B {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Builds []B }
	if err := json.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Builds
}

func TestTorch(t *testing.T) {
	padding := strings.Repeat("x", 3*chunk) // several requests
	cuda := makeWheel(t, map[string]string{
		"torch/version.py":              "from typing import Optional\n__version__ = '9.1.0+cu140'\ncuda: Optional[str] = '14.0'\n",
		"torch/lib/libtorch_python.so":  padding + "spc_h" + "sm_80 sm_90a sm_130 compute_130\x00" + padding,
		"torch/lib/libtorch_unrelated.": "",
	})
	cpu := makeWheel(t, map[string]string{"torch/version.py": "__version__ = '9.1.0'\ncuda: Optional[str] = None\n"})
	index := serve(t, "torch", map[string][]byte{
		"torch-9.1.0-cp312-cp312-manylinux_2_28_x86_64.whl":    cuda,
		"torch-9.1.0-cp313-cp313-manylinux_2_34_x86_64.whl":    []byte("not read"),
		"torch-9.1.0-cp313-cp313t-manylinux_2_28_x86_64.whl":   []byte("not read"),
		"torch-9.1.0-cp312-cp312-manylinux_2_28_aarch64.whl":   cpu,
		"torch-9.1.0-cp312-none-macosx_14_0_arm64.whl":         []byte("not read"),
		"torch-9.1.0-cp312-cp312-win_amd64.whl":                []byte("not read"),
		"torch-9.2.0rc1-cp312-cp312-manylinux_2_28_x86_64.whl": []byte("not read"),
		"torch-9.3.0-cp312-cp312-manylinux_2_28_x86_64.whl":    []byte("not read"),
		"torch-1.0.0-cp312-cp312-manylinux_2_28_x86_64.whl":    []byte("not read"),
	}, "torch-9.3.0-cp312-cp312-manylinux_2_28_x86_64.whl")
	dir := t.TempDir()
	if err := update(context.Background(), index, dir, "torch", torchBuild); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range generated[catalog.TorchBuild](t, dir, "torch.json") {
		got = append(got, fmt.Sprint(b.Torch, b.Platform, b.Python, b.System, b.CUDA, b.Compute, b.PTX))
	}
	want := []string{
		"9.1.0linux-aarch64[3.12]2.28[] false",
		"9.1.0linux-x86_64[3.12 3.13]2.2814.0[8.0 9.0 13.0] true",
		"9.1.0macos-arm64[3.12]14.0[] false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTorchWithoutArchitectures(t *testing.T) {
	index := serve(t, "torch", map[string][]byte{"torch-9.1.0-cp312-cp312-manylinux_2_28_x86_64.whl": makeWheel(t, map[string]string{
		"torch/version.py": "cuda = '14.0'\n", "torch/lib/libtorch_python.so": "",
	})})
	err := update(context.Background(), index, t.TempDir(), "torch", torchBuild)
	if err == nil || !strings.Contains(err.Error(), "no list of architectures") {
		t.Errorf("a wheel without the text is %v", err)
	}
}

func TestBitsandbytes(t *testing.T) {
	index := serve(t, "bitsandbytes", map[string][]byte{
		"bitsandbytes-0.91.0-py3-none-manylinux_2_24_x86_64.whl": makeWheel(t, map[string]string{
			"bitsandbytes/libbitsandbytes_cuda118.so": "", "bitsandbytes/libbitsandbytes_cuda1210.so": "", "bitsandbytes/libbitsandbytes_cuda129.so": "",
			"bitsandbytes/libbitsandbytes_rocm70.so": "", "bitsandbytes/cextension.py": `f"No prebuilt binary for {x}"`,
		}),
		"bitsandbytes-0.90.0-py3-none-any.whl": makeWheel(t, map[string]string{"bitsandbytes/libbitsandbytes_cuda118.so": "", "bitsandbytes/cextension.py": ""}),
	})
	dir := t.TempDir()
	if err := update(context.Background(), index, dir, "bitsandbytes", bitsandbytesBuild); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range generated[catalog.BitsandbytesBuild](t, dir, "bitsandbytes.json") {
		got = append(got, fmt.Sprint(b.Version, b.Platform, b.CUDA, b.Nearest))
	}
	want := []string{"0.90.0linux-x86_64[11.8] false", "0.91.0linux-x86_64[11.8 12.9 12.10] true"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestGPUList checks which devices of pci.ids are GPUs, and their names.
func TestGPUList(t *testing.T) {
	const list = "#\n#\tVersion: 2026.08.22\n" +
		"1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t1586  Strix Halo [Radeon 8060S]\n\t15bf  Phoenix1\n\t15df  Raven/Raven2 Cryptographic Coprocessor\n" +
		"\t515e  ES1000\n\t7460  Navi 32 GL-XL [AMD Radeon PRO V710]\n\t7487  Navi 33 [Radeon Graphics]\n\t74a1  Aqua Vanjaram [Instinct MI300X]\n\t\t1002 74a1  MI300X OAM\n\tab28  Navi 21/23 HDMI/DP Audio Controller\n" +
		"10de  NVIDIA Corporation\n\t2330  GH100 [H100 SXM5 80GB]\n" +
		"8086  Intel Corporation\n\t0bd5  Ponte Vecchio XT (2 Tile) [Data Center GPU Max 1550]\n\t7d55  Meteor Lake-P [Intel Arc Graphics]\n\te20b  Battlemage G21 [Arc B580]\n\ta780  Raptor Lake-S GT1 [UHD Graphics 770]\n"
	dir := t.TempDir()
	file := filepath.Join(dir, "pci.ids")
	if err := errors.Join(os.WriteFile(file, []byte(list), 0o644), updateGPUs(file, dir)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "gpus.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ GPUs []gpu }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	const source = "pci.ids of the PCI ID Project, 2026-08-22"
	want := []gpu{
		{"amd", "1586", "AMD Radeon 8060S", true, source}, {"amd", "15bf", "AMD graphics of Phoenix1", true, source},
		{"amd", "7460", "AMD Radeon PRO V710", false, source}, {"amd", "7487", "AMD Radeon Graphics (Navi 33)", false, source}, {"amd", "74a1", "AMD Instinct MI300X", false, source},
		{"intel", "0bd5", "Intel Data Center GPU Max 1550", false, source}, {"intel", "7d55", "Intel Arc Graphics (Meteor Lake-P)", true, source}, {"intel", "e20b", "Intel Arc B580", false, source},
	}
	if !slices.Equal(doc.GPUs, want) {
		t.Errorf("got %v, want %v", doc.GPUs, want)
	}
	if _, err := gpuList([]byte("nothing")); err == nil {
		t.Error("a file without a version is a list")
	}
}
