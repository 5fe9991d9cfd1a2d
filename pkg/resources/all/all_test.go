package all

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func TestKinds(t *testing.T) {
	kinds := Kinds()
	if !slices.IsSortedFunc(kinds, func(a, b resources.Kind) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("kinds are not listed by name")
	}
	for _, k := range kinds {
		if got, ok := Find(k.Name); !ok || got.Name != k.Name {
			t.Errorf("Find(%q) = %q, %v", k.Name, got.Name, ok)
		}
		if k.Doc == "" || k.New == nil {
			t.Errorf("kind %s lacks a doc or New", k.Name)
		}
	}
	if _, ok := Find("nothing"); ok {
		t.Error("Find knows a kind that is not there")
	}
}

// TestEveryPackageIsListed holds that a kind cannot be forgotten: each folder
// beside this one that defines a Kind is in the list.
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
		name := filepath.Base(filepath.Dir(source))
		if !strings.Contains(string(text), "\nvar Kind = ") {
			continue
		}
		if _, ok := Find(name); !ok {
			t.Errorf("%s defines a kind that all.Kinds does not list", source)
		}
	}
}

// TestDocs holds docs/kinds to what the kinds say of themselves.
func TestDocs(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs", "kinds")
	var listed []string
	for _, k := range Kinds() {
		page := "# " + k.Name + "\n\n" + strings.TrimSpace(k.Doc) + "\n"
		golden.Check(t, filepath.Join(docs, k.Name+".md"), []byte(page))
		listed = append(listed, k.Name+".md")
	}
	pages, err := os.ReadDir(docs)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !slices.Contains(listed, page.Name()) {
			t.Errorf("docs/kinds/%s documents no kind", page.Name())
		}
	}
}
