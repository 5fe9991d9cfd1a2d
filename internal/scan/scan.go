// Package scan writes a manifest for an existing folder, from its requirements files,
// pyproject.toml, environment.yml, installed environments, folders and models.
//
// It reads files only: it starts no program and uses no network. The folder is untrusted, so
// every file, list and walk has a limit, and a file that is malformed, too large or a link
// out of the folder is reported and skipped.
//
//  1. Environments reads installed environments from this machine's files. Everything else
//     is read through an fs.FS that the caller roots in the folder (os.Root).
//  2. Each source becomes a list of packages with file and line. An exact version is a pin;
//     a range, an address or another platform becomes a comment with its reason.
//  3. The lists become environments, and those a manifest, which is then validated.
//
// Only names, versions, specifiers and paths are copied. Addresses, options and malformed
// lines are not, because they may contain a password.
package scan

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// Input has the facts that are not in the files of the folder.
type Input struct {
	Name      string // of the folder; the project is named after it
	Platform  string // of this machine: "linux-x86_64"
	Installed []Installed
}

// A Result is a manifest and its sources.
type Result struct {
	Manifest     []byte
	Project      string
	Environments []string
	Read         []string // files and installed environments, in the order of reading
	Unread       []Unread
	Pinned       int // packages with an exact version
	Commented    int // packages that became comments
	Unknown      int // of the commented ones, those without a version
}

// An Unread is a file or setting that was found and skipped.
type Unread struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Folder returns the manifest of a folder. If ctx ends, the search for models stops and the
// manifest contains a comment about it.
func Folder(ctx context.Context, fsys fs.FS, in Input) (*Result, error) {
	s := &scanner{fsys: fsys, in: in, result: &Result{Project: manifest.Slug(in.Name)}, taken: map[string]bool{}}
	for _, u := range unsupported {
		if info, err := fs.Stat(s.fsys, u.File); err == nil && info.Mode().IsRegular() {
			s.unread(u.File, u.Why)
		}
	}
	s.readProject()
	s.readEnvironments()
	s.findModels(ctx, ".", 0)
	s.result.Manifest = s.write()
	if err := manifest.Check(s.result.Manifest); err != nil {
		return nil, fmt.Errorf("bug: the manifest of the scan is not valid: %w", err)
	}
	return s.result, nil
}

// A scanner is the state of one scan.
type scanner struct {
	fsys   fs.FS
	in     Input
	result *Result

	pyproject pyproject
	python    sourced // from .python-version
	envs      []*environment
	taken     map[string]bool // names and paths of environments
	models    []model
	listed    int    // entries seen by findModels
	stopped   string // why findModels stopped early, "" if it did not
}

func (s *scanner) read(file string) { s.result.Read = append(s.result.Read, printable(file)) }

func (s *scanner) unread(file, why string) {
	s.result.Unread = append(s.result.Unread, Unread{printable(file), why})
}

// unsupported are files with requirements that are not read, and how to convert them.
var unsupported = []Unread{
	{"uv.lock", "convert it: `uv export --no-emit-project -o requirements.txt`"},
	{"poetry.lock", "convert it: `poetry export -o requirements.txt`"},
	{"pdm.lock", "convert it: `pdm export -o requirements.txt`"},
	{"Pipfile.lock", "convert it: `pipenv requirements > requirements.txt`"},
	{"Pipfile", "convert its lock: `pipenv requirements > requirements.txt`"},
	{"pixi.toml", "convert it: `pixi workspace export conda-environment environment.yml`"},
	{"pixi.lock", "it belongs to pixi.toml"},
	{"conda-lock.yml", "`reconcile lock` resolves again"},
	{"setup.py", "it is a program, and its requirements are known only when it runs"},
	{"setup.cfg", "move its install_requires to pyproject.toml"},
	{"Dockerfile", "it is a program"},
}
