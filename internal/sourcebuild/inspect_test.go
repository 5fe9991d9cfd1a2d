package sourcebuild

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// An inspector returns an Inspector of a project whose index is a folder.
func inspector(t testing.TB, root, folder string) *Inspector {
	t.Helper()
	python, _ := findPython(t)
	root, err := filepath.EvalSymlinks(root)
	check(t, err)
	store := t.TempDir()
	packages, err := simpleindex.New(simpleindex.Settings{NoIndex: true, FindLinks: []string{folder}})
	check(t, err)
	return &Inspector{
		Root: root, Store: store, Python: python, Platform: "linux-x86_64", Git: Git{Cache: filepath.Join(store, "cache", "git")},
		Packages: packages,
	}
}

// inspection asks for the metadata of demo, with requirements that are never resolved.
func inspectionOf(t testing.TB, s lock.Source) lock.Inspection {
	t.Helper()
	_, minor := findPython(t)
	return lock.Inspection{Source: s, Name: "demo", Python: minor, Resolve: func(_ context.Context, requirements []string) ([]lock.Package, error) {
		return nil, fmt.Errorf("resolved %q", requirements)
	}}
}

// dynamic is a source whose metadata only its backend determines.
func dynamic(more string) map[string]string {
	files := backend(`return wheel(out)`)
	files["backend.py"] += more
	return files
}

