package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Directory is a folder of the project, at the same path on every machine.
type Directory struct {
	Name    string // "data_raw"
	Path    string // relative and clean; absolute if a host allows it
	Purpose string
	Mode    facts.Mode // 0 if not set
	Protect bool
	Pos     diag.Pos
	pathPos diag.Pos
}

// Constant returns the name of a directory in scripts: DATA_RAW for data_raw, MODELS_DIR
// for models.
func (d *Directory) Constant() string {
	upper := strings.ToUpper(d.Name)
	if strings.Contains(upper, "_") {
		return upper
	}
	return upper + "_DIR"
}

// ProjectRoot is the constant of the project's folder.
const ProjectRoot = "PROJECT_ROOT"

// reservedPrefixes are prefixes of variables that loaders, shells and ML tools read.
var reservedPrefixes = []string{
	"BASH_", "CONDA_", "CUDA_", "CURL_", "DYLD_", "GCONV_", "GIT_", "GLIBC_", "HF_", "HUGGINGFACE_", "JAVA_", "LC_", "LD_", "MALLOC_",
	"NCCL_", "NODE_", "NVIDIA_", "PERL5_", "PIP_", "PROMPT_", "PYTHON_", "PYTORCH_", "RECONCILE_", "REQUESTS_", "SSH_", "SSL_", "SUDO_",
	"TORCH_", "TRANSFORMERS_", "TRITON_", "UV_", "VIRTUAL_", "WANDB_", "XDG_", "ZSH_",
}

// Exports reports whether the constant of a directory can be exported to a shell: no
// program or loader reads a variable of that name.
func (d *Directory) Exports() bool {
	name := d.Constant()
	return !slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// checkConstants reports directories with the constant of another one or of the project.
func (l *loader) checkConstants() {
	var byName map[string]*Directory // made when a name ends in _dir
	for i := range l.m.Directories {
		d := &l.m.Directories[i]
		if d.Constant() == ProjectRoot {
			l.problemAt(d.Pos, "name", quote(d.Name)+" would have the constant "+ProjectRoot+" of the project", "", "choose another name")
		}
		word, ok := strings.CutSuffix(d.Name, "_dir")
		if !ok || strings.Contains(word, "_") {
			continue
		}
		if byName == nil {
			byName = make(map[string]*Directory)
			for k := range l.m.Directories {
				byName[l.m.Directories[k].Name] = &l.m.Directories[k]
			}
		}
		if other := byName[word]; other != nil {
			l.problemAt(d.Pos, "name", fmt.Sprintf("%s and %s would both have the constant %s", quote(d.Name), quote(word), d.Constant()), "the other one at "+other.Pos.String(), "rename one of them")
		}
	}
}

var directoryShape = shape{what: "a directory", keys: []string{"path", "purpose", "mode", "protect"}, required: 1}

func (l *loader) directories(v value) {
	if v.given() {
		l.m.Directories = make([]Directory, 0, len(v.node.Content)/2)
	}
	for key, val := range v.entries() {
		name, ok := key.snake("a directory")
		d := Directory{Name: name, Pos: key.pos()}
		f, isObject := val.object(&directoryShape)
		if !isObject {
			continue
		}
		d.Path, d.pathPos = f.get("path").path()
		d.Purpose = f.get("purpose").text()
		d.Mode = f.get("mode").mode()
		d.Protect = f.get("protect").boolean()
		if ok && d.Path != "" {
			l.m.Directories = append(l.m.Directories, d)
		}
	}
	l.checkConstants()
}

// A Place is the location of a directory on one host or in one environment, instead of
// its common path, which becomes a link to it.
type Place struct {
	Directory string
	Path      string
	Pos       diag.Pos
	pathPos   diag.Pos
}

var placeShape = shape{what: "a directory override", keys: []string{"path"}, required: 1}

func readPlaces(v value) (places []Place) {
	for key, val := range v.entries() {
		p := Place{Directory: key.node.Value, Pos: key.pos()}
		if f, ok := val.object(&placeShape); ok {
			p.Path, p.pathPos = f.get("path").path()
		}
		if p.Path != "" {
			places = append(places, p)
		}
	}
	return places
}
