package generation

import (
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An Installer knows the words with which uv or pip puts distributions into a
// generation.
type Installer struct {
	Root string     // of the project
	UV   facts.Tool // no path: pip
	// Base is the interpreter whose pip is used where there is no uv; without a path
	// the environment has a pip of its own.
	Base facts.Interpreter
}

// UV returns the uv to use, or one without a path where pip is to be used. choice
// is "auto", "uv" or "pip".
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

// UVFlags keep uv from everything that is not named here: configuration files,
// other Pythons, downloads of Python. Variables of uv are not inherited.
func (i Installer) UVFlags() []string {
	return []string{"--no-config", "--no-python-downloads", "--color", "never", "--no-progress", "--cache-dir", path.Join(i.Root, layout.Cache("uv"))}
}

// Install writes the requirements file and puts what it names into a generation.
func (i Installer) Install(generation string, dists []lock.Dist, spoilt []string) []resources.Step {
	var steps []resources.Step
	if len(spoilt) > 0 {
		steps = i.forget(spoilt)
	}
	requirements := path.Join(path.Dir(layout.Seal(generation)), "requirements.txt") // the generation is new: nothing stands there
	return append(
		steps,
		resources.WriteFile{Path: requirements, Mode: 0o644, Content: lock.HashedRequirements(dists)},
		i.run(generation, path.Join(i.Root, requirements)),
	)
}

// forget drops dists from uv's cache. Where files are hard links, a file that was
// changed in place in a generation is changed in the cache as well, and would be
// installed again. The cache of pip holds wheels, which no environment links to.
func (i Installer) forget(names []string) []resources.Step {
	if i.UV.Path == "" {
		return nil
	}
	args := append([]string{"cache", "clean"}, i.UVFlags()...)
	return []resources.Step{resources.Run{Program: i.UV.Path, SHA256: i.UV.SHA256, Args: append(append(args, "--"), names...)}}
}

// run puts the dists of the requirements file into the environment. Link mode
// clone is copy-on-write where the file system has it, else hard links, else
// copies. uv asks the index even for what its cache holds, so it is first told to
// do without; the hashes decide what is installed, not where it lay.
func (i Installer) run(generation, requirements string) resources.Step {
	prefix := path.Join(i.Root, generation)
	if i.UV.Path == "" {
		program, words := path.Join(prefix, "bin", "python"), []string{"-I", "-m", "pip"}
		if i.Base.Path != "" {
			program, words, _ = resources.PipCommand(i.Base, prefix)
		}
		words = append(words, resources.PipInstall(path.Join(i.Root, layout.Cache("pip")))...)
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
