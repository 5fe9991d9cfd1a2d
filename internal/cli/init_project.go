package cli

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// longestProject is how many characters the name of a new project has at most: the
// manifest makes longer names of it, and none may have more than 64.
const longestProject = 48

// projectFiles are the files of a new project, the manifest last: those of this
// repository, under another name. What apply writes from the manifest is not one.
func projectFiles(place *initPlace, doc *initDocument) ([]newFile, error) {
	m, err := manifest.Load(reconcile.Project, session.DefaultManifest)
	if err != nil {
		return nil, fmt.Errorf("the manifest in this program: %w", err)
	}
	doc.Project = projectName(place.name())
	var files []newFile
	err = fs.WalkDir(reconcile.Project, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || rendered(m, name) || name == session.DefaultManifest {
			return err
		}
		content, err := fs.ReadFile(reconcile.Project, name)
		files = append(files, newFile{name, content})
		return err
	})
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(reconcile.Project, session.DefaultManifest)
	if err != nil {
		return nil, err
	}
	text = withoutSchema(text, files)
	text = []byte(strings.ReplaceAll(string(text), m.Project, doc.Project))
	if note := unignored(place, files); note != "" {
		doc.Notes = append(doc.Notes, note)
	}
	return append(files, newFile{place.manifest, text}), nil
}

// withoutSchema leaves out the line that names a schema for editors, if the file that it
// names is no part of a new project.
func withoutSchema(text []byte, files []newFile) []byte {
	line, rest, _ := strings.Cut(string(text), "\n")
	_, file, ok := strings.Cut(line, "$schema=")
	if !ok || line[0] != '#' || slices.ContainsFunc(files, func(f newFile) bool { return f.name == strings.TrimSpace(file) }) {
		return text
	}
	return []byte(rest)
}

// projectName is the name of a new project in a folder.
func projectName(folder string) string {
	name := manifest.Slug(folder)
	return strings.TrimRight(name[:min(len(name), longestProject)], "-")
}

// maxIgnore is the longest .gitignore that is looked at, in bytes.
const maxIgnore = 1 << 20

// rendered reports whether apply writes a file, from a template or as it is given.
func rendered(m *manifest.Manifest, name string) bool {
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Path == name })
}

// unignored says which lines a .gitignore that stays does not have: without them data
// and models would be committed.
func unignored(place *initPlace, files []newFile) string {
	i := slices.IndexFunc(files, func(f newFile) bool { return f.name == ".gitignore" })
	if i < 0 {
		return ""
	}
	info, err := place.root.Lstat(place.path(".gitignore"))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxIgnore {
		return "" // it is not there, or nothing that git would read
	}
	b, err := place.root.ReadFile(place.path(".gitignore"))
	if err != nil {
		return ""
	}
	has := strings.Fields(string(b))
	var lacks []string
	for line := range strings.Lines(string(files[i].content)) {
		line = strings.TrimSpace(line)
		bare := strings.Trim(line, "/")
		if !strings.HasPrefix(line, "/") || slices.ContainsFunc(has, func(h string) bool { return strings.Trim(h, "/") == bare }) {
			continue
		}
		lacks = append(lacks, line)
	}
	if len(lacks) == 0 {
		return ""
	}
	return "your .gitignore does not have " + strings.Join(lacks, " ")
}
