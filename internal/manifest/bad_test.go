package manifest_test

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/explain"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// head is the beginning of partial manifests.
const head = "version: 1\nproject: p\n"

// TestBad reads testdata/bad/*.txtar. A case NAME is one section:
//
//	NAME.yaml    a manifest
//	NAME.part    a manifest without its first two lines, see head
//	NAME.quoted  a manifest as a Go string, for bytes that editors do not keep
//	NAME.tmpl    templates/t.tmpl, with a manifest that renders it to t.py
//
// and a section NAME with the messages. -update writes the messages.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	cases := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := &txtar.Archive{Comment: archive.Comment}
		for _, section := range archive.Files {
			name, sort, ok := strings.Cut(section.Name, ".")
			if !ok {
				continue
			}
			cases++
			out.Files = append(out.Files, section)
			t.Run(name, func(t *testing.T) {
				got := messages(t, section, sort)
				out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(got)})
			})
		}
		golden.Check(t, file, txtar.Format(out))
	}
	if cases < 150 {
		t.Errorf("only %d cases", cases)
	}
}

// messages loads one case, which must fail, and returns the messages.
func messages(t *testing.T, section txtar.File, sort string) string {
	files := fstest.MapFS{}
	text := string(section.Data)
	switch sort {
	case "part":
		text = head + text
	case "quoted":
		unquoted, err := strconv.Unquote(strings.TrimSpace(text))
		if err != nil {
			t.Fatal(err)
		}
		text = unquoted
	case "tmpl":
		files["templates/t.tmpl"] = &fstest.MapFile{Data: section.Data}
		text = head + "directories: {models: {path: models}}\nfiles:\n  - {path: t.py, template: t.tmpl, values: {a: text, list: [1, 2]}}\n"
	}
	files["manifest.yaml"] = &fstest.MapFile{Data: []byte(text)}
	_, err := manifest.Load(files, "manifest.yaml")
	if err == nil {
		t.Fatal("Load accepts the manifest")
	}
	for _, p := range diag.Problems(err) {
		checkProblem(t, p)
	}
	return err.Error() + "\n"
}

// checkProblem checks properties of every problem of a manifest.
func checkProblem(t testing.TB, p *diag.Problem) {
	t.Helper()
	if !p.Pos.IsValid() || p.Pos.Col < 1 {
		t.Errorf("%s has no position: %v", p.Code, p)
	}
	if explain.Codes()[p.Code].Means == "" {
		t.Errorf("%s is not explained", p.Code)
	}
	for _, r := range p.Error() {
		if r < ' ' && r != '\n' || 0x7f <= r && r <= 0x9f || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 {
			t.Errorf("%s prints %U: %q", p.Code, r, p.Error())
		}
	}
	for _, s := range []string{p.Summary, p.Hint} {
		if strings.HasSuffix(s, ".") {
			t.Errorf("%s ends with a period: %q", p.Code, s)
		}
	}
	if len(p.Error()) > 4000 {
		t.Errorf("%s is %d bytes long", p.Code, len(p.Error()))
	}
}

// TestUnreadable checks a missing file and a directory.
func TestUnreadable(t *testing.T) {
	files := fstest.MapFS{"dir/x": {}, "manifest.yaml": {Data: []byte(head)}}
	for name, want := range map[string]string{
		"absent.yaml": "absent.yaml: cannot be read: file does not exist",
		"dir":         "dir: cannot be read: it is a directory, not a regular file",
	} {
		_, err := manifest.Load(files, name)
		var p *diag.Problem
		if !errors.As(err, &p) || err.Error() != want || p.Code != "manifest.unreadable" {
			t.Errorf("Load(%q) = %v, want %s", name, err, want)
		}
	}
}
