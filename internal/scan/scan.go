// Package scan writes a manifest of what a folder says already: requirements files,
// pyproject.toml, environment.yml of conda, installed environments, folders, models.
//
// It reads and never writes, starts no program and uses no network. What it is given is
// foreign, so every file, list and walk has a limit, and a file that is broken, huge or
// a link that leads out of the folder is named and left.
//
//  1. Environments looks at installed environments, by the files of this machine. All
//     else is read through an fs.FS, which the caller roots in the folder (os.Root).
//  2. Each source becomes a list of what it asks for, with file and line. One exact
//     version is a pin; a range, an address, another platform is doubt, with its reason.
//  3. The lists become environments. Doubts get the version that is installed, if one
//     is, and stay comments: a scan decides nothing that the sources leave open.
//  4. The text is written and loaded as a manifest, so that what is handed out is valid.
//
// Only what was read as a name, a version, a specifier or a path is copied. Addresses,
// options and lines that could not be read are not, since they may hold a password.
package scan

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// Input is what a scan knows beside the folder's files.
type Input struct {
	Name      string // of the folder, of which the project's name is made
	Platform  string // of this machine: "linux-x86_64"
	Nvidia    bool   // this machine has a GPU of NVIDIA
	Installed []Installed
}

// A Result is the manifest that was written, and what it was made of.
type Result struct {
	Manifest     []byte
	Project      string
	Environments []string
	Read         []string // files and installed environments, as they were read
	Unread       []Unread
	Pinned       int // packages with one exact version
	Doubtful     int // packages that became comments
	Unknown      int // those of them for which no version is known
}

// Unread is something that was seen and not read.
type Unread struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Folder writes the manifest of a folder. The end of ctx cuts the walk through its
// folders short, which the manifest then says; what it says is valid all the same.
func Folder(ctx context.Context, fsys fs.FS, in Input) (*Result, error) {
	s := &scanner{fsys: fsys, in: in, result: &Result{Project: manifest.Slug(in.Name)}}
	s.lookAround()
	s.project()
	s.environments()
	s.tree = walk(ctx, fsys, s.skipped())
	s.result.Manifest = s.write()
	if err := manifest.Check(s.result.Manifest); err != nil {
		return nil, fmt.Errorf("what was found makes no valid manifest, which is a mistake of this program: %w", err)
	}
	return s.result, nil
}

// scanner is one scan.
type scanner struct {
	fsys   fs.FS
	in     Input
	result *Result

	pyproject pyproject
	python    said // the line that the project names as a whole
	envs      []*environment
	taken     map[string]bool // names of environments, and their paths
	tree      tree
}

func (s *scanner) read(file string) { s.result.Read = append(s.result.Read, printable(file)) }

func (s *scanner) unread(file, why string) {
	s.result.Unread = append(s.result.Unread, Unread{printable(file), why})
}

// others are files that say what a project needs in ways that are not read here, and
// what makes a requirements.txt of them.
var others = []struct{ file, why string }{
	{"uv.lock", "`uv export --no-emit-project -o requirements.txt` makes pins of it that a scan reads"},
	{"poetry.lock", "`poetry export -o requirements.txt` makes pins of it that a scan reads"},
	{"pdm.lock", "`pdm export -o requirements.txt` makes pins of it that a scan reads"},
	{"Pipfile.lock", "`pipenv requirements > requirements.txt` makes pins of it that a scan reads"},
	{"Pipfile", "`pipenv requirements > requirements.txt` makes pins of its lock that a scan reads"},
	{"pixi.toml", "`pixi workspace export conda-environment environment.yml` makes a file of it that a scan reads"},
	{"pixi.lock", "it goes with pixi.toml"},
	{"conda-lock.yml", "`reconcile lock` solves anew"},
	{"setup.py", "it is a program: what it asks for is known when it runs"},
	{"setup.cfg", "move its install_requires to pyproject.toml"},
	{"Dockerfile", "it is a program"},
}

// lookAround names what is there and not read.
func (s *scanner) lookAround() {
	for _, o := range others {
		if info, err := fs.Stat(s.fsys, o.file); err == nil && info.Mode().IsRegular() {
			s.unread(o.file, o.why)
		}
	}
}
