package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile"
	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// longestProject is the longest name of a new project, in bytes: the manifest derives
// longer names from it, which may have 64.
const longestProject = 48

// projectFiles returns the files of a new project, the manifest last: those of this
// repository, with the name of the project, without the files that apply writes.
func projectFiles(at *place, result *Result) ([]newFile, error) {
	m, err := manifest.Load(reconcile.Project, session.DefaultManifest)
	if err != nil {
		return nil, fmt.Errorf("the manifest in this program: %w", err)
	}
	result.Project = projectName(at.name())
	var files []newFile
	err = fs.WalkDir(reconcile.Project, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || rendered(m, name) || name == session.DefaultManifest {
			return err
		}
		content, err := reconcile.Project.ReadFile(name)
		files = append(files, newFile{name, content})
		return err
	})
	if err != nil {
		return nil, err
	}
	text, err := reconcile.Project.ReadFile(session.DefaultManifest)
	if err != nil {
		return nil, err
	}
	text = withoutSchema(text, files)
	text = []byte(strings.ReplaceAll(string(text), m.Project, result.Project))
	if note := unignored(at, files); note != "" {
		result.Notes = append(result.Notes, note)
	}
	return append(files, newFile{at.manifest, text}), nil
}

// isBegun reports whether the folder has nothing but files of a new project, as they would be
// written, and temporary ones: a killed init left them, and the next one completes the project.
// result is that of the run, without changing it.
func isBegun(at *place, result Result) (bool, error) {
	files, err := projectFiles(at, &result)
	if err != nil {
		return false, err
	}
	folder, err := at.root.OpenRoot(at.below)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer folder.Close()
	begun, other := false, errors.New("another file")
	err = fs.WalkDir(rawfile.FS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".git":
			return fs.SkipDir
		case entry.IsDir() || atomicfile.IsTemp(entry.Name()):
			return nil
		}
		i := slices.IndexFunc(files, func(f newFile) bool { return f.name == name })
		if i < 0 {
			return other
		}
		text, err := rawfile.ReadRoot(folder, name, int64(len(files[i].content)), 0)
		if err != nil || !bytes.Equal(text, files[i].content) {
			return other
		}
		begun = true
		return nil
	})
	return begun && err == nil, nil
}

// withoutSchema removes the line that names a schema for editors if files does not have it.
func withoutSchema(text []byte, files []newFile) []byte {
	line, rest, _ := strings.Cut(string(text), "\n")
	_, file, ok := strings.Cut(line, "$schema=")
	if !ok || line[0] != '#' || slices.ContainsFunc(files, func(f newFile) bool { return f.name == strings.TrimSpace(file) }) {
		return text
	}
	return []byte(rest)
}

// projectName returns the name of a new project in a directory.
func projectName(folder string) string {
	name := manifest.Slug(folder)
	return strings.TrimRight(name[:min(len(name), longestProject)], "-")
}

// maxIgnore is the largest .gitignore that is read, in bytes.
const maxIgnore = 1 << 20

// rendered reports whether apply writes a file.
func rendered(m *manifest.Manifest, name string) bool {
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Path == name })
}

// unignored returns a note about the lines that are missing in an existing .gitignore, or "":
// without them data and models would be committed.
func unignored(at *place, files []newFile) string {
	i := slices.IndexFunc(files, func(f newFile) bool { return f.name == ".gitignore" })
	if i < 0 {
		return ""
	}
	b, err := rawfile.ReadRoot(at.root, at.path(".gitignore"), maxIgnore, rawfile.NoFollow)
	if err != nil {
		return "" // absent, or not read by git
	}
	has := strings.Fields(string(b))
	var missing []string
	for line := range strings.Lines(string(files[i].content)) {
		line = strings.TrimSpace(line)
		bare := strings.Trim(line, "/")
		if !strings.HasPrefix(line, "/") || slices.ContainsFunc(has, func(h string) bool { return strings.Trim(h, "/") == bare }) {
			continue
		}
		missing = append(missing, line)
	}
	if len(missing) == 0 {
		return ""
	}
	return "your .gitignore lacks " + strings.Join(missing, " ")
}
