package manifest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// FuzzLoad checks that Load does not panic and ends in time, that every
// problem has a position, and that a valid manifest can be compiled, is the same after
// yaml.Marshal, and has no path that leads out.
func FuzzLoad(f *testing.F) {
	own, err := os.ReadFile("../../manifest.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		string(own), manifest.Starter("p"), places, head, head + "files:\n- {path: a, content: |\n    x\n}\n", "&a [*a]", "a: b: c", "%YAML 1.2\n---\n", "\xff\xfe", "? [a]\n: b",
		head + "directories: {a: {path: \"\\u202e\"}}", head + "moved: [{from: a.b, to: a.c}]\ninterpreters: [{}]\n",
	} {
		f.Add(s)
	}
	template := &fstest.MapFile{Data: []byte("{{py .project}}")}
	f.Fuzz(func(t *testing.T, text string) {
		read := func(text string) (*manifest.Manifest, error) {
			return manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte(text)}, "templates/paths.py.tmpl": template}, "manifest.yaml")
		}
		start := time.Now()
		m, err := read(text)
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("took %v", took)
		}
		for _, p := range diag.Problems(err) {
			checkProblem(t, p)
		}
		if err != nil {
			return
		}
		list, err := m.Resources(linux, nil)
		if err != nil {
			for _, p := range diag.Problems(err) {
				checkProblem(t, p)
			}
			return
		}
		for _, d := range m.Directories {
			if d.Path == "" || strings.HasPrefix(d.Path+"/", "../") || strings.Contains(d.Path, "/../") {
				t.Errorf("%s has the path %q", d.Name, d.Path)
			}
		}
		sameAgain(t, text, read, addresses(list))
	})
}

// sameAgain compares the resources of a manifest after yaml.Marshal.
func sameAgain(t *testing.T, text string, read func(string) (*manifest.Manifest, error), want string) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	again, err := yaml.Marshal(&node)
	if err != nil {
		t.Fatal(err)
	}
	var check yaml.Node
	if yaml.Unmarshal(again, &check) != nil {
		return // the library cannot read its own output, as with some comments
	}
	m, err := read(string(again))
	if err != nil {
		t.Fatalf("after Marshal: %v\n%s", err, again)
	}
	list, err := m.Resources(linux, nil)
	if err != nil || addresses(list) != want {
		t.Errorf("resources after Marshal:\n%s\nwant\n%s (%v)", addresses(list), want, err)
	}
}

// FuzzTemplate checks that rendering does not panic and ends in time, and that
// problems have positions.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{range .directories}}{{name .constant}} = {{py .path}}\n{{end}}", "{{if .values.b}}{{py .values.a}}{{else}}x{{end}}", "{{with .paths}}{{py .models}}{{end}}",
		"{{range $i, $d := .directories}}{{py $i}}{{py $d.path}}{{break}}{{end}}", "{{.values.list | py}}{{/* c */}}{{- comment .project -}}", "{{$x := 1}}{{py $x}}", "{{py (index .paths \"models\")}}", "{{((((1))))}}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, template string) {
		start := time.Now()
		m, err := manifest.Load(fstest.MapFS{
			"manifest.yaml":    {Data: []byte(head + "directories: {models: {path: models}}\nfiles: [{path: t.py, template: t.tmpl, values: {a: \"it's\", b: true, list: [1, x]}}]\n")},
			"templates/t.tmpl": {Data: []byte(template)},
		}, "manifest.yaml")
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("took %v", took)
		}
		for _, p := range diag.Problems(err) {
			checkProblem(t, p)
		}
		if err == nil && len(m.Files[0].Content) > 4<<20 {
			t.Errorf("rendered %d bytes", len(m.Files[0].Content))
		}
	})
}
