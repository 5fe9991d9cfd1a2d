package probes

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// condaIn lays out an installation of conda with one client: its program in a folder
// of the installation, and its record.
func (w *world) condaIn(root, program, record string) {
	w.t.Helper()
	w.put(filepath.Join(root, program), "#!"+root+"/bin/python\n")
	w.put(filepath.Join(root, "conda-meta", record), "{}")
}

func TestCondaTool(t *testing.T) {
	tests := []struct {
		name string
		tool string
		do   func(w *world)
		want facts.Tool // Path relative to the world
	}{
		{"none", "conda", func(*world) {}, facts.Tool{}},
		{"on PATH", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-23.1.0-py310_0.json")
			w.environ = append(w.environ, "PATH="+filepath.Join(w.home, "c/bin"))
		}, facts.Tool{Path: "home/c/bin/conda", Version: "24.9.2", Source: "path"}},
		{"condabin on PATH, as conda init leaves it", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "c"), "condabin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.environ = append(w.environ, "PATH="+filepath.Join(w.home, "c/condabin"))
		}, facts.Tool{Path: "home/c/condabin/conda", Version: "24.9.2", Source: "path"}},
		{"a link to it on PATH", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.link(filepath.Join(w.home, "c/bin/conda"), filepath.Join(w.home, "links/conda"))
			w.environ = append(w.environ, "PATH="+filepath.Join(w.home, "links"))
		}, facts.Tool{Path: "home/links/conda", Version: "24.9.2", Source: "path"}},
		{"CONDA_EXE", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-23.1.0-py310_0.json")
			w.environ = append(w.environ, "CONDA_EXE="+filepath.Join(w.home, "c/bin/conda"))
		}, facts.Tool{Path: "home/c/bin/conda", Version: "24.9.2", Source: "path"}},
		{"CONDA_EXE of another program", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "c"), "bin/evil", "conda-24.9.2-py312h7900ff3_0.json")
			w.environ = append(w.environ, "CONDA_EXE="+filepath.Join(w.home, "c/bin/evil"))
		}, facts.Tool{}},
		{"CONDA_EXE without a folder", "conda", func(w *world) {
			w.condaIn(w.root, "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.environ = append(w.environ, "CONDA_EXE=bin/conda")
		}, facts.Tool{}},
		{"MAMBA_EXE of version 2, a binary", "mamba", func(w *world) {
			root := filepath.Join(w.home, "m")
			w.condaIn(root, "bin/mamba", "mamba-2.0.5-h3cdc715_1.json")
			w.put(filepath.Join(root, "bin/mamba"), elfFile(elf.EM_X86_64, "", ""))
			w.environ = append(w.environ, "MAMBA_EXE="+filepath.Join(root, "bin/mamba"))
		}, facts.Tool{Path: "home/m/bin/mamba", Version: "2.0.5", Source: "path"}},
		{"mamba 1 beside conda", "mamba", func(w *world) {
			root := filepath.Join(w.home, "mambaforge")
			w.condaIn(root, "bin/conda", "conda-23.11.0-py310hff52083_1.json")
			w.condaIn(root, "bin/mamba", "mamba-1.5.8-py310h51d5547_0.json")
			w.put(filepath.Join(root, "conda-meta/mamba-extras-9.9-0.json"), "{}")
		}, facts.Tool{Path: "home/mambaforge/bin/mamba", Version: "1.5.8", Source: "path"}},
		{"a usual place", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.sys, "opt/conda"), "bin/conda", "conda-4.12.0-py39h06a4308_0.json")
		}, facts.Tool{Path: "sys/opt/conda/bin/conda", Version: "4.12.0", Source: "path"}},
		{"a record of another package", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-libmamba-solver-24.9.0-pyhd8ed1ab_0.json")
		}, facts.Tool{}},
		{"a shim of a version manager", "conda", func(w *world) {
			w.put(filepath.Join(w.home, ".pyenv/shims/conda"), "#!/usr/bin/env bash\nexec pyenv exec conda\n")
			w.environ = append(w.environ, "PATH="+filepath.Join(w.home, ".pyenv/shims"))
		}, facts.Tool{}},
		{"a shim before the real one", "conda", func(w *world) {
			w.put(filepath.Join(w.home, ".asdf/shims/conda"), "#!/usr/bin/env bash\nexec asdf exec conda\n")
			w.condaIn(filepath.Join(w.home, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.environ = append(w.environ, "PATH="+filepath.Join(w.home, ".asdf/shims")+":"+filepath.Join(w.home, "c/bin"))
		}, facts.Tool{Path: "home/c/bin/conda", Version: "24.9.2", Source: "path"}},
		{"a folder of that name", "conda", func(w *world) {
			w.put(filepath.Join(w.home, "miniforge3/conda-meta/conda-24.9.2-0.json"), "{}")
			w.mkdir(filepath.Join(w.home, "miniforge3/bin/conda"))
		}, facts.Tool{}},
		{"not executable", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(w.home, "miniforge3/bin/conda"), 0o644)
		}, facts.Tool{}},
		{"open to all", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(w.home, "miniforge3/bin/conda"), 0o777)
		}, facts.Tool{Refused: "any user of this machine can change WORLD/home/miniforge3/bin/conda"}},
		{"in a folder that is open to all", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(w.home, "miniforge3/bin"), 0o777)
		}, facts.Tool{Refused: "any user of this machine can change WORLD/home/miniforge3/bin/conda"}},
		{"open to all, and another that is not", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "miniforge3"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			os.Chmod(filepath.Join(w.home, "miniforge3/bin/conda"), 0o777)
			w.condaIn(filepath.Join(w.sys, "opt/conda"), "bin/conda", "conda-4.12.0-py39h06a4308_0.json")
		}, facts.Tool{Path: "sys/opt/conda/bin/conda", Version: "4.12.0", Source: "path"}},
		{"in the project", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.root, "c"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.environ = append(w.environ, "PATH="+filepath.Join(w.root, "c/bin"), "CONDA_EXE="+filepath.Join(w.root, "c/bin/conda"))
			w.link(filepath.Join(w.root, "c"), filepath.Join(w.home, "miniforge3"))
		}, facts.Tool{}},
		{"in a folder that is a pattern", "conda", func(w *world) {
			w.condaIn(filepath.Join(w.home, "a[bc]* ?"), "bin/conda", "conda-24.9.2-py312h7900ff3_0.json")
			w.environ = append(w.environ, "PATH="+filepath.Join(w.home, "a[bc]* ?/bin"))
		}, facts.Tool{Path: "home/a[bc]* ?/bin/conda", Version: "24.9.2", Source: "path"}},
		{"micromamba, a binary without an installation", "micromamba", func(w *world) {
			w.put(filepath.Join(w.home, ".local/bin/micromamba"), elfFile(elf.EM_X86_64, "", ""))
		}, facts.Tool{Path: "home/.local/bin/micromamba", Source: "path"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.do(w)
			fact, reason := w.probe(facts.ToolKey(tt.tool))
			got, ok := fact.(facts.Tool)
			if !ok {
				t.Fatal(reason)
			}
			base := filepath.Dir(w.root)
			want := tt.want
			want.Name = tt.tool
			if want.Path != "" {
				want.Path = filepath.Join(base, want.Path)
			}
			if want.Refused != "" { // where it lies is not asked for
				want.Refused, want.Path, want.Version, want.Source = replaceWorld(want.Refused, base), got.Path, got.Version, got.Source
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestProjectInAPattern finds a wheel that stays packed in a project whose folder a
// shell, or a glob, would expand.
func TestProjectInAPattern(t *testing.T) {
	w := newWorld(t)
	w.root = filepath.Join(filepath.Dir(w.root), "a[bc]* ?")
	folder := filepath.Join(w.root, layout.Tool("linux-x86_64", "rattler", "0.28.0"))
	w.put(filepath.Join(folder, "py_rattler-0.28.0-cp310-abi3-manylinux_2_17_x86_64.whl"), "PK")
	w.put(filepath.Join(folder, "complete"), strings.Repeat("ab", 32)+"\n")
	fact, reason := w.probe(facts.ToolKey("rattler"))
	if got, ok := fact.(facts.Tool); !ok || got.Version != "0.28.0" || got.Source != "reconcile" || filepath.Dir(got.Path) != folder {
		t.Errorf("%+v, %s", fact, reason)
	}
}

// TestLeaks finds what a user installed for himself, which an interpreter of conda
// would see.
func TestLeaks(t *testing.T) {
	const site = "python3.10/site-packages"
	leak := func(w *world, dir string) {
		w.put(filepath.Join(dir, "leak-1.0.dist-info/METADATA"), "Metadata-Version: 2.1\nName: leak\nVersion: 1.0\n")
	}
	for _, tt := range []struct {
		name string
		do   func(w *world)
		dir  string // relative to the world; "" for no leak
	}{
		{"nothing", func(*world) {}, ""},
		{"an empty folder", func(w *world) { w.mkdir(filepath.Join(w.home, ".local/lib", site)) }, ""},
		{"the user's site", func(w *world) { leak(w, filepath.Join(w.home, ".local/lib", site)) }, "home/.local/lib/" + site},
		{"of another line", func(w *world) { leak(w, filepath.Join(w.home, ".local/lib/python3.11/site-packages")) }, ""},
		{"PYTHONUSERBASE", func(w *world) {
			leak(w, filepath.Join(w.home, "base/lib", site))
			w.environ = append(w.environ, "PYTHONUSERBASE="+filepath.Join(w.home, "base"))
		}, "home/base/lib/" + site},
		{"PYTHONUSERBASE, and nothing there", func(w *world) {
			leak(w, filepath.Join(w.home, ".local/lib", site))
			w.environ = append(w.environ, "PYTHONUSERBASE="+filepath.Join(w.home, "base"))
		}, ""},
		{"no home", func(w *world) { w.environ = []string{"PATH=/nowhere"} }, ""},
		{"a Mac", func(w *world) {
			w.os, w.arch = "darwin", "arm64"
			leak(w, filepath.Join(w.home, "Library/Python/3.10/lib/python/site-packages"))
			leak(w, filepath.Join(w.home, ".local/lib", site))
		}, "home/Library/Python/3.10/lib/python/site-packages"},
		{"a Mac with PYTHONUSERBASE", func(w *world) {
			w.os, w.arch = "darwin", "arm64"
			leak(w, filepath.Join(w.home, "base/lib", site))
			w.environ = append(w.environ, "PYTHONUSERBASE="+filepath.Join(w.home, "base"))
		}, "home/base/lib/" + site},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.do(w)
			for kind, sees := range map[string]bool{"conda": true, "venv": false} {
				p := w.prober()
				p.Environments = map[string]layout.ActiveEnv{"remote": {Path: ".conda/remote", Type: kind, Python: "3.10"}}
				e, err := p.environment("remote")
				want, leaks := "", []string(nil)
				if sees && tt.dir != "" {
					want, leaks = filepath.Join(filepath.Dir(w.root), tt.dir), []string{"leak 1.0"}
				}
				if err != nil || e.LeakDir != want || !slices.Equal(e.Leaks, leaks) {
					t.Errorf("type %s: %q, %v, %v; want %q", kind, e.LeakDir, e.Leaks, err, want)
				}
			}
		})
	}
}

// TestUserSiteThatCannotBeListed leaves the environment as it was seen.
func TestUserSiteThatCannotBeListed(t *testing.T) {
	w := newWorld(t)
	site := filepath.Join(w.home, ".local/lib/python3.10/site-packages")
	w.mkdir(filepath.Dir(site))
	if err := os.Symlink("site-packages", site); err != nil {
		t.Fatal(err)
	}
	p := w.prober()
	p.Environments = map[string]layout.ActiveEnv{"remote": {Path: ".conda/remote", Type: "conda", Python: "3.10"}}
	if e, err := p.environment("remote"); err != nil || e.Entry != "absent" || e.LeakDir != site || e.Leaks != nil {
		t.Errorf("%+v, %v", e, err)
	}
}
