package manifest

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
)

// A Model is a model that users download into the directory ModelsDirectory.
type Model struct {
	Repo           string        // "mistralai/Mistral-7B-Instruct-v0.3"
	Revision       string        // commit, 40 hexadecimal digits
	Gated          bool          // downloads need an accepted licence and a token
	Exclude        []string      // patterns of files to leave out
	Size           int64         // of the download in bytes, 0 if not known
	Environments   []string      // that need it; empty for all
	Severity       diag.Severity // if it is absent
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

// ModelsFor returns the models that any of the environments needs; for none, those that
// every environment needs.
func (m *Manifest) ModelsFor(envs ...*Environment) []Model {
	return slices.DeleteFunc(slices.Clone(m.Models), func(model Model) bool {
		return !model.For(nil) && !slices.ContainsFunc(envs, model.For)
	})
}

// Pins returns the pin of each model by its repository.
func (m *Manifest) Pins() map[string]hub.Pin {
	pins := make(map[string]hub.Pin, len(m.Models))
	for i := range m.Models {
		model := &m.Models[i]
		pins[model.Repo] = hub.Pin{Repo: model.Repo, Revision: model.Revision, Exclude: model.Exclude}
	}
	return pins
}

// ModelsPath returns the directory of models on a machine, or "". It is the directory
// itself, not a link to it.
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

// Variables returns the variables that activating an environment sets. An environment
// that needs models gets HF_HUB_CACHE, at the path that all machines share, and HF_XET_CACHE below
// it if its huggingface_hub downloads with hf-xet. HF_HOME would also move the token into the
// project.
func (m *Manifest) Variables(env *Environment) []resources.Variable {
	d := m.directory(ModelsDirectory)
	if d == nil || len(m.ModelsFor(env)) == 0 {
		return nil
	}
	list := []resources.Variable{{Name: "HF_HUB_CACHE", Path: d.Path}}
	if locked, _, err := m.Locked(env); err == nil && locked != nil && locked.Has(xetDistribution) {
		list = append(list, resources.Variable{Name: "HF_XET_CACHE", Path: path.Join(d.Path, xetFolder)})
	}
	return list
}

// xetDistribution is the package with which huggingface_hub 0.30 and later download if it is
// installed; 0.32 and later depend on it. Its cache of chunks, shards and logs is in $HF_HOME/xet by default
// (huggingface_hub/constants.py), which is on the disk of the home directory.
const xetDistribution = "hf-xet"

// xetFolder is the name of the cache of hf-xet in the directory of models, which may be a link to
// another disk.
const xetFolder = ".xet"

// A Sync is a folder that is transferred between machines.
type Sync struct {
	Name string
	Push bool   // from this machine to the remote one; else the reverse
	Path string // inside the project, the same on both
	Pos  diag.Pos
}

// An Interpreter is a build of Python to download if a machine has no Python of that
// minor version. It is preferred to the builds known to the program.
type Interpreter struct {
	python.Build
	Minor string // "3.10"
	Pos   diag.Pos
}

// A Moved is a change of the address of a resource.
type Moved struct {
	From, To resources.Addr
	Pos      diag.Pos
}

var (
	modelShape       = shape{what: "a model", keys: []string{"repo", "revision", "gated", "exclude", "size", "environments", "severity"}, required: 2}
	syncShape        = shape{what: "an entry of sync", keys: []string{"push", "pull"}}
	interpreterShape = shape{what: "an interpreter", keys: []string{"version", "platform", "url", "sha256", "size", "unpacked"}, required: 4}
	movedShape       = shape{what: "an entry of moved", keys: []string{"from", "to"}, required: 2}
)

func (l *loader) models(v value) {
	seen := map[string]diag.Pos{}
	if d := l.m.directory(ModelsDirectory); v.given() && d != nil && strings.Contains(d.Path, "$") {
		l.problemAt(d.pathPos, "path", "the path of models contains a $, which the library of Hugging Face expands as a variable", quote(d.Path), "choose another path")
	} else if v.given() && d == nil && len(v.node.Content) > 0 {
		v.problem("reference", "there is no directory "+quote(ModelsDirectory)+" for models", "", "add it to directories: models: {path: models}")
	}
	for item := range v.items("a model") {
		f, ok := item.object(&modelShape)
		if !ok || !f.get("repo").given() || !f.get("revision").given() {
			continue
		}
		m := Model{Pos: item.pos(), Gated: f.get("gated").boolean(), Severity: diag.Warn, Size: f.get("size").size()}
		repo, revision, environments := f.get("repo"), f.get("revision"), f.get("environments")
		if m.Repo, ok = repo.scalar(); ok {
			key := strings.ToLower(m.Repo)
			if !isRepo(m.Repo) {
				repo.problem("name", quote(m.Repo)+" is not a valid model name", "", "write OWNER/NAME, such as mistralai/Mistral-7B-Instruct-v0.3")
			} else if first, ok := seen[key]; ok {
				repo.duplicate("duplicate-item", quote(m.Repo)+" is listed twice", first)
			}
			seen[key] = repo.pos()
		}
		if m.Revision, ok = revision.scalar(); ok && !hub.IsCommit(m.Revision) {
			revision.problem("version", "revision must be a commit of 40 hexadecimal digits, because branches and tags move", quote(m.Revision), "copy the commit from the model's page, under Files and versions")
		}
		for pattern := range f.get("exclude").items("a pattern") {
			p := pattern.text()
			if p != "" && !isSafe(p, "*?/._-") {
				pattern.problem("value", "a pattern may contain only letters, digits and * ? / . - _", quote(p), "")
			}
			m.Exclude = append(m.Exclude, p)
		}
		for name := range environments.items("an environment") {
			if e, ok := name.scalar(); ok {
				m.Environments, m.environmentPos = append(m.Environments, e), append(m.environmentPos, name.pos())
			}
		}
		if environments.isEmptyList() {
			environments.problem("value", "no environment needs the model", "", "name those that need it, or remove the key if all do")
		}
		if v := f.get("severity"); v.given() {
			m.Severity = v.severity()
		}
		l.m.Models = append(l.m.Models, m)
	}
}

// isRepo reports whether s is OWNER/NAME of a model.
func isRepo(s string) bool {
	owner, name, _ := strings.Cut(s, "/")
	return isSafe(owner, "._-") && isSafe(name, "._-") && !strings.Contains(s, "..")
}

// isRelease reports whether s is a release of Python 3, such as 3.10.21.
func isRelease(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) == 3 && parts[0] == "3" && isNumber(parts[1]) && isNumber(parts[2])
}

