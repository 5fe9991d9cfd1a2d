package manifest

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

// TestSchemaIsPublished checks that the published schema is the output of Schema.
func TestSchemaIsPublished(t *testing.T) {
	golden.Check(t, "../../docs/schema/manifest.v1.json", Schema())
}

// reference returns the manifest with every key, as text and as nodes.
func reference(t testing.TB) (text []byte, doc yaml.Node) {
	t.Helper()
	text, err := os.ReadFile("testdata/reference.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if codes := refusals(text); codes != nil {
		t.Fatalf("Load rejects the reference: %v", codes)
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return text, doc
}

// compile returns the validator of a schema.
func compile(t testing.TB, schema []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:///schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// validator returns the validator of the manifest's schema.
func validator(t testing.TB) *jsonschema.Schema { return compile(t, Schema()) }

// parsed returns a document as editors parse it; ok is false if it is not YAML.
func parsed(text []byte) (value any, ok bool) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Content) == 0 {
		return nil, false
	}
	left := 10_000
	return seen(&doc, &left)
}

// Scalars of the core schema of YAML 1.2, chapter 10.3.
var (
	yamlInteger = regexp.MustCompile(`^[-+]?[0-9]+$`)
	yamlFloat   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// seen returns the value of a node in an editor: 3.10 is 3.1, 0644 is 644. A duplicate
// key is an error, and so is an alias bomb, which left bounds.
// aliases, of which left stops the count.
func seen(n *yaml.Node, left *int) (any, bool) {
	if *left--; *left < 0 {
		return nil, false
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return seen(n.Content[0], left)
	case yaml.AliasNode:
		return seen(n.Alias, left)
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			value, ok := seen(n.Content[i+1], left)
			if _, doubled := m[n.Content[i].Value]; doubled || !ok || n.Content[i].Kind != yaml.ScalarNode {
				return nil, false
			}
			m[n.Content[i].Value] = value
		}
		return m, true
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			value, ok := seen(item, left)
			if !ok {
				return nil, false
			}
			list = append(list, value)
		}
		return list, true
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Value, true
	}
	switch v := n.Value; {
	case v == "" || v == "~" || v == "null" || v == "Null" || v == "NULL":
		return nil, true
	case v == "true" || v == "True" || v == "TRUE":
		return true, true
	case v == "false" || v == "False" || v == "FALSE":
		return false, true
	case yamlInteger.MatchString(v), yamlFloat.MatchString(v):
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil, false
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), true
	}
	return n.Value, true
}