func TestInspectAsksTheBackendForDynamicMetadata(t *testing.T) {
	archive := sdist(t, ".tar.gz", dynamic(""))
	content, err := os.ReadFile(archive)
	check(t, err)
	i := inspector(t, t.TempDir(), filepath.Dir(archive))
	source := lock.Source{File: "demo-1.0.tar.gz", Size: int64(len(content)), SHA256: sha256.Sum256(content)}
	got, err := i.Inspect(t.Context(), inspectionOf(t, source))
	check(t, err)
	if got.Version != "1.0" || strings.Join(got.RequiresDist, ";") != "six>=1" || got.Source != source {
		t.Errorf("%+v", got)
	}
	if left, err := os.ReadDir(filepath.Join(i.Store, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	other := inspectionOf(t, source)
	other.Version = "2.0"
	_, err = i.Inspect(t.Context(), other)
	hasProblem(t, err, "build.metadata", "1.0")
}

// TestInspectRunsNothingIfFilesSuffice uses a backend that does not exist.
func TestInspectRunsNothingIfFilesSuffice(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		with  []string
	}{
		"backend without further requirements": {map[string]string{"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"flit_core.buildapi\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\ndependencies = [\"six\"]\n"}, nil},
		"with packages of the environment":     {map[string]string{"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"absent\"\n", "PKG-INFO": "Metadata-Version: 2.2\nDynamic: Requires-Dist\nName: demo\nVersion: 1.0\nRequires-Dist: six\n"}, []string{"torch"}},
	} {
		archive := sdist(t, ".zip", test.files)
		content, err := os.ReadFile(archive)
		check(t, err)
		in := inspectionOf(t, lock.Source{File: "demo-1.0.zip", SHA256: sha256.Sum256(content)})
		in.Rule.With = test.with
		got, err := inspector(t, t.TempDir(), filepath.Dir(archive)).Inspect(t.Context(), in)
		if err != nil || got.Version != "1.0" || strings.Join(got.RequiresDist, ";") != "six" || strings.Join(got.With, " ") != strings.Join(test.with, " ") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestInspectRefusesASourceForAnotherPython(t *testing.T) {
	root := tree(t, map[string]string{"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"flit_core.buildapi\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \"<3.8\"\n"})
	_, err := inspector(t, root, root).Inspect(t.Context(), inspectionOf(t, lock.Source{Directory: "."}))
	hasProblem(t, err, "build.metadata", "requires-python <3.8")
}

func TestInspectResolvesRequirementsOfTheBackend(t *testing.T) {
	root := tree(t, dynamic("def get_requires_for_build_editable(settings=None):\n    return ['editables']\n"))
	_, err := inspector(t, root, root).Inspect(t.Context(), inspectionOf(t, lock.Source{Directory: "."}))
	if err == nil || !strings.Contains(err.Error(), `resolved ["editables"]`) {
		t.Errorf("%v", err)
	}
}

func TestInspectWithoutAnInterpreter(t *testing.T) {
	root := tree(t, dynamic(""))
	i := inspector(t, root, root)
	i.Python = ""
	_, err := i.Inspect(t.Context(), inspectionOf(t, lock.Source{Directory: "."}))
	hasProblem(t, err, "build.failed", "")
	if err == nil || !strings.Contains(err.Error(), "no Python") {
		t.Errorf("%v", err)
	}
}

func TestInspectReadsArchivesAndDirectoriesOfTheProjectOnly(t *testing.T) {
	archive := sdist(t, ".tar.gz", dynamic(""))
	content, err := os.ReadFile(archive)
	check(t, err)
	root := tree(t, map[string]string{"libs/demo-1.0.tar.gz": string(content)})
	i := inspector(t, root, root)
	got, err := i.Inspect(t.Context(), inspectionOf(t, lock.Source{File: "demo-1.0.tar.gz", URL: "./libs/demo-1.0.tar.gz"}))
	check(t, err)
	if got.SHA256 != sha256.Sum256(content) || got.Size != int64(len(content)) {
		t.Errorf("%+v", got.Source)
	}
	outside := tree(t, dynamic(""))
	check(t, os.Symlink(outside, filepath.Join(root, "link")))
	check(t, os.Symlink(archive, filepath.Join(root, "demo-1.0.tar.gz")))
	for _, s := range []lock.Source{{Directory: "link"}, {Directory: "../x"}, {File: "demo-1.0.tar.gz", URL: "./demo-1.0.tar.gz"}, {File: "demo-1.0.tar.gz", URL: "./../demo-1.0.tar.gz"}} {
		_, err := i.Inspect(t.Context(), inspectionOf(t, s))
		hasProblem(t, err, "build.failed", "")
	}
}

func TestInspectReadsACommit(t *testing.T) {
	address, commit, _ := repository(t, map[string]string{"sub/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"flit_core.buildapi\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\n"})
	got, err := inspector(t, t.TempDir(), t.TempDir()).Inspect(t.Context(), inspectionOf(t, lock.Source{Git: address, Commit: commit, Subdirectory: "sub"}))
	check(t, err)
	if got.Version != "1.0" || got.Commit != commit {
		t.Errorf("%+v", got)
	}
}

// TestInspectRecordsTheDigestOfAnAddress fetches an archive from a server of this machine.
func TestInspectRecordsTheDigestOfAnAddress(t *testing.T) {
	archive := sdist(t, ".tar.gz", dynamic(""))
	content, err := os.ReadFile(archive)
	check(t, err)
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(archive))))
	defer server.Close()
	i := inspector(t, t.TempDir(), t.TempDir())
	got, err := i.Inspect(t.Context(), inspectionOf(t, lock.Source{File: "demo-1.0.tar.gz", URL: server.URL + "/demo-1.0.tar.gz"}))
	check(t, err)
	if got.SHA256 != sha256.Sum256(content) || got.Size != int64(len(content)) {
		t.Errorf("%+v", got.Source)
	}
	_, err = i.Inspect(t.Context(), inspectionOf(t, lock.Source{File: "demo-1.0.tar.gz", URL: server.URL + "/demo-1.0.tar.gz", SHA256: sha256.Sum256(nil)}))
	hasProblem(t, err, "apply.hash", "")
	_, err = i.Inspect(t.Context(), inspectionOf(t, lock.Source{File: "demo-1.0.tar.gz", URL: server.URL + "/absent/demo-1.0.tar.gz"}))
	hasProblem(t, err, "index.absent", "")
}
