package manifest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// escapes are the functions of templates: each writes a value so that the
// language it is named after reads back the same value, and nothing more.
var escapes = template.FuncMap{
	"py":      func(v any) (string, error) { return literal(v, pyText, "True", "False") },
	"json":    func(v any) (string, error) { return literal(v, jsonText, "true", "false") },
	"yaml":    func(v any) (string, error) { return literal(v, jsonText, "true", "false") },
	"toml":    func(v any) (string, error) { return literal(v, jsonText, "true", "false") },
	"sh":      shellWord,
	"comment": comment,
	"name":    name,
}

// escapeNames lists the functions for messages.
var escapeNames = []string{"py", "json", "yaml", "toml", "sh", "comment", "name"}

// isJSONNumber reports whether v is a number as JSON writes it, which every
// language here reads alike.
func isJSONNumber(v string) bool {
	return v != "" && len(v) <= 60 && (v[0] == '-' || '0' <= v[0] && v[0] <= '9') && json.Valid([]byte(v))
}

// literal writes a value, or a list of them in brackets.
func literal(v any, text func(string) string, yes, no string) (string, error) {
	switch v := v.(type) {
	case string:
		return text(v), nil
	case number:
		return string(v), nil
	case int:
		return strconv.Itoa(v), nil
	case bool:
		if v {
			return yes, nil
		}
		return no, nil
	case []string:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = text(item)
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			part, err := literal(item, text, yes, no)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("a mapping cannot be written as one value")
}

// pyText writes a Python string. Its escapes are those of Go for what ASCII has.
func pyText(s string) string { return strconv.QuoteToASCII(s) }

// jsonText writes a JSON string, which YAML and TOML read alike between double
// quotes: \u escapes alone, and no DEL as it is.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string can always be encoded
	}
	return strings.ReplaceAll(string(b), "\x7f", `\u007f`)
}

// scalarText returns the text of one value.
func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case number, int, bool:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("a list or mapping cannot be written as one word")
}

// shellWord writes one word of a shell.
func shellWord(v any) (string, error) {
	s, err := scalarText(v)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", err
}

// comment writes a text that stays on its line, behind the mark that the
// template puts before it.
func comment(v any) (string, error) {
	s, err := scalarText(v)
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || forbidden(r) {
			return ' '
		}
		return r
	}, s), err
}

// name writes what can be a name in Python and in a shell, as it is.
func name(v any) (string, error) {
	s, err := scalarText(v)
	if err != nil {
		return "", err
	}
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || s == "" || '0' <= s[0] && s[0] <= '9' {
		return "", fmt.Errorf("%s is no name", quote(s))
	}
	return s, nil
}
