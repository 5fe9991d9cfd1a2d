package probes

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func TestTool(t *testing.T) {
	x86 := elfFile(elf.EM_X86_64, "", "")
	pinned := facts.SHA256(sha256.Sum256([]byte("genuine")))
	tests := []struct {
		name string
		do   func(m *fakeMachine)
		want facts.Tool // Path relative to the base folder
	}{
		{"none", func(*fakeMachine) {}, facts.Tool{}},
		{"own", func(m *fakeMachine) {
			m.put(filepath.Join(m.store, "dists/uv"), "genuine")
			m.put(filepath.Join(m.home, ".local/bin/uv"), x86)
		}, facts.Tool{Path: "store/dists/uv", Version: "0.13.9", Source: "reconcile", SHA256: pinned}},
		{
			"own, changed", func(m *fakeMachine) { m.put(filepath.Join(m.store, "dists/uv"), "Genuine") },
			facts.Tool{Path: "store/dists/uv", Version: "0.13.9", Source: "reconcile", SHA256: pinned, Refused: "BASE/store/dists/uv was changed or is damaged"},
		},
		{"own, a link", func(m *fakeMachine) {
			m.put(filepath.Join(m.store, "other"), "genuine")
			m.link(filepath.Join(m.store, "other"), filepath.Join(m.store, "dists/uv"))
		}, facts.Tool{Path: "store/dists/uv", Version: "0.13.9", Source: "reconcile", SHA256: pinned, Refused: "BASE/store/dists/uv: it is a symbolic link, which is not followed"}},
		{"by wheel", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, "venv/bin/uv"), x86)
			m.mkdir(filepath.Join(m.home, "venv/lib/python3.12/site-packages/uv-0.13.8.dist-info"))
			m.link(filepath.Join(m.home, "venv/bin/uv"), filepath.Join(m.home, ".local/bin/uv"))
		}, facts.Tool{Path: "home/.local/bin/uv", Version: "0.13.8", Source: "path"}},
		{"by Homebrew", func(m *fakeMachine) {
			m.put(filepath.Join(m.sys, "opt/homebrew/Cellar/uv/0.12.1/bin/uv"), x86)
			m.link("../Cellar/uv/0.12.1/bin/uv", filepath.Join(m.sys, "opt/homebrew/bin/uv"))
		}, facts.Tool{Path: "sys/opt/homebrew/bin/uv", Version: "0.12.1", Source: "path"}},
		{"by its installer", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".local/bin/uv"), x86)
			m.put(filepath.Join(m.home, ".config/uv/uv-receipt.json"), `{"version":"0.13.1","install_prefix":"`+m.home+`/.local/bin"}`)
		}, facts.Tool{Path: "home/.local/bin/uv", Version: "0.13.1", Source: "path"}},
		{"receipt of another installation", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".cargo/bin/uv"), x86)
			m.put(filepath.Join(m.home, ".config/uv/uv-receipt.json"), `{"version":"0.13.1","install_prefix":"`+m.home+`/.local/bin"}`)
		}, facts.Tool{Path: "home/.cargo/bin/uv", Source: "path"}},
		{"known version first", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".local/bin/uv"), x86)
			m.put(filepath.Join(m.sys, "opt/homebrew/Cellar/uv/0.12.1/bin/uv"), x86)
			m.link("../Cellar/uv/0.12.1/bin/uv", filepath.Join(m.sys, "opt/homebrew/bin/uv"))
		}, facts.Tool{Path: "sys/opt/homebrew/bin/uv", Version: "0.12.1", Source: "path"}},
		{"in the project", func(m *fakeMachine) {
			m.put(filepath.Join(m.root, "bin/uv"), x86)
			m.environ = append(m.environ, "PATH=bin:.:"+filepath.Join(m.root, "bin"))
			m.link(filepath.Join(m.root, "bin/uv"), filepath.Join(m.home, ".local/bin/uv"))
		}, facts.Tool{}},
		{"a shim", func(m *fakeMachine) { m.put(filepath.Join(m.home, ".local/bin/uv"), "#!/bin/sh\n") }, facts.Tool{}},
		{
			"another architecture", func(m *fakeMachine) { m.put(filepath.Join(m.home, ".local/bin/uv"), elfFile(elf.EM_AARCH64, "", "")) },
			facts.Tool{Path: "home/.local/bin/uv", Source: "path", Refused: "BASE/home/.local/bin/uv is for aarch64, this machine is x86_64"},
		},
		{"writable by others", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".local/bin/uv"), x86)
			os.Chmod(filepath.Join(m.home, ".local/bin/uv"), 0o777)
		}, facts.Tool{Path: "home/.local/bin/uv", Source: "path", Refused: "any user of this machine can change BASE/home/.local/bin/uv"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			fact, reason := m.probe(facts.ToolKey("uv"))
			got, ok := fact.(facts.Tool)
			if !ok {
				t.Fatal(reason)
			}
			want, base := tt.want, filepath.Dir(m.root)
			want.Name = "uv"
			if want.Path != "" {
				want.Path = filepath.Join(base, want.Path)
			}
			if want.Refused != "" {
				want.Refused = expandBase(want.Refused, base)
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestSearchFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "loader")
	const banner = "stable release version 2.36.\n"
	for _, at := range []int{0, 1 << 10, 5<<20 - 7} {
		b := make([]byte, 5<<20+200)
		copy(b[at:], banner)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := searchFile(name, parseGlibcBanner); got != "2.36" {
			t.Fatalf("banner at %d: %q", at, got)
		}
	}
	if err := os.Truncate(name, 65<<20); err != nil {
		t.Fatal(err)
	}
	if got := searchFile(name, parseGlibcBanner); got != "" {
		t.Errorf("found %q in a file of 65 MiB", got)
	}
	if got := searchFile(name+".absent", parseGlibcBanner); got != "" {
		t.Errorf("found %q in an absent file", got)
	}
}

