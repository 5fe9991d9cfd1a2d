// Package outputschema checks what the program prints as JSON against the schemas in
// docs/schema, with a validator that is not ours. Only tests import it.
//
// Published schemas let members be added: programs that read version 1 go on. Here a
// member that a schema does not name is an error, so that none is added without being
// published.
package outputschema

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Checker is one schema.
type Checker struct {
	name   string
	schema *jsonschema.Schema
}

// Load reads docs/schema/NAME.v1.json of the repository that the test runs in.
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

// Check fails the test where a document is not as the schema says.
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

// Kind returns the member kind of a document, by which events and the summary at
// their end are told apart.
func Kind(t testing.TB, doc []byte) string {
	t.Helper()
	var head struct{ Kind string }
	if err := json.Unmarshal(doc, &head); err != nil {
		t.Errorf("%v in %.300s", err, doc)
	}
	return head.Kind
}

// closeObjects lets no object have members that its schema does not name.
func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		_, named := node["properties"].(map[string]any)
		if _, said := node["additionalProperties"]; named && !said {
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

// root finds the folder of go.mod above the test.
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
	t.Fatalf("there is no go.mod above the test: %v", err)
	return ""
}
