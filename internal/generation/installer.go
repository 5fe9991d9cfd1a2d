package generation

import (
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An Installer returns the commands of uv or pip that install distributions into a
// generation.
type Installer struct {
	Store string     // of the user
	UV    facts.Tool // without a path: use pip
	// Base is the interpreter whose pip is used without uv; if its path is empty, the
	// environment contains pip.
	Base facts.Interpreter
}

// SelectUV returns the uv to use, without a path if pip is to be used. choice is "auto",
// "uv" or "pip".
func SelectUV(v facts.View, choice string) facts.Tool {
	if choice == "pip" {
		return facts.Tool{}
	}
	uv := facts.Get[facts.Tool](v, facts.ToolKey("uv"))
	if uv.Refused != "" {
		return facts.Tool{}
	}
	return uv
}

// UVFlags returns the flags that keep uv from reading configuration files and from
// downloading Python. Its environment variables are not inherited.
func (i Installer) UVFlags() []string {
	return []string{"--no-config", "--no-python-downloads", "--color", "never", "--no-progress", "--cache-dir", layout.Cache(i.Store, "uv")}
}

// Install returns the steps that write the requirements file and install from it.
func (i Installer) Install(generation string, dists []lock.Dist, modified []string) []resources.Step {
	var steps []resources.Step
	if len(modified) > 0 {
		steps = i.forget(modified)
	}
	requirements := path.Join(path.Dir(layout.Seal(generation)), "requirements.txt") // the generation is new
	return append(
		steps,
		resources.WriteFile{Path: requirements, Mode: 0o644, Internal: true, Content: lock.HashedRequirements(dists)},
		i.run(generation, requirements),
	)
}

// forget returns the step that removes dists from the cache of uv. A hard-linked file that
// was changed in a generation is changed in the cache too, and would be installed again. The
// cache of pip contains wheels, to which no environment links.
func (i Installer) forget(names []string) []resources.Step {
	if i.UV.Path == "" {
		return nil
	}
	args := append([]string{"cache", "clean"}, i.UVFlags()...)
	return []resources.Step{resources.Run{Program: i.UV.Path, SHA256: i.UV.SHA256, Args: append(append(args, "--"), names...)}}
}

// run returns the step that installs the requirements file. Link mode clone uses
// copy-on-write if the file system supports it, else hard links, else copies. uv queries
// the index even for cached packages, so it runs offline first; the hashes determine
// what is installed.
func (i Installer) run(generation, requirements string) resources.Step {
	prefix := generation
	if i.UV.Path == "" {
		program, words := path.Join(prefix, "bin", "python"), []string{"-I", "-m", "pip"}
		if i.Base.Path != "" {
			program, words, _ = resources.PipCommand(i.Base, prefix)
		}
		words = append(words, resources.PipInstall(layout.Cache(i.Store, "pip"))...)
		words = append(words, "-r", requirements)
		return resources.Run{Program: program, Args: words, Env: resources.PipEnv(), Index: true, Writes: generation}
	}
	args := append([]string{"pip", "install"}, i.UVFlags()...)
	args = append(args,
		"--python", path.Join(prefix, "bin", "python"), "--link-mode", "clone",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", requirements)
	offline := append(slices.Clone(args), "--offline")
	return resources.Run{Program: i.UV.Path, SHA256: i.UV.SHA256, Args: args, Offline: offline, Index: true, Writes: generation}
}