func expandBase(s, base string) string { return strings.Replace(s, "BASE", base, 1) }

func TestGPU(t *testing.T) {
	tests := []struct {
		name string
		do   func(m *fakeMachine)
		want facts.GPU
	}{
		{"none", func(*fakeMachine) {}, facts.GPU{Vendor: "none"}},
		{"driver", func(m *fakeMachine) {
			m.put(m.sys+"/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)  Sun Jul 27\nGCC version:  gcc version 12.3.0\n")
			for bus, model := range map[string]string{"0000:01:00.0": "NVIDIA T400", "0000:c1:00.0": "NVIDIA H100", "0000:d1:00.0": "NVIDIA H100"} {
				m.put(m.sys+"/proc/driver/nvidia/gpus/"+bus+"/information", "Model: \t\t "+model+"\n")
			}
		}, facts.GPU{Vendor: "nvidia", Driver: "580.65.06", Source: "/proc/driver/nvidia/version", Models: "2 x NVIDIA H100, NVIDIA T400"}},
		{"old driver", func(m *fakeMachine) {
			m.put(m.sys+"/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n")
		}, facts.GPU{Vendor: "nvidia", Driver: "535.183.01", Source: "/proc/driver/nvidia/version"}},
		{"card without a driver", func(m *fakeMachine) {
			m.pci("0000:00:1f.3", "0x040300", "0x8086", "0x7a50")
			m.pci("0000:01:00.0", "0x030200", "0x10de", "0x2330")
		}, facts.GPU{Vendor: "nvidia", Source: "/sys/bus/pci/devices/0000:01:00.0/vendor"}},
		{"audio device only", func(m *fakeMachine) {
			m.pci("0000:01:00.1", "0x040300", "0x10de", "0x22ba")
		}, facts.GPU{Vendor: "none"}},
		{"WSL", func(m *fakeMachine) {
			m.put(m.sys+"/dev/dxg", "")
			m.put(m.sys+"/usr/lib/wsl/lib/libcuda.so.1", "")
		}, facts.GPU{Vendor: "nvidia", Source: "/dev/dxg"}},
		{"WSL with another vendor", func(m *fakeMachine) { m.put(m.sys+"/dev/dxg", "") }, facts.GPU{Vendor: "none"}},
		{"a Mac with an Intel processor", func(m *fakeMachine) { m.os, m.arch = "darwin", "x86_64" }, facts.GPU{Vendor: "none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			if got, reason := m.probe(facts.GPUKey); !reflect.DeepEqual(got, facts.Fact(tt.want)) {
				t.Errorf("got %+v (%s), want %+v", got, reason, tt.want)
			}
		})
	}
}

