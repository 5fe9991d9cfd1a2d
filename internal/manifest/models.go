package manifest

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
)

// A Model is a model that users download by hand into the directory ModelsDirectory.
type Model struct {
	Repo           string        // "mistralai/Mistral-7B-Instruct-v0.3"
	Revision       string        // commit, 40 hexadecimal digits
	Gated          bool          // a licence must be accepted, and a token shown
	Exclude        []string      // patterns of files that are not needed
	Size           int64         // of what is downloaded, bytes; 0 where the manifest does not say
	Environments   []string      // that need it; none for all
	Severity       diag.Severity // of its absence: Warn unless the manifest says fail, since apply never downloads it
	Pos            diag.Pos
	environmentPos []diag.Pos
}

// ModelsDirectory is the name of the directory that holds models, as a cache of
// Hugging Face.
const ModelsDirectory = "models"

// For reports whether an environment needs the model.
func (m *Model) For(env *Environment) bool {
	return len(m.Environments) == 0 || env != nil && slices.Contains(m.Environments, env.Name)
}

// ModelsFor returns the models that an environment needs.
func (m *Manifest) ModelsFor(env *Environment) []Model {
	var needed []Model
	for i := range m.Models {
		if m.Models[i].For(env) {
			needed = append(needed, m.Models[i])
		}
	}
	return needed
}

// Pins returns what is wanted of each model, by its repository.
func (m *Manifest) Pins() map[string]hub.Pin {
	pins := make(map[string]hub.Pin, len(m.Models))
	for i := range m.Models {
		model := &m.Models[i]
		pins[model.Repo] = hub.Pin{Repo: model.Repo, Revision: model.Revision, Exclude: model.Exclude}
	}
	return pins
}

// ModelsPath returns where models lie on a machine with an environment, "" without a
// directory for them: the place itself, not a link that stands at the common path.
func (m *Manifest) ModelsPath(s Selection, env *Environment) string {
	d := m.directory(ModelsDirectory)
	if d == nil {
		return ""
	}
	if place := m.PlaceOf(ModelsDirectory, m.Host(s.Host), env); place != nil {
		return place.Path
	}
	return d.Path
}

// Variables are what every way into an environment sets. One that needs models
// looks for them in the project, at the path that is the same on every machine. It
// is HF_HUB_CACHE and never HF_HOME: below that the token would lie, in a folder that
// is copied and looked into by others.
func (m *Manifest) Variables(env *Environment) []resources.Variable {
	d := m.directory(ModelsDirectory)
	if d == nil || len(m.ModelsFor(env)) == 0 {
		return nil
	}
	return []resources.Variable{{Name: "HF_HUB_CACHE", Path: d.Path}}
}

// A Sync is one folder that travels between machines.
type Sync struct {
	Name string
	Push bool   // from here to the far machine; else from there to here
	Path string // inside the project, the same on both
	Pos  diag.Pos
}

// An Interpreter is a build of Python that may be fetched where a machine has
// none; it goes before those that the program knows.
type Interpreter struct {
	python.Build
	Line string // "3.10"
	Pos  diag.Pos
}

// A Moved says that a resource has a new address and is to be kept.
type Moved struct {
	From, To resources.Addr
	Pos      diag.Pos
}

var (
	modelShape       = shape{"a model", []string{"repo", "revision", "gated", "exclude", "size", "environments", "severity"}, 2}
	syncShape        = shape{"an entry of sync", []string{"push", "pull"}, 0}
	interpreterShape = shape{"an interpreter", []string{"version", "platform", "url", "sha256", "size", "unpacked"}, 4}
	movedShape       = shape{"an entry of moved", []string{"from", "to"}, 2}
)

func (l *loader) models(n *yaml.Node) {
	seen := map[string]diag.Pos{}
	if d := l.m.directory(ModelsDirectory); n != nil && d != nil && strings.Contains(d.Path, "$") {
		l.report(d.pathPos.Line, d.pathPos.Col, diag.Problem{
			Code: "manifest.path", Summary: "the path of models holds a $, and Hugging Face's library takes what follows for a variable", Found: quote(d.Path),
			Hint: "choose another path",
		})
	}
	if n != nil && len(n.Content) > 0 && l.m.directory(ModelsDirectory) == nil {
		l.problem(n, "reference", "there is no directory "+quote(ModelsDirectory)+" for models", "", "add it to directories: models: {path: models}")
	}
	for _, item := range l.items(n, "models") {
		var v [7]*yaml.Node
		if !l.object(item, &modelShape, v[:]) || v[0] == nil || v[1] == nil {
			continue
		}
		m := Model{Pos: l.at(item), Gated: v[2] != nil && l.boolean(v[2], "gated"), Severity: diag.Warn, Size: l.size(v[4], "size")}
		if repo, ok := l.scalar(v[0], "repo"); ok {
			if !isRepo(repo) {
				l.problem(v[0], "name", quote(repo)+" is no name of a model", "", "write OWNER/NAME, such as mistralai/Mistral-7B-Instruct-v0.3")
			} else if first, ok := seen[strings.ToLower(repo)]; ok {
				l.problem(v[0], "duplicate-item", quote(repo)+" is listed twice", "the first one at "+first.String(), "remove one of them")
			}
			m.Repo, seen[strings.ToLower(repo)] = repo, l.at(v[0])
		}
		if revision, ok := l.scalar(v[1], "revision"); ok && !hub.IsCommit(revision) {
			l.problem(v[1], "version", "revision must be a commit of 40 hexadecimal digits, since branches and tags move", quote(revision), "copy the commit from the model's page, under Files and versions")
		} else if ok {
			m.Revision = revision
		}
		for _, pattern := range l.items(v[3], "exclude") {
			p, ok := l.text(pattern, "a pattern")
			if ok && !isSafe(p, "*?/._-") {
				l.problem(pattern, "value", "a pattern may hold letters, digits and * ? / . - _ alone", quote(p), "")
			}
			m.Exclude = append(m.Exclude, p)
		}
		for _, name := range l.items(v[5], "environments") {
			if e, ok := l.scalar(name, "an environment"); ok {
				m.Environments, m.environmentPos = append(m.Environments, e), append(m.environmentPos, l.at(name))
			}
		}
		if v[5] != nil && v[5].Kind == yaml.SequenceNode && len(v[5].Content) == 0 {
			l.problem(v[5], "value", "a model for no environment is for none", "", "name those that need it, or remove the key: then all do")
		}
		if v[6] != nil {
			m.Severity = l.severity(v[6])
		}
		l.m.Models = append(l.m.Models, m)
	}
}

