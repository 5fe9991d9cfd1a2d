// Package manifest reads manifest.yaml and compiles it into resources.
//
// Reading is strict: every error has a position, the line of text, the value found and a
// hint, and one run reports all errors. Values are read as written, so 3.10 stays 3.10,
// quoted or not.
//
//  1. scan checks the bytes before the YAML library parses them.
//  2. yaml.v3 makes nodes, and audit rejects anchors, aliases, merge keys and tags.
//  3. Each section is read from its nodes: keys, types and values are checked.
//  4. The files that request packages are read (package declared).
//  5. Whatever involves several sections is checked: conflicting paths, references,
//     templates.
//  6. Select chooses the environment of a machine, and Resources compiles.
//
// The package reads the manifest, its templates, the files of requirements that it names and its
// locks, and only through the fs.FS of the caller. That of an os.Root keeps links in a cloned repository from leading out of
// the project.
package manifest

import (
	"crypto/sha256"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Version is the version of the manifest format that this program reads.
const Version = "1"

// A Manifest is a checked manifest. It is not changed after Load. Its lists are in the
// order of the file.
type Manifest struct {
	File         string       // as given to Load
	SHA256       facts.SHA256 // of the file
	Project      string
	Directories  []Directory
	Storage      *Storage // nil if the section is absent
	Environments []*Environment
	Files        []File
	Models       []Model
	Sync         []Sync
	Hosts        []*Host
	Indexes      []Index // besides the default one
	Interpreters []Interpreter
	Moved        []Moved
	Audit        Audit

	fsys  fs.FS // for locks, which are read when an environment is compiled
	locks struct {
		sync.Mutex
		read map[string]lockRead // by path; those of other tools by path#ENVIRONMENT
	}
}

// loader reads one manifest.
type loader struct {
	source
	fsys fs.FS
	m    *Manifest
}

// Load reads and checks the manifest name in fsys and its templates. The error holds a
// *diag.Problem for each problem, in the order of their positions.
func Load(fsys fs.FS, name string) (*Manifest, error) {
	text, p := readFile(fsys, name, MaxSize)
	if p != nil {
		return nil, p
	}
	return load(fsys, name, text)
}

// LoadText is Load with the text that the manifest name has, or would have.
func LoadText(fsys fs.FS, name string, text []byte) (*Manifest, error) {
	return load(fsys, name, text)
}

// Check returns the problems of the text of a manifest, as Load does for a file. It does not
// read files of requirements. The manifest must not use a template.
func Check(text []byte) error {
	_, err := load(emptyFS{}, "manifest.yaml", text)
	return err
}

type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func load(fsys fs.FS, name string, text []byte) (*Manifest, error) {
	l := loader{source: source{file: name, data: text}, fsys: fsys}
	l.m = &Manifest{File: name, SHA256: sha256.Sum256(text), fsys: fsys}
	if l.scan() {
		if n := l.parse(); n != nil {
			l.audit(n, 1)
			l.read(value{&l.source, n, "the manifest"})
		}
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return l.m, nil
}

var manifestShape = shape{what: "the manifest", keys: []string{
	"version", "project", "directories", "storage", "environments", "files", "models", "sync", "hosts", "indexes", "interpreters", "moved", "audit",
}, required: 2}

// read reads all sections into l.m.
func (l *loader) read(root value) {
	if !root.isKind(yaml.MappingNode, "begin with version: "+Version) || !l.version(root) {
		return
	}
	f, _ := root.object(&manifestShape)
	l.m.Project, _ = f.get("project").slug("a project")
	l.directories(f.get("directories"))
	l.storage(f.get("storage"))
	l.environments(f.get("environments"))
	l.files(f.get("files"))
	l.models(f.get("models"))
	l.syncs(f.get("sync"))
	l.hosts(f.get("hosts"))
	l.indexes(f.get("indexes"))
	l.interpreters(f.get("interpreters"))
	l.moved(f.get("moved"))
	l.checkReferences()
	l.addSources()
	l.auditSection(f.get("audit"))
	l.checkPaths()
	l.renderFiles()
}

// version checks the format version first, so that a manifest of a later version gets one
// clear error.
func (l *loader) version(root value) bool {
	version := fields{root, &manifestShape}.get("version")
	if !version.given() {
		root.problem("missing-key", `the manifest has no "version"`, "", "begin with version: "+Version)
		return false
	}
	v, ok := version.scalar()
	if ok && v != Version {
		version.problem("format-version", "this program reads manifests of version "+Version, quote(v),
			"upgrade reconcile to a release that reads it, or write version: "+Version)
	}
	return ok && v == Version
}

// public is the name of the index of the machine, which is a mirror or the public one.
const public = "public"

var indexShape = shape{what: "an index", keys: []string{"name", "url"}, required: 2}

// An Index is a package index besides the default one.
type Index struct {
	Name string
	URL  string // https or file, without credentials
	// Searched reports that it is searched for all packages before the default index, as files
	// of requirements demand. Others have only the packages that are bound to them by name.
	Searched bool
	Pos      diag.Pos
}

// indexes reads the package indexes. Mirrors are set per machine, not in the manifest.
func (l *loader) indexes(v value) {
	seen := map[string]diag.Pos{}
	for item := range v.items("an index") {
		name, index := item, Index{Pos: item.pos()}
		if item.node.Kind == yaml.MappingNode {
			f, ok := item.object(&indexShape)
			if !ok {
				continue
			}
			name = f.get("name")
			index.Name, _ = name.slug("an index")
			index.URL = f.get("url").indexURL()
			if index.Name == public {
				name.problem("value", `"public" is the name of the default index`, "", "set the mirror of a machine in ~/.config/reconcile/config.yaml or RECONCILE_INDEX_URL")
				continue
			}
		} else if s, ok := item.scalar(); !ok {
			continue
		} else if index.Name = s; s != public {
			item.problem("value", "an index other than public needs a URL", quote(s), "write {name: NAME, url: https://HOST/PATH}")
			continue
		}
		if first, again := seen[index.Name]; again {
			name.duplicate("duplicate-item", quote(index.Name)+" is listed twice", first)
			continue
		}
		seen[index.Name] = name.pos()
		if index.Name != public { // also one with a wrong URL, to which packages may refer
			l.m.Indexes = append(l.m.Indexes, index)
		}
	}
	if v.isEmptyList() {
		v.problem("value", "indexes is empty", "", "write indexes: [public], or remove the key")
	}
}

// indexURL reads the URL of an index.
func (v value) indexURL() string {
	s, ok := v.scalar()
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err == nil && u.User != nil:
		v.problem("url", "the URL contains credentials", "", "remove them, and set them on each machine: `indexes` in ~/.config/reconcile/config.yaml, or RECONCILE_INDEX_URL_NAME")
	case err != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(s, " \t'\"") ||
		!(u.Scheme == "https" && u.Host != "") && !(u.Scheme == "file" && u.Host == "") && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		v.problem("url", "an index must have an https URL", quote(s), "write url: https://HOST/PATH")
	default:
		return s
	}
	return ""
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// index returns the index with a name, or nil.
func (m *Manifest) index(name string) *Index {
	if i := slices.IndexFunc(m.Indexes, func(x Index) bool { return x.Name == name }); i >= 0 {
		return &m.Indexes[i]
	}
	return nil
}
