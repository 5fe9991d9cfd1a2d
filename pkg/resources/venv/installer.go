package venv

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An installer knows the words of uv or pip for one generation.
type installer struct {
	spec *Spec
	root string // of the project
	dir  string // the generation, relative to root
	base facts.Interpreter
	uv   facts.Tool // no path: pip
}

func (s *Spec) installer(v facts.View, w wanted, dir string) installer {
	return installer{spec: s, root: w.project.Root, dir: dir, base: w.base, uv: s.uv(v)}
}

// uv returns the uv to use, or one without a path where pip is to be used.
func (s *Spec) uv(v facts.View) facts.Tool {
	if s.Installer == "pip" {
		return facts.Tool{}
	}
	uv := facts.Get[facts.Tool](v, facts.ToolKey("uv"))
	if uv.Refused != "" {
		return facts.Tool{}
	}
	return uv
}

// noInstaller is the Problem of a machine with neither uv nor pip.
func (s *Spec) noInstaller(v facts.View, base facts.Interpreter) *diag.Problem {
	if s.uv(v).Path != "" {
		return nil
	}
	_, _, pip := resources.PipWords(base, "")
	switch {
	case s.Installer == "uv":
		return &diag.Problem{
			Code: "environment.installer", Summary: "uv is not available on this machine",
			Hint: "install uv and put it on PATH, or choose `installer: auto`",
		}
	case !pip:
		return &diag.Problem{
			Code: "environment.installer", Summary: fmt.Sprintf("there is no uv on this machine, and %s has no pip", base.Path),
			Hint: fmt.Sprintf("install uv, or on Debian and Ubuntu run `sudo apt install python%s-venv`", s.Python),
		}
	}
	return nil
}

// absolute is the generation as programs need it.
func (i installer) absolute() string { return path.Join(i.root, i.dir) }

// uvFlags keep uv from everything that is not named here: configuration files,
// other Pythons, downloads of Python. Variables of uv are not inherited.
func (i installer) uvFlags() []string {
	return []string{"--no-config", "--no-python-downloads", "--color", "never", "--no-progress", "--cache-dir", path.Join(i.root, layout.Cache("uv"))}
}

// create makes the empty environment at its final place.
func (i installer) create() resources.Step {
	if i.uv.Path == "" {
		return resources.Run{
			Program: i.base.Path,
			Args:    []string{"-I", "-m", "venv", "--without-pip", "--prompt=" + i.spec.Prompt, "--", i.absolute()},
			Writes:  i.dir,
		}
	}
	args := append([]string{"venv"}, i.uvFlags()...)
	args = append(args, "--no-project", "--python", i.base.Path, "--prompt="+i.spec.Prompt, "--", i.absolute())
	return resources.Run{Program: i.uv.Path, SHA256: i.uv.SHA256, Args: args, Writes: i.dir}
}

// forget drops dists from uv's cache. Where files are hard links, a file that was
// changed in place in a generation is changed in the cache as well, and would be
// installed again. The cache of pip holds wheels, which no environment links to.
func (i installer) forget(names []string) []resources.Step {
	if i.uv.Path == "" {
		return nil
	}
	args := append([]string{"cache", "clean"}, i.uvFlags()...)
	return []resources.Step{resources.Run{Program: i.uv.Path, SHA256: i.uv.SHA256, Args: append(append(args, "--"), names...)}}
}

// install puts the dists of the requirements file into the environment. Link
// mode clone is copy-on-write where the file system has it, else hard links,
// else copies. uv asks the index even for what its cache holds, so it is first
// told to do without; the hashes decide what is installed, not where it lay.
func (i installer) install() resources.Step {
	requirements := path.Join(i.root, requirementsFile(i.dir))
	if i.uv.Path == "" {
		program, words, _ := resources.PipWords(i.base, i.absolute())
		words = append(words, resources.PipInstall(path.Join(i.root, layout.Cache("pip")))...)
		words = append(words, "-r", requirements)
		return resources.Run{Program: program, Args: words, Env: resources.PipEnv(), Index: true, Writes: i.dir}
	}
	args := append([]string{"pip", "install"}, i.uvFlags()...)
	args = append(args,
		"--python", path.Join(i.absolute(), "bin", "python"), "--link-mode", "clone",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", requirements)
	offline := append(slices.Clone(args), "--offline")
	return resources.Run{Program: i.uv.Path, SHA256: i.uv.SHA256, Args: args, Offline: offline, Index: true, Writes: i.dir}
}

// foreignLibc is the Problem of a machine whose C library the locked wheels do
// not run on. A version that is not known is left to the installer.
func (s *Spec) foreignLibc(host facts.Host) *diag.Problem {
	if host.Libc.Name == "musl" {
		return &diag.Problem{
			Code: "environment.libc", Summary: "the lock holds wheels for glibc, and this machine has musl",
			Hint: "use a system with glibc: Debian, Ubuntu, Fedora",
		}
	}
	digits, ok := strings.CutPrefix(host.Libc.Version, "2.")
	have, err := strconv.Atoi(digits)
	if !ok || err != nil || host.Libc.Name != "glibc" {
		return nil
	}
	var newer []string
	least := 0
	for _, d := range s.Closure {
		for _, w := range d.Wheels {
			if n := lock.Glibc(w.File); n > have {
				newer = append(newer, fmt.Sprintf("%s needs glibc 2.%d", w.File, n))
				least = max(least, n)
			}
		}
	}
	if len(newer) == 0 {
		return nil
	}
	return &diag.Problem{
		Code:    "environment.libc",
		Summary: fmt.Sprintf("this machine has glibc %s, and %s newer", host.Libc.Version, needs(len(newer))),
		Found:   strings.Join(newer[:min(len(newer), 10)], "\n"),
		Hint:    fmt.Sprintf("use a system with glibc 2.%d or newer, or pin versions whose wheels need less", least),
	}
}

func needs(n int) string {
	if n == 1 {
		return "1 locked wheel needs a"
	}
	return fmt.Sprintf("%d locked wheels need a", n)
}