// isRepo reports whether v is OWNER/NAME of a model.
func isRepo(v string) bool {
	owner, name, cut := strings.Cut(v, "/")
	return cut && isSafe(owner, "._-") && isSafe(name, "._-") && !strings.Contains(v, "..")
}

// isRelease reports whether v is a release of Python 3, such as 3.10.21.
func isRelease(v string) bool {
	parts := strings.Split(v, ".")
	return len(parts) == 3 && parts[0] == "3" && isNumber(parts[1]) && isNumber(parts[2])
}

func isHex(v string, digits int) bool {
	return len(v) == digits && strings.Trim(v, "0123456789abcdef") == ""
}

func (l *loader) syncs(n *yaml.Node) {
	l.entries(n, "sync", func(key, value *yaml.Node) {
		l.name(key, "an entry of sync", isSlug, slugRule)
		var v [2]*yaml.Node
		if !l.object(value, &syncShape, v[:]) {
			return
		}
		s := Sync{Name: key.Value, Pos: l.at(key), Push: v[0] != nil}
		switch {
		case v[0] != nil && v[1] != nil:
			l.problem(value, "value", "an entry of sync has both push and pull", "", "make two entries of it")
		case v[0] != nil:
			s.Path, _ = l.placed(v[0], "push")
		case v[1] != nil:
			s.Path, _ = l.placed(v[1], "pull")
		default:
			l.problem(value, "missing-key", "an entry of sync has neither push nor pull", "", "add push: PATH or pull: PATH")
		}
		l.m.Sync = append(l.m.Sync, s)
	})
}

func (l *loader) interpreters(n *yaml.Node) {
	for _, item := range l.items(n, "interpreters") {
		var v [6]*yaml.Node
		if !l.object(item, &interpreterShape, v[:]) {
			continue
		}
		i := Interpreter{Pos: l.at(item)}
		if version, ok := l.scalar(v[0], "version"); ok {
			if !isRelease(version) {
				l.problem(v[0], "version", "version must be a release of Python", quote(version), `write version: "3.10.21"`)
			} else {
				i.Version, i.Line = version, pep.Line(version)
			}
		}
		if v[1] != nil {
			i.Platform = l.choice(v[1], "platform", "linux-aarch64", "linux-x86_64", "macos-arm64", "macos-x86_64")
		}
		if u, ok := l.text(v[2], "url"); ok && l.isURL(v[2], u) {
			i.URLs = []string{u}
		}
		if digest, ok := l.scalar(v[3], "sha256"); ok {
			if !isHex(digest, 64) {
				l.problem(v[3], "value", "sha256 must be 64 hexadecimal digits in lower case", quote(digest), "")
			} else if err := i.SHA256.UnmarshalText([]byte(digest)); err != nil || i.SHA256 == (facts.SHA256{}) {
				l.problem(v[3], "value", "sha256 is that of nothing", quote(digest), "")
			}
		}
		if v[4] != nil {
			i.Size = l.integer(v[4], "size", 1, 1<<40)
		}
		i.Unpacked = l.size(v[5], "unpacked")
		l.m.Interpreters = append(l.m.Interpreters, i)
	}
}

// isNumber reports whether v is a decimal number without leading zeros.
func isNumber(v string) bool {
	return v != "" && len(v) <= 4 && strings.Trim(v, "0123456789") == "" && (v == "0" || v[0] != '0')
}

func (l *loader) moved(n *yaml.Node) {
	for _, item := range l.items(n, "moved") {
		var v [2]*yaml.Node
		if !l.object(item, &movedShape, v[:]) || v[0] == nil || v[1] == nil {
			continue
		}
		m := Moved{Pos: l.at(item), From: l.address(v[0], "from"), To: l.address(v[1], "to")}
		if m.From == m.To && m.From.Kind != "" {
			l.problem(v[1], "value", "from and to are the same", "", "remove the entry")
		}
		if m.From.Kind != m.To.Kind && m.From.Kind != "" && m.To.Kind != "" {
			l.problem(v[1], "value", "from and to are of different kinds", "", "a move keeps the kind: "+m.From.Kind+".NAME")
		}
		l.m.Moved = append(l.m.Moved, m)
	}
}

// address reads kind.name.
func (l *loader) address(n *yaml.Node, what string) resources.Addr {
	v, ok := l.text(n, what)
	kind, name, cut := strings.Cut(v, ".")
	if ok && (!cut || !isSnake(kind) || name == "") {
		l.problem(n, "name", what+" must be an address", quote(v), "write KIND.NAME, such as directory.data_raw")
		return resources.Addr{}
	}
	return resources.Addr{Kind: kind, Name: name}
}
