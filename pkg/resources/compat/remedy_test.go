package compat

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// TestRemediesWork checks, for machines and locks of all kinds, that a check whose remedy was
// followed finds no error and nothing unknown.
func TestRemediesWork(t *testing.T) {
	var versions, bitsandbytes []string
	for _, b := range catalog.TorchBuilds() {
		versions = append(versions, b.Torch)
	}
	for _, b := range catalog.BitsandbytesBuilds() {
		bitsandbytes = append(bitsandbytes, b.Version)
	}
	for _, b := range catalog.PyTorchBuilds() {
		versions = append(versions, b.Torch+".1+cu"+strings.ReplaceAll(b.CUDA, ".", ""))
	}
	versions = append(versions, "1.13.1", "2.15.9", "99.0.0", "2.9.1+cpu", "2.9.1+cu999")
	applied := 0
	rapid.Check(t, func(t *rapid.T) {
		host := facts.Host{Platform: rapid.SampledFrom([]string{"linux-x86_64", "linux-aarch64"}).Draw(t, "platform")}
		host.Libc = facts.Libc{Name: "glibc", Version: rapid.SampledFrom([]string{"2.17", "2.28", "2.35"}).Draw(t, "glibc")}
		n := facts.Nvidia{State: facts.DriverOK, Driver: "1", CUDA: rapid.SampledFrom([]string{"11.4", "12.0", "12.4", "12.8", "13.0", "13.5"}).Draw(t, "driver")}
		capabilities := rapid.SliceOfN(rapid.SampledFrom([]string{"3.7", "5.2", "6.1", "7.0", "7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0", "12.1"}), 1, 2).Draw(t, "compute")
		for i, c := range capabilities {
			n.Devices = append(n.Devices, facts.Device{Index: i, Name: "GPU", UUID: fmt.Sprint("GPU-", i), Compute: c})
		}
		spec := &Spec{
			Environment: "gpu", Python: rapid.SampledFrom([]string{"3.9", "3.10", "3.12", "3.14"}).Draw(t, "python"),
			Packages: lockOf(rapid.SampledFrom(versions).Draw(t, "torch"), rapid.SampledFrom([]string{"", "12.1", "12.8", "13.0"}).Draw(t, "runtime"), rapid.SampledFrom(bitsandbytes).Draw(t, "bitsandbytes")),
		}
		c := newComparison(spec, n, host)
		for _, r := range c.remedies(c.machine()) {
			torch := r.torch
			if r.own {
				torch += ".0+cu" + strings.ReplaceAll(r.cuda, ".", "")
			}
			followed := *spec
			version := r.bitsandbytes
			if version == "" {
				version = spec.version("bitsandbytes")
			}
			followed.Packages = lockOf(torch, r.cuda, version)
			applied++
			for _, p := range newComparison(&followed, n, host).problems() {
				if p.Severity != diag.Warn || p.Code == "compat.unknown" {
					t.Errorf("after %q: %s: %s", c.text(r), p.Code, p.Summary)
				}
			}
		}
	})
	if applied < 20 {
		t.Errorf("only %d remedies were applied", applied)
	}
}

// lockOf returns the packages of a lock with a torch, the CUDA runtime it requires, and
// bitsandbytes.
func lockOf(torch, cuda, bitsandbytes string) []Package {
	list := []Package{{"bitsandbytes", bitsandbytes}, {"torch", torch}}
	switch major, _, _ := strings.Cut(cuda, "."); major {
	case "13":
		list = append(list, Package{"nvidia-cuda-runtime", cuda + ".1"})
	case "11", "12":
		list = append(list, Package{"nvidia-cuda-runtime-cu" + major, cuda + ".1"})
	}
	return list
}

func TestRemediesAreTheNewest(t *testing.T) {
	for _, c := range []struct {
		platform, python, driverCUDA, compute, locked string
		want                                          string
	}{
		{"linux-x86_64", "3.10", "12.4", "9.0", "2.11.0", "2.10.0, 2.14+cu12.6"}, // with limits, and without them there is 2.6.0
		{"linux-x86_64", "3.10", "12.4", "9.0", "2.1.2", "2.6.0"},
		{"linux-x86_64", "3.10", "13.0", "12.0", "2.1.2", "2.14.1"},
		{"linux-x86_64", "3.12", "13.2", "12.0", "2.1.2", "2.15.0"},
		{"linux-x86_64", "3.12", "12.8", "6.1", "2.9.1", "2.7.1, 2.14+cu12.6"},
		{"linux-x86_64", "3.12", "13.0", "7.0", "2.11.0", "2.10.0, 2.14+cu12.6"},
		{"linux-x86_64", "3.12", "11.4", "8.6", "2.1.2", "2.7+cu11.8"},
		{"linux-x86_64", "3.12", "11.4", "3.7", "2.1.2", "2.7+cu11.8"},
		{"linux-x86_64", "3.12", "12.2", "3.7", "2.1.2", "2.7+cu11.8"},
		{"linux-aarch64", "3.12", "13.0", "9.0", "2.9.1", "2.14.1"},
		{"linux-aarch64", "3.12", "12.4", "9.0", "2.9.1", "2.14+cu12.6"},
		{"linux-x86_64", "3.12", "10.2", "7.0", "2.1.2", ""},
	} {
		spec := &Spec{Python: c.python, Packages: lockOf(c.locked, "12.1", "0.50.2")}
		n := facts.Nvidia{State: facts.DriverOK, CUDA: c.driverCUDA, Devices: []facts.Device{{Name: "GPU", UUID: "GPU-1", Compute: c.compute}}}
		comparison := newComparison(spec, n, facts.Host{Platform: c.platform, Libc: facts.Libc{Name: "glibc", Version: "2.35"}})
		var got []string
		for _, r := range comparison.remedies(comparison.machine()) {
			text := r.torch
			if r.own {
				text += "+cu" + r.cuda
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%v: remedies %v, want %s", c, got, c.want)
		}
	}
}

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{"4.43.4": "4.43.4", "4.43.0rc1": "4.43.0", "4.43.0.dev0": "4.43.0", "0.41.3.post2": "0.41.3", "2.1.2+cu121": "2.1.2", "1.2.3.4": "1.2.3", "": "", "x": ""} {
		if got := release(version); got != want {
			t.Errorf("release(%q) = %q, want %q", version, got, want)
		}
	}
}
