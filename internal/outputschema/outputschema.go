// Package outputschema validates the JSON output of the program with the schemas in
// docs/schema, using an independent validator. Only tests import it.
//
// Published schemas allow additional members, so that version 1 can be extended. Here a
// member that the schema does not define is an error, so that every one is published.
package outputschema

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Checker validates documents with one schema.
type Checker struct {
	name   string
	schema *jsonschema.Schema
}

// Load loads docs/schema/NAME.v1.json of the repository.
func Load(t testing.TB, name string) *Checker {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "schema", name+".v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return &Checker{name, schema}
}

// Check fails the test if a document is not valid.
func (c *Checker) Check(t testing.TB, doc []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Errorf("%s: %v in %.300s", c.name, err, doc)
		return
	}
	if err := c.schema.Validate(value); err != nil {
		t.Errorf("%v\n%.600s", err, doc)
	}
}

// Kind returns the member kind of a document, which distinguishes events from the summary.
func Kind(t testing.TB, doc []byte) string {
	t.Helper()
	var head struct{ Kind string }
	if err := json.Unmarshal(doc, &head); err != nil {
		t.Errorf("%v in %.300s", err, doc)
	}
	return head.Kind
}

// closeObjects forbids members that a schema does not define.
func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		_, named := node["properties"].(map[string]any)
		if _, set := node["additionalProperties"]; named && !set {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			closeObjects(child)
		}
	case []any:
		for _, child := range node {
			closeObjects(child)
		}
	}
}

// root returns the directory of go.mod above the test.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, found := os.Stat(filepath.Join(dir, "go.mod")); found == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no go.mod above the test: %v", err)
	return ""
}
