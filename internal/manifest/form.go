package manifest

import (
	"fmt"
	"strings"
)

// A form is what a value may look like, in words for people and as JSON Schema for
// editors. The reader takes a value as it is written; an editor has parsed it, and
// sees 3.10 as the number 3.1 and 0644 as 644. So what people write without quotes
// is a number in a schema too, held to what can be said of the number.
//
// Patterns are those of ECMA 262 and RE2 alike: neither looks ahead, and neither
// forgets case, so words in any case are spelled out.
type form struct {
	word   string  // "a path", as the column of a table
	schema members // JSON Schema, draft 07
	object *object // the mapping that it is or holds, nil for none
}

// text is a form of one value that YAML always takes for text.
func text(word, pattern, complaint string) form {
	return form{word: word, schema: members{{"type", "string"}, {"pattern", pattern}, {"errorMessage", complaint}}}
}

// numeral is a form of one value that YAML may take for a number.
func numeral(word, pattern, complaint string, limits ...member) form {
	f := text(word, pattern, complaint)
	f.schema[0].value = []string{"string", "number"}
	f.schema = append(f.schema, limits...)
	return f
}

func boolean() form { return form{word: "true or false", schema: members{{"type", "boolean"}}} }

// integer is a form of whole numbers, both ends included.
func integer(low, high int64) form {
	return form{word: fmt.Sprintf("number, %d to %d", low, high), schema: members{{"type", "integer"}, {"minimum", low}, {"maximum", high}}}
}

// choice is a form of some words.
func choice(words ...string) form {
	return form{word: "`" + strings.Join(words, "`, `") + "`", schema: members{{"enum", words}}}
}

func severity() form { return choice("fail", "warn") }

// formOf is the form of a mapping of known keys.
func formOf(o *object) form { return form{word: "mapping", schema: o.schema(), object: o} }

// namesOf is a form of mappings whose keys the user chose.
func namesOf(name, of form) form {
	return form{
		word: "mapping of " + name.word + " to " + of.word,
		schema: members{
			{"type", "object"}, {"propertyNames", name.schema}, {"additionalProperties", of.schema},
		},
		object: of.object,
	}
}

// listOf is a form of lists, which may be empty.
func listOf(of form) form {
	return form{word: "list of " + of.word, schema: members{{"type", "array"}, {"items", of.schema}}, object: of.object}
}

func setOf(of form) form {
	f := listOf(of)
	f.schema = append(f.schema, member{"uniqueItems", true})
	return f
}

func nonEmptyListOf(of form) form {
	f := listOf(of)
	f.schema = append(f.schema, member{"minItems", 1})
	return f
}

func nonEmptySetOf(of form) form {
	f := setOf(of)
	f.schema = append(f.schema, member{"minItems", 1})
	return f
}

// oneOrMore is a form of one value or a list of them.
func oneOrMore(of form) form {
	return form{word: of.word + ", or a list", schema: members{{"anyOf", []members{of.schema, nonEmptyListOf(of).schema}}}}
}

// never is a member that forbids texts that match a pattern. A number matches every
// pattern, so the sort is said.
func never(pattern string) member {
	return member{"not", members{{"type", "string"}, {"pattern", pattern}}}
}
