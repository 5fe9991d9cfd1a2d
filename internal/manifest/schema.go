package manifest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Schema returns the JSON Schema of the manifest, draft 07, for editors. It uses no $ref,
// since draft 07 ignores a description beside one. docs/schema/manifest.v1.json is a copy.
func Schema() []byte {
	root := describe()
	schema := append(members{{"$schema", "http://json-schema.org/draft-07/schema#"}}, root.schema()...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		panic(err) // it contains only texts, numbers, and lists of them
	}
	return b.Bytes()
}

// schema returns the schema of a mapping with known keys.
func (o *object) schema() members {
	var properties, rules members
	for _, k := range o.keys {
		properties = append(properties, member{k.name, k.schema(o)})
	}
	if a := o.shape.alias; a.old != "" {
		k := o.keys[o.shape.index(a.key)]
		k.doc = "The previous name of `" + a.key + "`."
		properties = append(properties, member{a.old, k.schema(o)})
		rules = members{{"not", members{requires(a.old, a.key)}}}
	}
	s := append(explained(o.title, o.doc), members{{"type", "object"}, {"properties", properties}}...)
	if o.shape.required > 0 {
		s = append(s, requires(o.shape.keys[:o.shape.required]...))
	}
	return append(append(append(s, member{"additionalProperties", false}), o.rules...), rules...)
}

// schema returns the schema of one key of o: that of its form, with the documentation of
// the key.
func (k *key) schema(o *object) members {
	title := o.title + "." + k.name
	if o.shape == &manifestShape {
		title = k.name
	}
	s := explained(title, k.doc)
	for _, m := range k.form.schema {
		if m.name != "title" && m.name != "description" && m.name != "markdownDescription" {
			s = append(s, m)
		}
	}
	if k.absent != nil {
		s = append(s, member{"default", k.absent})
	}
	if k.example != nil {
		s = append(s, member{"examples", []any{k.example}})
	}
	return s
}

// explained returns the members that editors show as help: a text with code also as
// Markdown.
func explained(title, doc string) members {
	s := members{{"title", title}, {"description", doc}}
	if strings.Contains(doc, "`") {
		s = append(s, member{"markdownDescription", doc})
	}
	return s
}

// members are the members of a JSON object, in order.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (ms members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
