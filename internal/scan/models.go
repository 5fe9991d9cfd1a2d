package scan

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A model is a model in a Hugging Face cache.
type model struct {
	dir     string // that contains models--OWNER--NAME
	repo    string // "OWNER/NAME"
	commits []string
	main    string // the commit of refs/main, "" if it has no snapshot
}

// Limits of the search for models.
const (
	maxWalk   = 300_000 // entries
	maxDepth  = 12      // levels of folders
	maxModels = 100
)

// findModels adds the models in a folder and in the folders below it.
func (s *scanner) findModels(ctx context.Context, dir string, depth int) {
	for _, e := range s.readDir(dir) {
		if s.listed++; s.stopped == "" && s.listed > maxWalk {
			s.stopped = fmt.Sprintf("the folder has more than %d entries", maxWalk)
		}
		if s.stopped == "" && ctx.Err() != nil {
			s.stopped = "the time limit was reached"
		}
		if s.stopped != "" {
			return
		}
		name := path.Join(dir, e.Name())
		if !e.IsDir() || slices.Contains([]string{".git", ".reconcile", "node_modules", "__pycache__"}, name) ||
			slices.ContainsFunc(s.in.Installed, func(in Installed) bool { return in.Path == name }) {
			continue
		}
		if m, ok := s.readModel(name); ok {
			if len(s.models) < maxModels {
				s.models = append(s.models, m)
			}
		} else if depth < maxDepth {
			s.findModels(ctx, name, depth+1)
		}
	}
}

// readModel reads the snapshots and refs/main of a folder models--OWNER--NAME.
func (s *scanner) readModel(name string) (model, bool) {
	repo, ok := hub.Repo(path.Base(name))
	if info, err := fs.Lstat(s.fsys, path.Join(name, "snapshots")); !ok || err != nil || !info.IsDir() {
		return model{}, false
	}
	m := model{dir: path.Dir(name), repo: repo}
	for _, e := range s.readDir(path.Join(name, "snapshots")) {
		if e.IsDir() && hub.IsCommit(e.Name()) {
			m.commits = append(m.commits, e.Name())
		}
	}
	if b, err := rawfile.ReadFS(s.fsys, path.Join(name, "refs/main"), 100); err == nil {
		if commit := strings.TrimSpace(string(b)); slices.Contains(m.commits, commit) {
			m.main = commit
		}
	}
	return m, true
}

// commit returns the revision of a model, and why it is a comment.
func (m *model) commit() (commit, why string) {
	name := regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*/[a-zA-Z0-9][a-zA-Z0-9._-]*$`)
	switch {
	case !name.MatchString(m.repo) || strings.Contains(m.repo, "..") || len(m.repo) > 100:
		return "", "its name is not OWNER/NAME"
	case m.main != "":
		return m.main, ""
	case len(m.commits) == 1:
		return m.commits[0], ""
	case len(m.commits) == 0:
		return "", "it has no complete revision"
	}
	return m.commits[0], fmt.Sprintf("it has %d revisions, and refs/main names none of them", len(m.commits))
}

// modelsDir returns the folder of the models in the manifest: models if it exists,
// otherwise that of the first model; "" without models.
func (s *scanner) modelsDir() string {
	if slices.Contains(s.folders(), manifest.ModelsDirectory) {
		return manifest.ModelsDirectory
	}
	for i := range s.models {
		if isPlainPath(s.models[i].dir) {
			return s.models[i].dir
		}
	}
	return ""
}

// isPlainPath reports whether a manifest accepts a path as a directory.
func isPlainPath(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	known := slices.ContainsFunc(knownFolders(), func(f string) bool { return strings.EqualFold(f, p) })
	return p != "." && !known && len(p) < 200 && !strings.EqualFold(first, ".reconcile") && !strings.Contains(strings.ToLower("/"+p+"/"), "/.git/") &&
		p[0] != '-' && strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == ""
}

func (s *scanner) writeModels(w *writer) {
	if len(s.models) == 0 {
		return
	}
	dir := s.modelsDir()
	w.line("\n# Never downloaded by apply. A revision is a commit.")
	slices.SortStableFunc(s.models, func(a, b model) int {
		return cmp.Or(strings.Compare(a.repo, b.repo), strings.Compare(a.dir, b.dir))
	})
	var pinned, comments []string
	seen := map[string]bool{}
	for i := range s.models {
		m := &s.models[i]
		commit, why := m.commit()
		if why == "" && m.dir != dir {
			why = "is in " + printable(m.dir) + ", not in the folder " + manifest.ModelsDirectory
		}
		if why == "" && seen[strings.ToLower(m.repo)] {
			why = "exists twice"
		}
		if why != "" {
			comments = append(comments, fmt.Sprintf("  # - {repo: %s, revision: %s} # %s", printable(m.repo), cmp.Or(commit, "COMMIT"), why))
			continue
		}
		seen[strings.ToLower(m.repo)] = true
		pinned = append(pinned, fmt.Sprintf("  - {repo: %s, revision: %q} # %s", scalar(m.repo), commit, printable(m.dir)))
	}
	if len(pinned) == 0 {
		w.line("# models:")
	} else {
		w.line("models:")
	}
	for _, line := range append(pinned, comments...) {
		w.line("%s", line)
	}
}
