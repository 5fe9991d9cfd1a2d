// Package manifest reads manifest.yaml and compiles it into resources.
//
// Reading is strict: what the manifest may not hold is an error with its place,
// its line, what was found and what to do, and all errors are found in one run.
// Values are taken as they are written, so 3.10 stays 3.10, quoted or not.
//
//  1. The bytes are looked at before the YAML library sees them: size, UTF-8,
//     control characters, markers of a second document, number of values.
//  2. yaml.v3 makes nodes of them. One walk refuses anchors, aliases, merge
//     keys, tags and deep nesting, everywhere.
//  3. Each section is read from its nodes by hand: keys, types and values are
//     checked there. Nodes are dropped when this is done; places stay.
//  4. What no section can see alone is checked: paths that meet, names that
//     another section must have, templates.
//  5. Select finds the environment of a machine, Resources compiles.
//
// The manifest, the templates and the locks it names are all that is read, and
// only through the fs.FS that the caller gives: os.Root's FS, so that a link in a
// cloned repository cannot lead out of it.
package manifest

import (
	"crypto/sha256"
	"io/fs"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Version is the version of the manifest's format that this program reads.
const Version = "1"

// A Manifest is what manifest.yaml says, checked. It is not changed after Load.
type Manifest struct {
	File         string       // as given to Load
	SHA256       facts.SHA256 // of its bytes
	Project      string
	Directories  []Directory // in the order of the file, as all that follows
	Storage      *Storage    // nil if not asked for
	Environments []*Environment
	Files        []File
	Models       []Model
	Sync         []Sync
	Hosts        []*Host
	Indexes      []string // "public"
	Interpreters []Interpreter
	Moved        []Moved

	fsys fs.FS // locks are read when an environment is compiled
}

// loader reads one manifest.
type loader struct {
	source
	fsys fs.FS
	m    *Manifest
}

// Load reads and checks the manifest name below fsys, and the templates that it
// names. The error holds one *diag.Problem for everything that a user must
// mend, in order of place.
func Load(fsys fs.FS, name string) (*Manifest, error) {
	text, p := readFile(fsys, name, maxSize)
	if p != nil {
		return nil, p
	}
	return load(fsys, name, text)
}

// Check says what is wrong with the text of a manifest that names no template, as Load
// does of a file; nil for one that is valid.
func Check(text []byte) error {
	_, err := load(noFiles{}, "manifest.yaml", text)
	return err
}

// noFiles is a folder with nothing in it.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func load(fsys fs.FS, name string, text []byte) (*Manifest, error) {
	l := loader{source: source{file: name, data: text}, fsys: fsys}
	l.m = &Manifest{File: name, SHA256: sha256.Sum256(text), fsys: fsys}
	if l.scan() {
		l.read()
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return l.m, nil
}

// read parses the text and reads all sections.
func (l *loader) read() {
	root := l.parse()
	if root == nil {
		return
	}
	l.audit(root, 1)
	if !l.isKind(root, yaml.MappingNode, "the manifest", "begin with version: 1") || !l.version(root) {
		return
	}
	l.sections(root)
	l.checkReferences()
	l.checkPaths()
	l.renderFiles()
}

// version checks the version of the format before anything else, so that a
// manifest of a later one gets one clear answer.
func (l *loader) version(root *yaml.Node) bool {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "version" {
			continue
		}
		n := root.Content[i+1]
		if v, ok := l.scalar(n, "version"); ok && v != Version {
			l.problem(n, "format-version", "this program reads manifests of version "+Version, quote(v),
				"upgrade reconcile to a release that reads it, or write version: "+Version)
		}
		return n.Kind == yaml.ScalarNode && n.Value == Version
	}
	l.problem(root, "missing-key", `the manifest has no "version"`, "", "begin with version: "+Version)
	return false
}

var manifestShape = shape{"the manifest", []string{
	"version", "project", "directories", "storage", "environments", "files", "models", "sync", "hosts", "indexes", "interpreters", "moved",
}, 2}

// sections reads every section into l.m.
func (l *loader) sections(root *yaml.Node) {
	var v [12]*yaml.Node
	l.object(root, &manifestShape, v[:])
	if n := v[1]; n != nil {
		if name, ok := l.scalar(n, "project"); ok && l.name(n, "a project", isSlug, slugRule) {
			l.m.Project = name
		}
	}
	l.directories(v[2])
	l.storage(v[3])
	l.environments(v[4])
	l.files(v[5])
	l.models(v[6])
	l.syncs(v[7])
	l.hosts(v[8])
	l.indexes(v[9])
	l.interpreters(v[10])
	l.moved(v[11])
}

// indexes reads where packages come from. A machine may substitute a mirror, but
// not in a file that all machines share.
func (l *loader) indexes(n *yaml.Node) {
	l.m.Indexes = []string{"public"}
	for _, item := range l.items(n, "indexes") {
		if v, ok := l.scalar(item, "an index"); ok && v != "public" {
			l.problem(item, "value", "the only index that a manifest can name is public", quote(v),
				"set the mirror of a machine in .reconcile/local.yaml or RECONCILE_INDEX_URL")
		}
	}
	if n != nil && n.Kind == yaml.SequenceNode && len(n.Content) != 1 {
		l.problem(n, "value", "indexes must be [public]", "", "write indexes: [public], or remove the key")
	}
}
