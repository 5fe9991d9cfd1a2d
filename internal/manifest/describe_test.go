package manifest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// objects returns the objects of the description, in the order of the file, each once.
func objects() []*object {
	var all []*object
	var walk func(o *object)
	walk = func(o *object) {
		if slices.ContainsFunc(all, func(p *object) bool { return p.shape == o.shape }) {
			return
		}
		all = append(all, o)
		for _, k := range o.keys {
			if k.form.object != nil {
				walk(k.form.object)
			}
		}
	}
	walk(describe())
	return all
}

// TestEveryKeyIsDescribed checks that the descriptions match the shapes of the reader: the
// same keys in the same order, and no shape left out.
func TestEveryKeyIsDescribed(t *testing.T) {
	var described []string
	for _, o := range objects() {
		described = append(described, o.shape.what)
		var names []string
		for _, k := range o.keys {
			names = append(names, k.name)
			if !strings.HasSuffix(k.doc, ".") || len(k.doc) < 10 {
				t.Errorf("%s: the description of %s is not a sentence: %q", o.title, k.name, k.doc)
			}
			if k.form.word == "" {
				t.Errorf("%s: the form of %s has no word", o.title, k.name)
			}
			checkExample(t, o, &k)
		}
		if !slices.Equal(names, o.shape.keys) {
			t.Errorf("%s: the described keys are %q, those of the reader %q", o.title, names, o.shape.keys)
		}
		if !strings.HasSuffix(o.doc, ".") {
			t.Errorf("the description of %s is not a sentence: %q", o.title, o.doc)
		}
	}
	for _, what := range shapes(t) {
		if !slices.Contains(described, what) {
			t.Errorf("no object describes the shape of %s", what)
		}
	}
}

// checkExample checks that a key without an object has an example, and that
// the schema accepts its example and default.
func checkExample(t *testing.T, o *object, k *key) {
	if k.form.object == nil && k.example == nil {
		t.Errorf("%s: %s has no example", o.title, k.name)
	}
	text, err := json.Marshal(k.schema(o))
	if err != nil {
		t.Fatal(err)
	}
	schema := compile(t, text)
	for _, value := range []any{k.example, k.absent} {
		if value == nil {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		example, ok := parsed(text)
		if !ok {
			t.Fatalf("%s: %s: %s is not YAML", o.title, k.name, text)
		}
		if err := schema.Validate(example); err != nil {
			t.Errorf("%s: %s: the schema rejects %s: %v", o.title, k.name, text, err)
		}
	}
}

// shapes returns the names of the shapes in the source of this package.
func shapes(t *testing.T) (names []string) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if name, ok := literal.Type.(*ast.Ident); ok && name.Name == "shape" {
				what, err := strconv.Unquote(literal.Elts[0].(*ast.KeyValueExpr).Value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, what)
			}
			return true
		})
	}
	if len(names) < 15 {
		t.Fatalf("found only %d shapes", len(names))
	}
	return names
}