func TestHost(t *testing.T) {
	m := newMachine(t)
	m.put(m.sys+"/etc/os-release", "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 22.04.4 LTS\"\n")
	m.put(m.sys+"/bin/sh", elfFile(elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2", ""))
	m.put(m.sys+"/lib64/ld-linux-x86-64.so.2", "…ld.so (Ubuntu GLIBC 2.35-0ubuntu3) stable release version 2.35.\n")
	m.put(m.sys+"/.dockerenv", "")
	got, reason := m.probe(facts.HostKey)
	h, ok := got.(facts.Host)
	if !ok {
		t.Fatal(reason)
	}
	if h.Platform != "linux-x86_64" || h.OSVersion != "Ubuntu 22.04.4 LTS" || h.Libc != (facts.Libc{Name: "glibc", Version: "2.35"}) || h.Container != "docker" {
		t.Errorf("%+v", h)
	}
}

func TestLibc(t *testing.T) {
	tests := []struct {
		name string
		do   func(m *fakeMachine)
		want facts.Libc
	}{
		{"musl", func(m *fakeMachine) {
			m.put(m.sys+"/bin/sh", elfFile(elf.EM_X86_64, "/lib/ld-musl-x86_64.so.1", ""))
			m.put(m.sys+"/lib/ld-musl-x86_64.so.1", "\x001.x\x001.2.5\x00musl libc")
		}, facts.Libc{Name: "musl", Version: "1.2.5"}},
		{"glibc beside musl's loader", func(m *fakeMachine) {
			m.put(m.sys+"/bin/sh", elfFile(elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2", ""))
			m.put(m.sys+"/lib/ld-musl-x86_64.so.1", "\x001.2.5\x00")
			m.put(m.sys+"/lib64/ld-2.31.so", "")
			m.link("ld-2.31.so", m.sys+"/lib64/ld-linux-x86-64.so.2")
		}, facts.Libc{Name: "glibc", Version: "2.31"}},
		{"static shell", func(m *fakeMachine) {
			m.put(m.sys+"/bin/sh", elfFile(elf.EM_X86_64, "", ""))
			m.put(m.sys+"/lib64/ld-linux-x86-64.so.2", "GNU C Library development release version 2.42.9000.\n")
		}, facts.Libc{Name: "glibc", Version: "2.42.9000"}},
		{"none", func(*fakeMachine) {}, facts.Libc{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			if got := m.prober().libc(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestHostOfThisMachine checks the values that every machine has.
func TestHostOfThisMachine(t *testing.T) {
	p, err := New(t.TempDir(), t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.host()
	if err != nil || h.Hostname == "" || h.Platform == "" || h.OSVersion == "" || h.OS == "linux" && h.Libc.Version == "" {
		t.Errorf("%+v, %v", h, err)
	}
}

func BenchmarkHost(b *testing.B) {
	p, err := New(b.TempDir(), b.TempDir(), os.Environ())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.host(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDisk(t *testing.T) {
	m := newMachine(t)
	m.put(filepath.Join(m.root, "file"), "")
	m.link(m.home, filepath.Join(m.root, "link"))
	p := m.prober()
	keys := []facts.Key{facts.DiskKey("."), facts.DiskKey("data/raw/not/yet"), facts.DiskKey("link/models"), facts.DiskKey("/"), facts.DiskKey("file/below")}
	f := p.Probe(context.Background(), keys)
	var st unix.Statfs_t
	if err := unix.Statfs(m.root, &st); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys[:3] {
		d, ok := facts.Find[facts.Disk](f, k)
		if !ok || d.Device == "" || d.Total <= 0 || d.Free <= 0 || d.Free > d.Total || !d.Writable || d.ReadOnly {
			t.Errorf("%s: %+v", k, d)
		}
		if free := int64(st.Bavail) * int64(st.Bsize); d.Free > free+(1<<30) || d.Free < free-(1<<30) {
			t.Errorf("%s: %d bytes free, statfs has %d", k, d.Free, free)
		}
	}
	if d, ok := facts.Find[facts.Disk](f, facts.DiskKey("/")); !ok || d.Path != "/" {
		t.Errorf("/: %+v", d)
	}
}

// TestReadOnlyDisk requires a read-only file system.
func TestReadOnlyDisk(t *testing.T) {
	const place = "/proc/sys"
	if unix.Access(place, unix.W_OK) == nil {
		t.Skip(place + " is writable")
	}
	m := newMachine(t)
	fact, reason := m.probe(facts.DiskKey(place + "/none"))
	if d, ok := fact.(facts.Disk); !ok || d.Writable {
		t.Errorf("%+v %s", fact, reason)
	}
}
