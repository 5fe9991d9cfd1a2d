package environments

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lease"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// Exec replaces this process by a program in the active generation. It returns only if
// that fails.
func (e *Environment) Exec(program string, args []string) error {
	generation, err := e.active()
	if err != nil {
		return err
	}
	// Without its own Python, the search would go on to the next one on PATH silently.
	if _, err := os.Stat(filepath.Join(generation, "bin", "python")); err != nil {
		return &diag.Problem{
			Code: "environment.damaged", Summary: fmt.Sprintf("the Python of environment %s is missing", e.Env.Name), Found: err.Error(),
			Hint: "`reconcile heal" + e.Flags(e.Env) + "` builds an intact one",
		}
	}
	var variables []string
	for _, v := range e.Manifest.Variables(e.Env) {
		variables = append(variables, v.Name+"="+e.Target.Path(v.Path))
	}
	environ := Environ(e.Env.Type, generation, variables, e.Config.Environ)
	program, err = lookup(program, generation, environ)
	if err != nil {
		return err
	}
	// Without a lease, as in a read-only store, the program runs all the same.
	_ = lease.Write(layout.Leases(e.state), generation, e.isNetwork(), time.Now())
	scripts := activationScripts(e.Env.Type, generation)
	if len(scripts) == 0 {
		return notExecutable(program, command.Exec(program, args, environ))
	}
	shell, err := lookup("bash", generation, environ)
	if err != nil {
		shell = "/bin/sh"
	}
	return notExecutable(program, command.Exec(shell, sourcing(scripts, program, args), environ))
}

// Environ returns the environment variables of a process in a generation: as `activate`
// sets them, with the generation's absolute path. In a conda environment PYTHONNOUSERSITE
// is set, or Python would import what the user installed for the same minor version.
// variables replace those of the same name in environ: some programs use the first of two.
func Environ(kind, generation string, variables, environ []string) []string {
	var out []string
	search := ""
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(variables, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
			continue
		}
		switch name {
		case "PATH":
			search = string(os.PathListSeparator) + value
		case "VIRTUAL_ENV", "PYTHONHOME", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "PYTHONNOUSERSITE":
		default:
			out = append(out, kv)
		}
	}
	out = append(out, variables...)
	out = append(out, "PATH="+filepath.Join(generation, "bin")+search)
	if kind == "conda" {
		return append(out, "CONDA_PREFIX="+generation, "CONDA_DEFAULT_ENV="+generation, "CONDA_SHLVL=1", "PYTHONNOUSERSITE=1")
	}
	return append(out, "VIRTUAL_ENV="+generation)
}

// activationScripts returns the scripts, sorted, with which conda packages set variables on
// activation. Those of reconcile are for conda clients, and are omitted: Environ does the
// same.
func activationScripts(kind, generation string) []string {
	if kind != "conda" {
		return nil
	}
	folder := filepath.Join(generation, "etc/conda/activate.d")
	names, _ := fs.Glob(os.DirFS(folder), "*.sh") // sorted
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, pyenv.ActivateName+".") })
	for i := range names {
		names[i] = filepath.Join(folder, names[i])
	}
	return names
}

// sourcing returns the arguments of a shell that sources scripts and then becomes the
// program. The text is constant; everything else is arguments. The shell is bash if there
// is one, as with `conda run`: the scripts of compilers are written for it.
func sourcing(scripts []string, program string, args []string) []string {
	const text = `n=$1; shift; while [ "$n" -gt 0 ]; do . "$1"; shift; n=$((n-1)); done; exec "$@"`
	words := append([]string{"-c", text, "reconcile", strconv.Itoa(len(scripts))}, scripts...)
	return append(append(words, program), args...)
}

// lookup returns the absolute path of a program, which it searches in the PATH of environ
// unless its name contains a slash. As in a shell, the exit code of the error is 127 if it
// is missing, 126 if it cannot be executed.
func lookup(word, generation string, environ []string) (string, error) {
	if strings.ContainsRune(word, filepath.Separator) {
		return programAt(word)
	}
	i := slices.IndexFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
	var other error // a file of that name that cannot be executed
	for _, dir := range filepath.SplitList(strings.TrimPrefix(environ[i], "PATH=")) {
		if !filepath.IsAbs(dir) || word == "" {
			continue
		}
		file := filepath.Join(dir, word)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			continue
		}
		program, err := programAt(file)
		if err == nil {
			return program, nil
		}
		if code, _ := exit.CodeOf(err); code == exit.NotExecutable && other == nil {
			other = err
		}
	}
	if other != nil {
		return "", other
	}
	return "", exit.With(exit.NotFound, &diag.Problem{
		Code: "run.not-found", Summary: fmt.Sprintf("there is no program %q in the environment or the search path", word),
		Found: "searched first in " + filepath.Join(generation, "bin"),
		Hint:  "if a package brings it, add the package to manifest.yaml, then `reconcile lock` and `reconcile apply`",
	})
}

// programAt returns the absolute path of a program, or why it cannot be executed; see lookup
// for the exit codes.
func programAt(file string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	err = command.CheckExecutable(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", exit.With(exit.NotFound, &diag.Problem{Code: "run.not-found", Summary: "there is no program " + file})
	}
	if err != nil {
		return "", notExecutable(file, err)
	}
	return file, nil
}

// notExecutable returns the problem that a file exists and cannot be started.
func notExecutable(file string, err error) error {
	p := &diag.Problem{Code: "run.not-executable", Summary: file + " cannot be executed", Found: err.Error()}
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		p.Hint = "a script needs a first line that names its interpreter, such as #!/bin/sh"
	case errors.Is(err, fs.ErrNotExist):
		p.Hint = "the interpreter that its first line names is not on this machine"
	}
	return exit.With(exit.NotExecutable, p)
}
