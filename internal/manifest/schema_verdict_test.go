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

// TestSchemaTakesWhatTheReaderTakes reads every manifest of this repository that is
// sound: the project's, the starter, the reference, and those of the stories.
func TestSchemaTakesWhatTheReaderTakes(t *testing.T) {
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
			// What stands in $WORK or a variable is filled in by the story.
			if strings.HasSuffix(f.Name, ".yaml") && strings.HasPrefix(string(f.Data), "version:") && !strings.Contains(string(f.Data), "$") {
				texts[filepath.Base(story)+" "+f.Name] = f.Data
			}
		}
	}
	both := 0
	for name, text := range texts {
		if !reads(text) {
			continue // a story of what is refused
		}
		both++
		value, ok := parsed(text)
		if !ok {
			t.Errorf("%s is read and not parsed", name)
			continue
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s is refused by the schema: %v", name, err)
		}
	}
	if both < 15 {
		t.Errorf("only %d manifests were compared", both)
	}
}

// reads reports whether the reader takes a text; templates are there.
func reads(text []byte) bool { return len(refusals(text)) == 0 }

// refusals returns the codes of what the reader says of a text, sorted.
func refusals(text []byte) []string {
	_, err := Load(anyTemplate{fstest.MapFS{"manifest.yaml": {Data: text}}}, "manifest.yaml")
	var codes []string
	for _, p := range diag.Problems(err) {
		codes = append(codes, p.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// anyTemplate is a folder with a manifest and, whatever its name, each template.
type anyTemplate struct{ files fstest.MapFS }

func (a anyTemplate) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "templates/") {
		return fstest.MapFS{name: {Data: []byte("# rendered\n")}}.Open(name)
	}
	return a.files.Open(name)
}

// TestSchemaRefusesWhatTheReaderRefuses reads the cases of testdata/bad. Each is
// refused by the schema too, or stands in testdata/unseen.txt, by the reason why a
// schema cannot see it.
func TestSchemaRefusesWhatTheReaderRefuses(t *testing.T) {
	schema := validator(t)
	expected := unseenCases(t)
	for name, text := range badCases(t) {
		value, ok := parsed([]byte(text))
		taken := ok && schema.Validate(value) == nil
		if taken && !expected[name] {
			t.Errorf("%s is taken by the schema: %v", name, refusals([]byte(text)))
		} else if !taken && expected[name] {
			t.Errorf("%s is refused by the schema, or by every parser, and can leave testdata/unseen.txt", name)
		}
		delete(expected, name)
	}
	for name := range expected {
		t.Errorf("%s of testdata/unseen.txt is no case", name)
	}
}

// unseenCases returns the cases that are listed in testdata/unseen.txt: a reason on a
// line of its own, the cases below it, indented.
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
// Templates are not looked into: a schema does not know them.
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
		t.Fatalf("%d cases, there were more", len(cases))
	}
	return cases
}