// isNumber reports whether s is a decimal number without leading zeros.
func isNumber(s string) bool {
	return s != "" && len(s) <= 4 && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

func (l *loader) syncs(v value) {
	for key, val := range v.entries() {
		key.slug("an entry of sync")
		f, ok := val.object(&syncShape)
		if !ok {
			continue
		}
		push, pull := f.get("push"), f.get("pull")
		s := Sync{Name: key.node.Value, Pos: key.pos(), Push: push.given()}
		switch {
		case push.given() && pull.given():
			val.problem("value", "an entry of sync has both push and pull", "", "split it into two entries")
		case push.given():
			s.Path, _ = push.innerPath()
		case pull.given():
			s.Path, _ = pull.innerPath()
		default:
			val.problem("missing-key", "an entry of sync has neither push nor pull", "", "add push: PATH or pull: PATH")
		}
		l.m.Sync = append(l.m.Sync, s)
	}
}

func (l *loader) interpreters(v value) {
	for item := range v.items("an interpreter") {
		f, ok := item.object(&interpreterShape)
		if !ok {
			continue
		}
		i := Interpreter{Pos: item.pos()}
		if version, ok := f.get("version").scalar(); ok && !isRelease(version) {
			f.get("version").problem("version", "version must be a Python release", quote(version), `write version: "3.10.21"`)
		} else if ok {
			i.Version, i.Minor = version, pep.MajorMinor(version)
		}
		i.Platform = f.get("platform").choice("linux-aarch64", "linux-x86_64", "macos-arm64", "macos-x86_64")
		if u := f.get("url").url(); u != "" {
			i.URLs = []string{u}
		}
		if digest, ok := f.get("sha256").scalar(); ok {
			if !isHex(digest, 64) {
				f.get("sha256").problem("value", "sha256 must be 64 lower-case hexadecimal digits", quote(digest), "")
			} else if err := i.SHA256.UnmarshalText([]byte(digest)); err != nil || i.SHA256 == (facts.SHA256{}) {
				f.get("sha256").problem("value", "sha256 is zero, which is not the digest of a file", quote(digest), "")
			}
		}
		if size := f.get("size"); size.given() {
			i.Size = size.integer(1, 1<<40)
		}
		i.Unpacked = f.get("unpacked").size()
		l.m.Interpreters = append(l.m.Interpreters, i)
	}
}

// url reads a URL that can be downloaded from without trust in the network: https, http on
// this machine, or a file.
func (v value) url() string {
	s := v.text()
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil && strings.Contains(s, "@"):
		v.problem("secret", "url is malformed", "", "") // it may contain a password
	case err != nil || strings.ContainsAny(s, " \"'`$<>"):
		v.problem("value", "url is malformed", quote(s), "")
	case u.User != nil:
		v.problem("secret", "url contains a user name or password", "", "remove it: credentials belong in the settings of a machine")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/"),
		u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost"):
		return s
	default:
		v.problem("value", "url must be https, http on this machine, or file:///", quote(s), "")
	}
	return ""
}

func (l *loader) moved(v value) {
	for item := range v.items("an entry of moved") {
		f, ok := item.object(&movedShape)
		if !ok || !f.get("from").given() || !f.get("to").given() {
			continue
		}
		to := f.get("to")
		m := Moved{Pos: item.pos(), From: f.get("from").address(), To: to.address()}
		if m.From == m.To && m.From.Kind != "" {
			to.problem("value", "from and to are the same", "", "remove the entry")
		}
		if m.From.Kind != m.To.Kind && m.From.Kind != "" && m.To.Kind != "" {
			to.problem("value", "from and to are of different kinds", "", "a move keeps the kind: "+m.From.Kind+".NAME")
		}
		l.m.Moved = append(l.m.Moved, m)
	}
}

// address reads kind.name.
func (v value) address() resources.Addr {
	s := v.text()
	kind, name, _ := strings.Cut(s, ".")
	if s != "" && (!isSnake(kind) || name == "") {
		v.problem("name", v.what+" must be an address", quote(s), "write KIND.NAME, such as directory.data_raw")
		return resources.Addr{}
	}
	return resources.Addr{Kind: kind, Name: name}
}
