package manifest

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Directory is one of the project's folders, at the same path on every machine.
type Directory struct {
	Name    string // "data_raw"
	Path    string // relative, clean; absolute where a host allows it
	Purpose string
	Mode    facts.Mode // 0 if not asked for
	Protect bool
	Pos     diag.Pos
	pathPos diag.Pos
}

// Constant returns the name of a directory in scripts: DATA_RAW for data_raw,
// MODELS_DIR for models. A single word gets _DIR, so that it says what it is.
func (d *Directory) Constant() string {
	upper := strings.ToUpper(d.Name)
	if strings.Contains(upper, "_") {
		return upper
	}
	return upper + "_DIR"
}

// ProjectRoot is the constant of the project's own folder, beside those of directories.
const ProjectRoot = "PROJECT_ROOT"

// readByPrograms begin names of variables that loaders, shells and tools of this field
// act on.
var readByPrograms = []string{
	"BASH_", "CONDA_", "CUDA_", "CURL_", "DYLD_", "GCONV_", "GIT_", "GLIBC_", "HF_", "HUGGINGFACE_", "JAVA_", "LC_", "LD_", "MALLOC_",
	"NCCL_", "NODE_", "NVIDIA_", "PERL5_", "PIP_", "PROMPT_", "PYTHON_", "PYTORCH_", "RECONCILE_", "REQUESTS_", "SSH_", "SSL_", "SUDO_",
	"TORCH_", "TRANSFORMERS_", "TRITON_", "UV_", "VIRTUAL_", "WANDB_", "XDG_", "ZSH_",
}

// Exports reports whether a shell can be given the constant of a directory as a
// variable: nothing that starts a program or loads a library acts on its name.
func (d *Directory) Exports() bool {
	name := d.Constant()
	return !slices.ContainsFunc(readByPrograms, func(p string) bool { return strings.HasPrefix(name, p) })
}

// constants reports directories that would share a constant, with one another or with
// the project.
func (l *loader) constants() {
	const suffix = "_dir"
	var single map[string]diag.Pos // directories of one word, only where another may have their constant
	for i := range l.m.Directories {
		d := &l.m.Directories[i]
		if d.Constant() == ProjectRoot {
			l.report(d.Pos.Line, d.Pos.Col, diag.Problem{
				Code: "manifest.name", Summary: quote(d.Name) + " would have the constant " + ProjectRoot + ", which is that of the project", Hint: "choose another name",
			})
		}
		word, cut := strings.CutSuffix(d.Name, suffix)
		if !cut || strings.Contains(word, "_") {
			continue
		}
		if single == nil {
			single = make(map[string]diag.Pos)
			for k := range l.m.Directories {
				single[l.m.Directories[k].Name] = l.m.Directories[k].Pos
			}
		}
		if other, ok := single[word]; ok {
			l.report(d.Pos.Line, d.Pos.Col, diag.Problem{
				Code: "manifest.name", Summary: fmt.Sprintf("%s and %s would both have the constant %s", quote(d.Name), quote(word), d.Constant()),
				Found: "the other one at " + other.String(), Hint: "rename one of them",
			})
		}
	}
}

var directoryShape = shape{"a directory", []string{"path", "purpose", "mode", "protect"}, 1}

// directories reads the section of that name. It runs a hundred thousand times
// in a large manifest: no allocation but those of the result.
func (l *loader) directories(n *yaml.Node) {
	if n != nil {
		l.m.Directories = make([]Directory, 0, len(n.Content)/2)
	}
	l.entries(n, "directories", func(key, value *yaml.Node) {
		ok := l.name(key, "a directory", isSnake, snakeRule)
		d := Directory{Name: key.Value, Pos: l.at(key)}
		var v [4]*yaml.Node
		if !l.object(value, &directoryShape, v[:]) {
			return
		}
		if v[0] != nil {
			d.Path, d.pathPos = l.path(v[0], "path"), l.at(v[0])
		}
		d.Purpose = l.optionalText(v[1], "purpose")
		if v[2] != nil {
			d.Mode = l.mode(v[2])
		}
		d.Protect = v[3] != nil && l.boolean(v[3], "protect")
		if ok && d.Path != "" {
			l.m.Directories = append(l.m.Directories, d)
		}
	})
	l.constants()
}

// optionalText returns a value of one line, "" where there is none.
func (l *loader) optionalText(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	v, _ := l.text(n, what)
	return v
}

// A Place is where one of the project's directories lies instead, on one host
// or with one environment. A link stands at the common path.
type Place struct {
	Directory string
	Path      string
	Pos       diag.Pos
	pathPos   diag.Pos
}

var placeShape = shape{"the place of a directory", []string{"path"}, 1}

// places reads overrides of directories.
func (l *loader) places(n *yaml.Node) (places []Place) {
	l.entries(n, "directories", func(key, value *yaml.Node) {
		p := Place{Directory: key.Value, Pos: l.at(key)}
		var v [1]*yaml.Node
		if !l.object(value, &placeShape, v[:]) || v[0] == nil {
			return
		}
		p.Path, p.pathPos = l.path(v[0], "path"), l.at(v[0])
		if p.Path != "" {
			places = append(places, p)
		}
	})
	return places
}
