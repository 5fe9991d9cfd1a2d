package manifest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// TestSchemaAcceptsValidManifests checks every valid manifest of this repository:
// manifest.yaml, the starter, the reference, and those of the stories.
func TestSchemaAcceptsValidManifests(t *testing.T) {
	schema := validator(t)
	texts := map[string][]byte{"starter": []byte(Starter("x"))}
	for _, file := range []string{"../../manifest.yaml", "testdata/reference.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = text
	}
	stories, err := filepath.Glob("../cli/testdata/script/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, story := range stories {
		archive, err := txtar.ParseFile(story)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			// The story replaces variables.
			if strings.HasSuffix(f.Name, ".yaml") && strings.HasPrefix(string(f.Data), "version:") && !strings.Contains(string(f.Data), "$") {
				texts[filepath.Base(story)+" "+f.Name] = f.Data
			}
		}
	}
	both := 0
	for name, text := range texts {
		if !reads(text) {
			continue // an invalid manifest
		}
		both++
		value, ok := parsed(text)
		if !ok {
			t.Errorf("%s is not YAML", name)
			continue
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("the schema rejects %s: %v", name, err)
		}
	}
	if both < 15 {
		t.Errorf("only %d valid manifests", both)
	}
}

// reads reports whether a manifest is valid; all templates exist.
func reads(text []byte) bool { return len(refusals(text)) == 0 }

// refusals returns the codes of the problems of a manifest, sorted.
func refusals(text []byte) []string {
	_, err := Load(anyTemplate{fstest.MapFS{"manifest.yaml": {Data: text}}}, "manifest.yaml")
	var codes []string
	for _, p := range diag.Problems(err) {
		codes = append(codes, p.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// project is the pyproject.toml to which the reference refers.
const project = `[project]
name = "p"
version = "1"
optional-dependencies = {train = ["torch"], dev = ["pytest"]}
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
`

// anyTemplate is a file system with a manifest, its pyproject.toml, and a template for every
// name.
type anyTemplate struct{ files fstest.MapFS }

func (a anyTemplate) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "templates/") {
		return fstest.MapFS{name: {Data: []byte("# rendered\n")}}.Open(name)
	}
	if name == "pyproject.toml" {
		return fstest.MapFS{name: {Data: []byte(project)}}.Open(name)
	}
	return a.files.Open(name)
}

// TestSchemaRejectsBadCases checks the cases of testdata/bad. The schema rejects each,
// or testdata/unseen.txt gives the reason why a
// schema cannot.
func TestSchemaRejectsBadCases(t *testing.T) {
	schema := validator(t)
	expected := unseenCases(t)
	for name, text := range badCases(t) {
		value, ok := parsed([]byte(text))
		taken := ok && schema.Validate(value) == nil
		if taken && !expected[name] {
			t.Errorf("the schema accepts %s: %v", name, refusals([]byte(text)))
		} else if !taken && expected[name] {
			t.Errorf("the schema or every parser rejects %s: remove it from testdata/unseen.txt", name)
		}
		delete(expected, name)
	}
	for name := range expected {
		t.Errorf("%s in testdata/unseen.txt is not a case", name)
	}
}

// unseenCases returns the cases in testdata/unseen.txt: a reason on a
// line of its own, with indented cases below it.
func unseenCases(t *testing.T) map[string]bool {
	text, err := os.ReadFile("testdata/unseen.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, " ") {
			for _, name := range strings.Fields(line) {
				cases[name] = true
			}
		}
	}
	return cases
}

// badCases returns the manifests of testdata/bad, by name; see TestBad for their form.
// Cases of templates are left out.
func badCases(t *testing.T) map[string]string {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	cases := map[string]string{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range archive.Files {
			name, sort, _ := strings.Cut(section.Name, ".")
			text := string(section.Data)
			switch sort {
			case "yaml":
				cases[name] = text
			case "part":
				cases[name] = "version: 1\nproject: p\n" + text
			case "quoted":
				if cases[name], err = strconv.Unquote(strings.TrimSpace(text)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if len(cases) < 150 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}
