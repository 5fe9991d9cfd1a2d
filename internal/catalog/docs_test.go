package catalog

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

// TestDocs writes docs/torch.md with -update.
func TestDocs(t *testing.T) {
	golden.Check(t, filepath.Join("..", "..", "docs", "torch.md"), []byte(docs()))
}

// docs returns the page about the builds of torch.
func docs() string {
	var b strings.Builder
	b.WriteString(`# Which torch runs on which GPU and driver

For everyone who chooses a version of torch. ` + "`reconcile plan`" + ` compares the locked torch with the
driver and the GPUs, and its hints name versions from these tables. The page is written from
` + "`internal/catalog`" + `, where each entry has its source: for the public index the wheels themselves.

## By driver

The newest torch that runs on an H100 with Python 3.12. A driver runs builds for older CUDA, and those for
newer ones of the same major version with limits: code that is compiled at run time may fail to load.

| driver | CUDA | x86_64, without limits | x86_64 | aarch64 | x86_64, in PyTorch's own index |
|---|---|---|---|---|---|
`)
	for _, d := range [][2]string{{"470", "11.4"}, {"525", "12.0"}, {"550", "12.4"}, {"570", "12.8"}, {"580", "13.0"}, {"595", "13.2"}} {
		m := TorchMachine{Platform: "linux-x86_64", Python: "3.12", CUDA: d[1], Compute: []string{"9.0"}}
		arm := m
		arm.Platform = "linux-aarch64"
		full := m
		full.Full = true
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", d[0], d[1], newest(full), newest(m), newest(arm), newestOwn(m))
	}
	b.WriteString(`
## By GPU

The newest torch with kernels for it, with driver 580 (470 for Kepler) and Python 3.12. Drivers after the
last branch no longer support the GPU.

| GPU | compute capability | public index | in PyTorch's own index | last driver |
|---|---|---|---|---|
`)
	for _, g := range [][3]string{
		{"Kepler: K80", "3.7", "11.4"}, {"Maxwell: GTX 980, M40", "5.2", "13.0"}, {"Pascal: P40, P100, GTX 1080", "6.1", "13.0"}, {"Volta: V100", "7.0", "13.0"}, {"Turing: T4, RTX 2080", "7.5", "13.0"},
		{"Ampere: A100", "8.0", "13.0"}, {"Ampere: RTX 3090, A10G", "8.6", "13.0"}, {"Ada: RTX 4090, L40S", "8.9", "13.0"}, {"Hopper: H100, H200, GH200", "9.0", "13.0"},
		{"Blackwell: B200, GB200", "10.0", "13.0"}, {"Blackwell: RTX 5090", "12.0", "13.0"},
	} {
		m := TorchMachine{Platform: "linux-x86_64", Python: "3.12", CUDA: g[2], Compute: []string{g[1]}}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", g[0], g[1], newest(m), newestOwn(m), cmp.Or(LastDriver(g[1]), "none announced"))
	}
	b.WriteString(`
## The wheels of the public index

| torch | platform | Python | needs | CUDA | kernels for compute capability |
|---|---|---|---|---|---|
`)
	for _, b2 := range slices.Backward(TorchBuilds()) {
		system := "glibc " + b2.System
		if strings.HasPrefix(b2.Platform, "macos") {
			system = "macOS " + b2.System
		}
		fmt.Fprintf(&b, "| %s | %s | %s to %s | %s | %s | %s |\n", b2.Torch, b2.Platform, b2.Python[0], b2.Python[len(b2.Python)-1], system, cmp.Or(b2.CUDA, "none"), b2.Kernels)
	}
	return b.String()
}

func newest(m TorchMachine) string {
	b, ok := NewestTorch(m)
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s (CUDA %s)", b.Torch, b.CUDA)
}

func newestOwn(m TorchMachine) string {
	b, ok := NewestPyTorch(m)
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s (CUDA %s)", b.Torch, b.CUDA)
}
