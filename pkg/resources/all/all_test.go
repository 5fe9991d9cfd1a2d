package all

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func TestKinds(t *testing.T) {
	kinds := Kinds()
	if !slices.IsSortedFunc(kinds, func(a, b resources.Kind) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("kinds are not sorted by name")
	}
	for _, k := range kinds {
		if got, ok := Find(k.Name); !ok || got.Name != k.Name {
			t.Errorf("Find(%q) = %q, %v", k.Name, got.Name, ok)
		}
		if k.New == nil {
			t.Errorf("kind %s has no New", k.Name)
		}
	}
	if _, ok := Find("missing"); ok {
		t.Error("Find returned a kind that does not exist")
	}
}

// TestEveryPackageIsListed checks that each package beside this one that defines a Kind is
// in the list.
func TestEveryPackageIsListed(t *testing.T) {
	sources, err := filepath.Glob("../*/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no kinds found: %v", err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`\nvar Kind = resources\.Kind\{Name: "([^"]+)"`).FindSubmatch(text)
		if m == nil {
			continue
		}
		if _, ok := Find(string(m[1])); !ok {
			t.Errorf("%s defines kind %s, which all.Kinds does not list", source, m[1])
		}
	}
}

// TestDocs checks that docs/kinds has a page for each kind, with a row for each field.
func TestDocs(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs", "kinds")
	for _, k := range Kinds() {
		page, err := os.ReadFile(filepath.Join(docs, k.Name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(string(page), "# "+k.Name+"\n\n") {
			t.Errorf("%s.md has no title", k.Name)
		}
		want := fields(reflect.TypeOf(k.New()).Elem())
		var got []string
		for line := range strings.Lines(string(page)) {
			if row, ok := strings.CutPrefix(line, "| `"); ok {
				got = append(got, strings.Split(row[:strings.Index(row, "` | ")], "`, `")...)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s.md documents the fields %q, want %q", k.Name, got, want)
		}
	}
	pages, err := os.ReadDir(docs)
	if err != nil || len(pages) != len(Kinds()) {
		t.Errorf("docs/kinds has %d pages for %d kinds: %v", len(pages), len(Kinds()), err)
	}
}

// fields returns the JSON names of a struct's fields.
func fields(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
