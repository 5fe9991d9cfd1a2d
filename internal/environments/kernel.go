package environments

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/kernelspec"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A Kernel is a kernel of Jupyter that starts an environment. Its JSON form is the output of
// the command.
type Kernel struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	File    string `json:"file"`    // its kernel.json, absolute
	Python  string `json:"python"`  // that it starts, absolute
	Outcome string `json:"outcome"` // "created", "updated", "unchanged", "removed", "absent"
}

// InstallKernel writes the kernel of a name for this user. It starts the Python of the
// environment by the path that leads to the active generation. Without a name, that of the
// project and of the environment is used. A kernel that starts another Python is not replaced.
func (e *Environment) InstallKernel(name, display string) (*Kernel, error) {
	if _, err := e.active(); err != nil {
		return nil, err
	}
	g, _ := e.CurrentGeneration()
	hasKernel := slices.ContainsFunc(g.Packages, func(p facts.Package) bool { return p.Name == "ipykernel" }) ||
		slices.ContainsFunc(g.Conda, func(p facts.CondaPackage) bool { return p.Name == "ipykernel" })
	if !hasKernel {
		return nil, &diag.Problem{
			Code: "kernel.package", Summary: fmt.Sprintf("environment %s has no ipykernel, which the kernel starts", e.Env.Name), Hint: "`reconcile add ipykernel`",
		}
	}
	k, old, err := e.kernel(name)
	if err != nil {
		return nil, err
	}
	text, err := kernelspec.New(k.Python, cmp.Or(display, e.Manifest.Project+" ("+e.Env.Name+")")).Encode()
	switch {
	case err != nil:
		return nil, err
	case bytes.Equal(old, text):
		k.Outcome = "unchanged"
		return k, nil
	}
	k.Outcome = "updated"
	if old == nil {
		k.Outcome = "created"
	}
	folder := filepath.Dir(k.File)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return k, atomicfile.Write(root, filepath.Base(k.File), 0o644, text)
}

// RemoveKernel removes the kernel that InstallKernel wrote. Other files in its folder stay.
func (e *Environment) RemoveKernel(name string) (*Kernel, error) {
	k, old, err := e.kernel(name)
	switch {
	case err != nil:
		return nil, err
	case old == nil:
		k.Outcome = "absent"
		return k, nil
	}
	k.Outcome = "removed"
	if err := os.Remove(k.File); err != nil {
		return nil, err
	}
	_ = os.Remove(filepath.Dir(k.File)) // which fails if it has other files
	return k, nil
}

// kernel returns the kernel of a name, and the content of its file; nil for none. A kernel
// that does not start this environment is an error.
func (e *Environment) kernel(name string) (*Kernel, []byte, error) {
	name = cmp.Or(name, kernelspec.NameOf(e.Manifest.Project+"-"+e.Env.Name))
	if !kernelspec.IsName(name) {
		return nil, nil, &diag.Problem{
			Code: "kernel.name", Summary: fmt.Sprintf("%q is not a name for a kernel", name),
			Found: "Jupyter accepts lower case letters, digits, dots, dashes and underscores",
			Hint:  "`reconcile kernel --name " + kernelspec.NameOf(name) + "`",
		}
	}
	folder := kernelspec.Folder(e.Config.Getenv, e.Config.Home())
	if folder == "" {
		return nil, nil, &diag.Problem{Code: "kernel.home", Summary: "the folder of Jupyter's kernels is not known", Found: "HOME and JUPYTER_DATA_DIR are not set", Hint: "set JUPYTER_DATA_DIR to an absolute path"}
	}
	place := e.Target.Path(e.Environment.Path)
	k := &Kernel{Version: 1, Name: name, File: filepath.Join(folder, name, "kernel.json"), Python: filepath.Join(place, "bin", "python")}
	old, err := rawfile.ReadFile(k.File, kernelspec.MaxSize, rawfile.NoFollow)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	program := kernelspec.Program(old)
	generations := e.Target.Path(layout.Environment(e.state, e.Env.Name))
	if !strings.HasPrefix(program, place+"/") && !strings.HasPrefix(program, generations+"/") {
		return nil, nil, &diag.Problem{
			Code: "kernel.foreign", Summary: fmt.Sprintf("the kernel %s exists and does not start environment %s", name, e.Env.Name),
			Found: fmt.Sprintf("%s starts %q", k.File, program),
			Hint:  "`reconcile kernel --name " + name + "-2` takes another name",
		}
	}
	return k, old, nil
}
