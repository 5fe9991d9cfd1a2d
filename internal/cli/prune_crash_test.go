//go:build failpoints

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// fullManifest has resources of every kind; prunedManifest keeps one file and moves one
// directory.
const (
	fullManifest = `version: 1
project: leaving
directories:
  data: {path: data}
  raw: {path: data/raw}
  full: {path: data/full}
  corpus: {path: corpus}
files:
  - {path: data/raw/notes.txt, content: "notes\n"}
  - {path: edited.txt, content: "ours\n"}
  - {path: stays.txt, content: "stays\n"}
environments:
  local:
    type: venv
    match: {gpu: none}
    path: .venv
    python: "3.10"
    lock: pylock.toml
    platforms: [linux-x86_64, macos-arm64]
    packages: []
    directories: {corpus: {path: store}}
`
	emptyLock = `lock-version = "1.0"
environments = [
    "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "sys_platform == 'darwin' and platform_machine == 'arm64'",
]
requires-python = ">=3.10,<3.11"
created-by = "reconcile"
packages = []

[tool.reconcile]
format = 1
platforms = ["linux-x86_64", "macos-arm64"]
requests = []
`
	prunedManifest = `version: 1
project: leaving
moved: [{from: directory.corpus, to: directory.books}]
directories:
  books: {path: deep/books}
files:
  - {path: stays.txt, content: "stayed\n"}
`
)

// TestCrashPrune kills an apply that prunes, at every passage of every failpoint. Each time the
// user's files remain, a moved file is at its old or at its new path, and the next apply
// completes.
func TestCrashPrune(t *testing.T) {
	if python310() == "" {
		t.Skip("no Python 3.10 on this machine")
	}
	s := newSite(t, "")
	s.write("manifest.yaml", fullManifest)
	s.write("pylock.toml", emptyLock)
	s.want(0, "apply", "-y", "--env", "local")
	s.write("edited.txt", "mine\n")
	s.write("data/full/mine.csv", "mine\n")
	s.write("store/book.txt", "a book\n")
	s.write("manifest.yaml", prunedManifest)
	base := s.saveBase()
	all := s.passages("apply", "-y")
	s.checkPruned("without a kill")
	for _, at := range all {
		s.restore(base)
		s.runKilledAt(at, "apply", "-y")
		s.checkUserFiles(at)
		s.want(0, "apply", "-y")
		s.checkPruned(at)
		if t.Failed() {
			t.Fatalf("after a kill at %s", at)
		}
	}
	points := failpoints(all)
	for _, point := range []string{"step.remove.before", "step.remove.after", "step.move.before", "step.move.after", "trash.moved", "journal.written"} {
		if !points[point] {
			t.Errorf("%s was never passed", point)
		}
	}
}

// checkUserFiles checks that the user's files are unchanged, and that the moved file exists
// once.
func (s *site) checkUserFiles(at string) {
	s.t.Helper()
	for name, want := range map[string]string{"edited.txt": "mine\n", "data/full/mine.csv": "mine\n"} {
		if got, err := os.ReadFile(s.path(name)); err != nil || string(got) != want {
			s.t.Errorf("%s: %s is %q, %v", at, name, got, err)
		}
	}
	before, errBefore := os.ReadFile(s.path("store/book.txt"))
	after, errAfter := os.ReadFile(s.path("deep/books/book.txt"))
	if (errBefore == nil) == (errAfter == nil) || string(before)+string(after) != "a book\n" {
		s.t.Errorf("%s: the book is at both paths or at neither: %v, %v", at, errBefore, errAfter)
	}
}

// checkPruned checks that everything that left the manifest is removed.
func (s *site) checkPruned(at string) {
	s.t.Helper()
	s.checkUserFiles(at)
	for _, name := range []string{".venv", "data/raw", "corpus", "store"} {
		if _, err := os.Lstat(s.path(name)); !os.IsNotExist(err) {
			s.t.Errorf("%s: %s is still there: %v", at, name, err)
		}
	}
	if found, _ := filepath.Glob(s.store("projects/*/envs/local")); len(found) > 0 {
		s.t.Errorf("%s: generations are left: %q", at, found)
	}
	s.want(0, "plan", "--detailed-exitcode")
	s.checkNoTemporaries()
}
