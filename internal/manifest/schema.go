package manifest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Schema returns the JSON Schema of the manifest, draft 07, as editors read it. It has
// no address of its own: docs/schema/manifest.v1.json is it, and `reconcile schema`
// prints it. Everything stands where it is used, since draft 07 ignores a description
// beside a $ref.
func Schema() []byte {
	root := describe()
	schema := append(members{{"$schema", "http://json-schema.org/draft-07/schema#"}}, root.schema()...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		panic(err) // texts, numbers and lists of them: our own broken promise
	}
	return b.Bytes()
}

// schema returns the schema of a mapping of known keys.
func (o *object) schema() members {
	var properties members
	for _, k := range o.keys {
		properties = append(properties, member{k.name, k.schema(o)})
	}
	s := append(explained(o.title, o.doc), members{{"type", "object"}, {"properties", properties}}...)
	if o.shape.required > 0 {
		s = append(s, member{"required", o.shape.keys[:o.shape.required]})
	}
	return append(append(s, member{"additionalProperties", false}), o.rules...)
}

// schema returns the schema of one key of o: that of its form, with what the key is for.
func (k *key) schema(o *object) members {
	s := explained(o.key(k), k.doc)
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

// explained are the members that editors show where the pointer rests. description is
// plain text, so one with code in it is given a second time, as Markdown.
func explained(title, doc string) members {
	s := members{{"title", title}, {"description", doc}}
	if strings.Contains(doc, "`") {
		s = append(s, member{"markdownDescription", doc})
	}
	return s
}

// key returns where a key stands, "environments.NAME.python".
func (o *object) key(k *key) string {
	if o.shape == &manifestShape {
		return k.name
	}
	return o.title + "." + k.name
}

// members are those of a JSON object, in order.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order, which maps do not keep.
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
