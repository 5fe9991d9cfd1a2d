package simpleindex

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestLocateReturnsNoCredentials(t *testing.T) {
	s := newServer(t)
	s.page = htmlPage(fmt.Sprintf("<a href='../../files/%s?signature=hunter2#sha256=%x'>x</a>", file, sha256.Sum256(content)))
	source, err := New(Settings{URL: s.withUser()})
	check(t, err)
	u, err := source.Locate(t.Context(), "Tiny.Pkg", tiny())
	check(t, err)
	if want := s.URL + "/files/" + file; u.String() != want {
		t.Errorf("%s, want %s", u, want)
	}
	if s.count("/files/") > 0 {
		t.Error("the file was requested")
	}
	other := tiny()
	other.SHA256[0]++
	_, err = source.Locate(t.Context(), "tiny-pkg", other)
	wantProblem(t, "", err, "apply.hash")
}

func TestLocateFindsFolders(t *testing.T) {
	dir := t.TempDir()
	source, err := New(Settings{NoIndex: true, FindLinks: []string{dir}})
	check(t, err)
	_, err = source.Locate(t.Context(), "tiny-pkg", tiny())
	wantProblem(t, "", err, "index.absent")
	check(t, os.WriteFile(filepath.Join(dir, file), content, 0o600))
	u, err := source.Locate(t.Context(), "tiny-pkg", tiny())
	check(t, err)
	if u.Scheme != "file" || u.Path != filepath.Join(dir, file) {
		t.Errorf("got %s", u)
	}
}
