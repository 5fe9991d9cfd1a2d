package probes

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// installConda creates a conda installation with the program and the record of a client.
func (m *fakeMachine) installConda(root, program, record string) {
	m.t.Helper()
	m.put(filepath.Join(root, program), "#!"+root+"/bin/python\n")
	m.put(filepath.Join(root, "conda-meta", record), "{}")
}

func TestCondaTool(t *testing.T) {
	tests := []struct {
		name string
		tool string
		do   func(m *fakeMachine)
		want facts.Tool // Path relative to the base folder
	}{
		{"none", "conda", func(*fakeMachine) {}, facts.Tool{}},
		{"on PATH", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-23.1.0-py310_0.json")
			m.environ = append(m.environ, "PATH="+filepath.Join(m.home, "c/bin"))
		}, facts.Tool{Path: "home/c/bin/conda", Version: "24.9.2", Source: "path"}},
		{"condabin on PATH, as conda init leaves it", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "c"), "condabin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.environ = append(m.environ, "PATH="+filepath.Join(m.home, "c/condabin"))
		}, facts.Tool{Path: "home/c/condabin/conda", Version: "24.9.2", Source: "path"}},
		{"a link to it on PATH", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.link(filepath.Join(m.home, "c/bin/conda"), filepath.Join(m.home, "links/conda"))
			m.environ = append(m.environ, "PATH="+filepath.Join(m.home, "links"))
		}, facts.Tool{Path: "home/links/conda", Version: "24.9.2", Source: "path"}},
		{"CONDA_EXE", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-23.1.0-py310_0.json")
			m.environ = append(m.environ, "CONDA_EXE="+filepath.Join(m.home, "c/bin/conda"))
		}, facts.Tool{Path: "home/c/bin/conda", Version: "24.9.2", Source: "path"}},
		{"CONDA_EXE of another program", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "c"), "bin/evil", "conda-24.9.2-py312h7900ff3_0.json")
			m.environ = append(m.environ, "CONDA_EXE="+filepath.Join(m.home, "c/bin/evil"))
		}, facts.Tool{}},
		{"CONDA_EXE without a folder", "conda", func(m *fakeMachine) {
			m.installConda(m.root, "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.environ = append(m.environ, "CONDA_EXE=bin/conda")
		}, facts.Tool{}},
		{"MAMBA_EXE of version 2, a binary", "mamba", func(m *fakeMachine) {
			root := filepath.Join(m.home, "m")
			m.installConda(root, "bin/mamba", "mamba-2.0.5-h3cdc715_1.json")
			m.put(filepath.Join(root, "bin/mamba"), elfFile(elf.EM_X86_64, "", ""))
			m.environ = append(m.environ, "MAMBA_EXE="+filepath.Join(root, "bin/mamba"))
		}, facts.Tool{Path: "home/m/bin/mamba", Version: "2.0.5", Source: "path"}},
		{"mamba 1 beside conda", "mamba", func(m *fakeMachine) {
			root := filepath.Join(m.home, "mambaforge")
			m.installConda(root, "bin/conda", "conda-23.11.0-py310hff52083_1.json")
			m.installConda(root, "bin/mamba", "mamba-1.5.8-py310h51d5547_0.json")
			m.put(filepath.Join(root, "conda-meta/mamba-extras-9.9-0.json"), "{}")
		}, facts.Tool{Path: "home/mambaforge/bin/mamba", Version: "1.5.8", Source: "path"}},
		{"a usual folder", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.sys, "opt/conda"), "bin/conda", "conda-4.12.0-py39h06a4308_0.json")
		}, facts.Tool{Path: "sys/opt/conda/bin/conda", Version: "4.12.0", Source: "path"}},
		{"a record of another package", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-libmamba-solver-24.9.0-pyhd8ed1ab_0.json")
		}, facts.Tool{}},
		{"a shim of a version manager", "conda", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".pyenv/shims/conda"), "#!/usr/bin/env bash\nexec pyenv exec conda\n")
			m.environ = append(m.environ, "PATH="+filepath.Join(m.home, ".pyenv/shims"))
		}, facts.Tool{}},
		{"a shim before the real one", "conda", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".asdf/shims/conda"), "#!/usr/bin/env bash\nexec asdf exec conda\n")
			m.installConda(filepath.Join(m.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.environ = append(m.environ, "PATH="+filepath.Join(m.home, ".asdf/shims")+":"+filepath.Join(m.home, "c/bin"))
		}, facts.Tool{Path: "home/c/bin/conda", Version: "24.9.2", Source: "path"}},
		{"a folder of that name", "conda", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, "miniforge3/conda-meta/conda-24.9.2-0.json"), "{}")
			m.mkdir(filepath.Join(m.home, "miniforge3/bin/conda"))
		}, facts.Tool{}},
		{"not executable", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(m.home, "miniforge3/bin/conda"), 0o644)
		}, facts.Tool{}},
		{"writable by others", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(m.home, "miniforge3/bin/conda"), 0o777)
		}, facts.Tool{Refused: "any user of this machine can change BASE/home/miniforge3/bin/conda"}},
		{"in a folder writable by others", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(m.home, "miniforge3/bin"), 0o777)
		}, facts.Tool{Refused: "any user of this machine can change BASE/home/miniforge3/bin/conda"}},
		{"writable by others, and another that is not", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(m.home, "miniforge3/bin/conda"), 0o777)
			m.installConda(filepath.Join(m.sys, "opt/conda"), "bin/conda", "conda-4.12.0-py39h06a4308_0.json")
		}, facts.Tool{Path: "sys/opt/conda/bin/conda", Version: "4.12.0", Source: "path"}},
		{"in the project", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.root, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.environ = append(m.environ, "PATH="+filepath.Join(m.root, "c/bin"), "CONDA_EXE="+filepath.Join(m.root, "c/bin/conda"))
			m.link(filepath.Join(m.root, "c"), filepath.Join(m.home, "miniforge3"))
		}, facts.Tool{}},
		{"in a folder that is a pattern", "conda", func(m *fakeMachine) {
			m.installConda(filepath.Join(m.home, "a[bc]* ?"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			m.environ = append(m.environ, "PATH="+filepath.Join(m.home, "a[bc]* ?/bin"))
		}, facts.Tool{Path: "home/a[bc]* ?/bin/conda", Version: "24.9.2", Source: "path"}},
		{"micromamba, a binary without an installation", "micromamba", func(m *fakeMachine) {
			m.put(filepath.Join(m.home, ".local/bin/micromamba"), elfFile(elf.EM_X86_64, "", ""))
		}, facts.Tool{Path: "home/.local/bin/micromamba", Source: "path"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			fact, reason := m.probe(facts.ToolKey(tt.tool))
			got, ok := fact.(facts.Tool)
			if !ok {
				t.Fatal(reason)
			}
			base := filepath.Dir(m.root)
			want := tt.want
			want.Name = tt.tool
			if want.Path != "" {
				want.Path = filepath.Join(base, want.Path)
			}
			if want.Refused != "" { // only the reason is compared
				want.Refused, want.Path, want.Version, want.Source = expandBase(want.Refused, base), got.Path, got.Version, got.Source
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestLeaks finds distributions in the user site-packages, which a conda interpreter
// imports.
func TestLeaks(t *testing.T) {
	const site = "python3.10/site-packages"
	leak := func(m *fakeMachine, dir string) {
		m.put(filepath.Join(dir, "leak-1.0.dist-info/METADATA"), "Metadata-Version: 2.1\nName: leak\nVersion: 1.0\n")
	}
	for _, tt := range []struct {
		name string
		do   func(m *fakeMachine)
		dir  string // relative to the base folder; "" for no leak
	}{
		{"nothing", func(*fakeMachine) {}, ""},
		{"an empty folder", func(m *fakeMachine) { m.mkdir(filepath.Join(m.home, ".local/lib", site)) }, ""},
		{"the user's site", func(m *fakeMachine) { leak(m, filepath.Join(m.home, ".local/lib", site)) }, "home/.local/lib/" + site},
		{"of another minor version", func(m *fakeMachine) { leak(m, filepath.Join(m.home, ".local/lib/python3.11/site-packages")) }, ""},
		{"PYTHONUSERBASE", func(m *fakeMachine) {
			leak(m, filepath.Join(m.home, "base/lib", site))
			m.environ = append(m.environ, "PYTHONUSERBASE="+filepath.Join(m.home, "base"))
		}, "home/base/lib/" + site},
		{"PYTHONUSERBASE without a leak", func(m *fakeMachine) {
			leak(m, filepath.Join(m.home, ".local/lib", site))
			m.environ = append(m.environ, "PYTHONUSERBASE="+filepath.Join(m.home, "base"))
		}, ""},
		{"no home", func(m *fakeMachine) { m.environ = []string{"PATH=/nowhere"} }, ""},
		{"a Mac", func(m *fakeMachine) {
			m.os, m.arch = "darwin", "arm64"
			leak(m, filepath.Join(m.home, "Library/Python/3.10/lib/python/site-packages"))
			leak(m, filepath.Join(m.home, ".local/lib", site))
		}, "home/Library/Python/3.10/lib/python/site-packages"},
		{"a Mac with PYTHONUSERBASE", func(m *fakeMachine) {
			m.os, m.arch = "darwin", "arm64"
			leak(m, filepath.Join(m.home, "base/lib", site))
			m.environ = append(m.environ, "PYTHONUSERBASE="+filepath.Join(m.home, "base"))
		}, "home/base/lib/" + site},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			for kind, reported := range map[string]bool{"conda": true, "venv": false} {
				p := m.prober()
				p.Environments = map[string]layout.ActiveEnv{"remote": {Path: ".conda/remote", Type: kind, Python: "3.10"}}
				e, err := p.environment("remote")
				want, leaks := "", []string(nil)
				if reported && tt.dir != "" {
					want, leaks = filepath.Join(filepath.Dir(m.root), tt.dir), []string{"leak 1.0"}
				}
				if err != nil || e.LeakDir != want || !slices.Equal(e.Leaks, leaks) {
					t.Errorf("type %s: %q, %v, %v; want %q", kind, e.LeakDir, e.Leaks, err, want)
				}
			}
		})
	}
}

// TestUnreadableUserSite checks that the rest of the environment is reported.
func TestUnreadableUserSite(t *testing.T) {
	m := newMachine(t)
	site := filepath.Join(m.home, ".local/lib/python3.10/site-packages")
	m.mkdir(filepath.Dir(site))
	if err := os.Symlink("site-packages", site); err != nil {
		t.Fatal(err)
	}
	p := m.prober()
	p.Environments = map[string]layout.ActiveEnv{"remote": {Path: ".conda/remote", Type: "conda", Python: "3.10"}}
	if e, err := p.environment("remote"); err != nil || e.Entry != "absent" || e.LeakDir != site || e.Leaks != nil {
		t.Errorf("%+v, %v", e, err)
	}
}
