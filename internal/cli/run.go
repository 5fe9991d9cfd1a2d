package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

func (a *app) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [flags] -- CMD [ARG…]",
		Short: "run a command inside the environment",
		Long: long(`
Starts a command inside the environment of this machine, bound to the generation
that is visible now: what an apply changes later does not reach it. In one of conda the
activation scripts of its packages are sourced first, and packages that the user installed
for himself stay out. Where the environment needs models, HF_HUB_CACHE is the folder of
models in the project, whatever it was. The command takes the place of this program, with its exit code;
everything else of the shell's environment stays as it is.`, readOnly, exitError, exitNotExecutable, exitNotFound),
		Example: "  reconcile run -- python -c 'import pandas; print(pandas.__version__)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("run needs a command: reconcile run -- CMD [ARG…]")
			}
			e, err := a.openEnvironment(cmd.Context())
			if err != nil {
				return err
			}
			generation, err := e.visible()
			if err != nil {
				return err
			}
			if err := e.hasPython(generation); err != nil {
				return err
			}
			environ := inside(e.kind, generation, e.variables, a.environ)
			program, err := lookup(args[0], generation, environ)
			if err != nil {
				return err
			}
			if scripts := activation(e.kind, generation); len(scripts) > 0 {
				shell, err := lookup("bash", generation, environ)
				if err != nil {
					shell = "/bin/sh"
				}
				words := activated(scripts, program, args[1:])
				return notExecutable(program, command.Exec(shell, words, environ))
			}
			return notExecutable(program, command.Exec(program, args[1:], environ))
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// An environment is the one that commands on environments work on, as it stands.
type environment struct {
	*project
	facts.Environment
	kind      string   // "venv", "conda"
	state     string   // this machine's part, relative to root
	variables []string // NAME=value, set for those who enter
}

// openEnvironment finds the project and the environment that commands on
// environments work on.
func (a *app) openEnvironment(ctx context.Context) (*environment, error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	return a.environment(ctx, p)
}

// environment selects the environment of this machine, or the one --env names,
// and probes it.
func (a *app) environment(ctx context.Context, p *project) (*environment, error) {
	m := &machine{project: p, facts: &facts.Facts{}}
	m.facts.Merge(p.base)
	if err := m.choose(a.env); err != nil {
		return nil, err
	}
	if m.env == nil {
		return nil, &diag.Problem{Code: "environment.none", Summary: p.name + " has no environment", Hint: "declare one under `environments`; docs/manifest.md has the keys"}
	}
	if closed := p.closed(); closed != nil {
		return nil, closed
	}
	key := facts.EnvironmentKey(m.env.Name)
	m.facts.Merge(p.probe(ctx, []facts.Key{key}))
	e, ok := facts.Find[facts.Environment](m.facts, key)
	if !ok {
		return nil, unseen(m.facts, key)
	}
	here, ok := facts.Find[facts.Project](m.facts, facts.ProjectKey)
	if !ok {
		return nil, unseen(m.facts, facts.ProjectKey)
	}
	opened := &environment{project: p, Environment: e, kind: m.env.Type, state: here.State}
	for _, v := range p.manifest.Variables(m.env) {
		opened.variables = append(opened.variables, v.Name+"="+p.absolute(v.Path))
	}
	return opened, nil
}

// directory returns the absolute path of a generation.
func (e *environment) directory(generation string) string {
	return filepath.Join(e.root, filepath.FromSlash(layout.Generation(e.state, e.Name, generation)))
}

// visible returns the absolute path of the generation that is visible, or why
// there is none.
func (e *environment) visible() (string, error) {
	if _, ok := e.CurrentGeneration(); ok {
		return e.directory(e.Current), nil
	}
	p := &diag.Problem{
		Code: "environment.absent", Summary: fmt.Sprintf("environment %s is not built on this machine", e.Name),
		Hint: "`reconcile apply` builds it",
	}
	if e.Foreign != "" {
		p.Found = fmt.Sprintf("%s: %s", e.Path, e.Foreign)
		p.Hint = "`reconcile plan` says what is in the way"
	}
	return "", p
}

// hasPython refuses a generation that has lost its interpreter: the shell would go on to
// the next one on PATH without a word.
func (e *environment) hasPython(generation string) error {
	name := filepath.Join(generation, "bin", "python")
	if _, err := os.Stat(name); err != nil {
		return &diag.Problem{
			Code: "environment.damaged", Summary: fmt.Sprintf("environment %s has lost its Python", e.Name), Found: err.Error(),
			Hint: "`reconcile heal` builds a sound one",
		}
	}
	return nil
}

// inside returns the environment variables of a process in a generation: as
// `activate` sets them, with the generation's absolute path. An environment of conda
// would see what the user installed for himself in the same line of Python. variables
// are set beside; nothing else of that name stays, which some programs would find first.
func inside(kind, generation string, variables, environ []string) []string {
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

// activation lists the scripts of packages of conda that set variables for those who
// enter their environment.
func activation(kind, generation string) []string {
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

// activated returns the words of a shell that sources scripts and then becomes the
// program. The text of the shell is always the same; everything else is words. The
// shell is bash where there is one, as with `conda run`: the scripts of compilers are
// written for it.
func activated(scripts []string, program string, args []string) []string {
	const text = `n=$1; shift; while [ "$n" -gt 0 ]; do . "$1"; shift; n=$((n-1)); done; exec "$@"`
	words := append([]string{"-c", text, "reconcile", strconv.Itoa(len(scripts))}, scripts...)
	return append(append(words, program), args...)
}

// lookup finds the program that a word names, in the search path of environ. As in
// a shell, one that is not there ends with 127, one that cannot be started with 126.
func lookup(word, generation string, environ []string) (string, error) {
	if strings.ContainsRune(word, filepath.Separator) {
		return named(word)
	}
	i := slices.IndexFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
	var other error // a file of that name that is no program
	for _, dir := range filepath.SplitList(environ[i][len("PATH="):]) {
		if !filepath.IsAbs(dir) || word == "" {
			continue
		}
		file := filepath.Join(dir, word)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			continue
		}
		program, err := named(file)
		if err == nil {
			return program, nil
		}
		if code, _ := codeOf(err); code == exitNotExecutable && other == nil {
			other = err
		}
	}
	if other != nil {
		return "", other
	}
	return "", &exitCode{exitNotFound, &diag.Problem{
		Code: "run.not-found", Summary: fmt.Sprintf("there is no program %q in the environment or the search path", word),
		Found: "looked first in " + filepath.Join(generation, "bin"),
		Hint:  "if a package brings it, add the package to manifest.yaml, then `reconcile lock` and `reconcile apply`",
	}}
}

// named returns the absolute path of a program, or why the file is none.
func named(file string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return "", &exitCode{exitNotFound, &diag.Problem{Code: "run.not-found", Summary: "there is no program " + file}}
	case err != nil:
		return "", notExecutable(file, err)
	case info.IsDir():
		return "", notExecutable(file, errors.New("it is a directory"))
	case info.Mode()&0o111 == 0:
		return "", notExecutable(file, errors.New("it may not be executed: "+info.Mode().Perm().String()))
	}
	return file, nil
}

// notExecutable says that a file is there and cannot be started.
func notExecutable(file string, err error) error {
	p := &diag.Problem{Code: "run.not-executable", Summary: file + " cannot be executed", Found: err.Error()}
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		p.Hint = "a script needs a first line that names its interpreter, such as #!/bin/sh"
	case errors.Is(err, fs.ErrNotExist):
		p.Hint = "the interpreter that its first line names is not on this machine"
	}
	return &exitCode{exitNotExecutable, p}
}
