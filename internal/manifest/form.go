package manifest

import (
	"fmt"
	"strings"
)

// A form is the permitted values of a key, as a word for users and as JSON Schema for
// editors. The reader takes a value as written, but an editor has parsed it: 3.10 is the
// number 3.1 and 0644 is 644. So a value that users write without quotes may be a number in
// the schema, with limits that hold for the number.
//
// Patterns must mean the same in ECMA 262 and RE2: no lookahead, no flags.
type form struct {
	word   string  // "path", for a column of a table
	schema members // JSON Schema, draft 07
	object *object // the mapping that it is or contains, nil for none
}

// text is the form of a value that YAML always reads as text.
func text(word, pattern, complaint string, more ...member) form {
	return form{word: word, schema: append(members{{"type", "string"}, {"pattern", pattern}, {"errorMessage", complaint}}, more...)}
}

// numeral is the form of a value that YAML may read as a number.
func numeral(word, pattern, complaint string, more ...member) form {
	f := text(word, pattern, complaint, more...)
	f.schema[0].value = []string{"string", "number"}
	return f
}

// positive is the form of a value that YAML may read as a number of at least 0.
func positive(word, pattern, complaint string, more ...member) form {
	return numeral(word, pattern, complaint, append([]member{{"minimum", 0}}, more...)...)
}

func boolean() form { return form{word: "true or false", schema: members{{"type", "boolean"}}} }

func integer(low, high int64) form {
	return form{word: fmt.Sprintf("number, %d to %d", low, high), schema: members{{"type", "integer"}, {"minimum", low}, {"maximum", high}}}
}

func choice(words ...string) form {
	return form{word: "`" + strings.Join(words, "`, `") + "`", schema: members{{"enum", words}}}
}

func severity() form { return choice("fail", "warn") }

// formOf is the form of a mapping with known keys.
func formOf(o *object) form { return form{word: "mapping", schema: o.schema(), object: o} }

// namesOf is the form of a mapping with keys that the user chooses.
func namesOf(name, of form) form {
	return form{
		word:   "mapping of " + name.word + " to " + of.word,
		schema: members{{"type", "object"}, {"propertyNames", name.schema}, {"additionalProperties", of.schema}},
		object: of.object,
	}
}

func listOf(of form, more ...member) form {
	return form{word: "list of " + of.word, schema: append(members{{"type", "array"}, {"items", of.schema}}, more...), object: of.object}
}

func setOf(of form) form { return listOf(of, member{"uniqueItems", true}) }

func nonEmptyListOf(of form) form { return listOf(of, member{"minItems", 1}) }

func nonEmptySetOf(of form) form {
	return listOf(of, member{"uniqueItems", true}, member{"minItems", 1})
}

// oneOrMoreOf is the form of a value or a list of values.
func oneOrMoreOf(of form) form {
	return form{word: of.word + ", or a list", schema: members{{"anyOf", []members{of.schema, nonEmptyListOf(of).schema}}}}
}

// textOr is the form of a text, or of a mapping with known keys.
func textOr(of form, o *object) form {
	return form{word: of.word + ", or a mapping", schema: members{{"anyOf", []members{of.schema, o.schema()}}}, object: o}
}

// never forbids texts that match a pattern. The type is given because a number matches
// every pattern.
func never(pattern string) member {
	return member{"not", members{{"type", "string"}, {"pattern", pattern}}}
}

func maxLength(n int) member { return member{"maxLength", n} }
